import { coordinator } from "#lib/coordinator/registry.ts";
import { JobStatus } from "#lib/protocol/api/jobs.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { JobList } from "../../components/job/job-list.tsx";
import { ButtonLink } from "../../components/ui/button.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Jobs" };

/** Jobs on one page; older ones are a click away. */
const SHOWN = 20;
const FILTERS: readonly { readonly status: JobStatus | null; readonly text: string }[] = [
  { status: null, text: "All" },
  { status: "running", text: "Running" },
  { status: "queued", text: "Queued" },
  { status: "completed", text: "Completed" },
  { status: "failed", text: "Failed" },
  { status: "canceled", text: "Cancelled" },
];

interface Asked {
  readonly searchParams: Promise<{ readonly after?: string; readonly status?: string }>;
}

export default async function Jobs({ searchParams }: Asked) {
  const caller = await signedIn();
  if (!caller) return null;
  const asked = await searchParams;
  const after = JobId.safeParse(asked.after);
  const status = JobStatus.safeParse(asked.status);
  const { items, hasMore } = await coordinator().services.jobs.list(
    caller,
    { limit: SHOWN, ...(after.success ? { after: after.data } : {}) },
    status.data,
  );
  const last = items.at(-1);
  return (
    <>
      <PageHeader title="Jobs" />
      <nav aria-label="Jobs by status" className="flex flex-wrap gap-1.5">
        {FILTERS.map((filter) => (
          <a
            key={filter.text}
            href={filter.status ? `/dashboard/jobs?status=${filter.status}` : "/dashboard/jobs"}
            aria-current={filter.status === (status.data ?? null) ? "page" : undefined}
            className="rounded-md border border-line px-3 py-1.5 text-[0.95rem] text-ink-2 hover:border-ink-3 hover:text-ink aria-[current]:border-accent aria-[current]:bg-accent-wash aria-[current]:text-ink"
          >
            {filter.text}
          </a>
        ))}
      </nav>
      {items.length > 0 ? (
        <JobList jobs={items} label="Jobs" />
      ) : (
        <div className="mt-6">
          <EmptyState
            title={status.success ? "No job has this status" : "No jobs yet"}
            action={<ButtonLink href="/dashboard/new">New job</ButtonLink>}
          />
        </div>
      )}
      {hasMore && last ? (
        <p className="mt-6">
          <a
            className="link"
            href={`/dashboard/jobs?after=${last.id}${status.success ? `&status=${status.data}` : ""}`}
          >
            Older jobs
          </a>
        </p>
      ) : null}
    </>
  );
}
