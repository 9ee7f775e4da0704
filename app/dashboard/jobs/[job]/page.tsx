import { notFound } from "next/navigation";
import { coordinator } from "#lib/coordinator/registry.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { JobView } from "../../../components/job/job-view.tsx";
import { signedIn } from "../../../session.ts";

export default async function JobPage({ params }: { params: Promise<{ job: string }> }) {
  const caller = await signedIn();
  if (!caller) return null;
  const id = JobId.safeParse((await params).job);
  if (!id.success) notFound();
  let job: JobResource;
  try {
    job = await coordinator().services.jobs.get(caller, id.data);
  } catch (error) {
    if (isFluxError(error) && error.code === "not_found") notFound();
    throw error;
  }
  return <JobView initial={job} />;
}
