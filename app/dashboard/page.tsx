import { coordinator } from "#lib/coordinator/registry.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { JobList } from "../components/job/job-list.tsx";
import { Lanes } from "../components/lanes.tsx";
import { ButtonLink } from "../components/ui/button.tsx";
import { signedIn } from "../session.ts";

/** Jobs on the first page; older ones are a click away. */
const SHOWN = 20;

export default async function Jobs({ searchParams }: { searchParams: Promise<{ after?: string }> }) {
  const caller = await signedIn();
  if (!caller) return null;
  const { services } = coordinator();
  const after = JobId.safeParse((await searchParams).after);
  const { items, hasMore } = await services.jobs.list(caller, {
    limit: SHOWN,
    ...(after.success ? { after: after.data } : {}),
  });
  if (items.length === 0) return <NoJobs />;
  const last = items.at(-1);
  return (
    <>
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h1 className="text-[2rem]">Jobs</h1>
        <ButtonLink href="/dashboard/new">New job</ButtonLink>
      </div>
      <JobList initial={items} />
      {hasMore && last ? (
        <p className="mt-6">
          <a className="link" href={`/dashboard?after=${last.id}`}>
            Older jobs
          </a>
        </p>
      ) : null}
    </>
  );
}

function NoJobs() {
  return (
    <div className="max-w-2xl">
      <h1 className="text-[2rem]">No jobs yet</h1>
      <p className="mt-3 text-ink-2">
        Bring a model (ONNX) and a dataset (CSV, JSON Lines, NumPy). You see what was understood and what it will cost
        before anything runs.
      </p>
      <Lanes progress={0} lanes={9} className="mt-7 h-24 w-full" />
      <ButtonLink href="/dashboard/new" className="mt-7">
        New job
      </ButtonLink>
    </div>
  );
}
