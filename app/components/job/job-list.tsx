import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { formatCount, formatDuration, formatTime } from "../../format.ts";
import { Lanes } from "../lanes.tsx";
import { StatusBadge } from "../ui/status.tsx";

export function JobList({ jobs, label }: { jobs: readonly JobResource[]; label: string }) {
  return (
    <ul aria-label={label} className="mt-3 divide-y divide-line border-y border-line">
      {jobs.map((job) => (
        <li key={job.id}>
          <a
            href={job.urls.page}
            className="grid gap-x-6 gap-y-2 px-1 py-3.5 hover:bg-raised sm:grid-cols-[minmax(0,1fr)_12rem_8.5rem] sm:items-center sm:px-3"
          >
            <span className="min-w-0">
              <span className="block truncate text-[1.06rem] font-[560]">{job.name}</span>
              <span className="block truncate text-[0.92rem] text-ink-3">
                {formatCount(job.counts.records)} records · {job.privacy === "encrypted" ? "encrypted" : "public data"}{" "}
                · {timeOf(job)}
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

function timeOf(job: JobResource): string {
  if (job.eta_seconds !== null) return `${formatDuration(job.eta_seconds)} left`;
  return formatTime(job.completed_at ?? job.created_at);
}

function shareOf({ counts }: JobResource): number {
  return counts.units === 0 ? 0 : counts.units_accepted / counts.units;
}
