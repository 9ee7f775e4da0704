import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount, formatTime } from "../../format.ts";
import { Lanes } from "../lanes.tsx";
import { StatusBadge } from "../ui/status.tsx";

export function JobList({ initial }: { initial: readonly JobResource[] }) {
  return (
    <ul className="mt-6 divide-y divide-line border-y border-line">
      {initial.map((job) => (
        <li key={job.id}>
          <a
            href={job.urls.page}
            className="grid gap-x-6 gap-y-2 px-1 py-4 hover:bg-raised sm:grid-cols-[minmax(0,1fr)_10rem_8.5rem] sm:items-center sm:px-3"
          >
            <span className="min-w-0">
              <span className="block truncate text-[1.08rem] font-[560]">{job.name}</span>
              <span className="number block truncate text-[0.85rem] text-ink-3">
                {formatCount(job.counts.records)} records · {formatTime(job.created_at)}
              </span>
            </span>
            <Lanes progress={shareOf(job)} lanes={6} className="h-8 w-full" label={`Progress of ${job.name}`} />
            <span className="sm:justify-self-end">
              <StatusBadge status={job.status} />
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function shareOf({ counts }: JobResource): number {
  return counts.units === 0 ? 0 : counts.units_accepted / counts.units;
}
