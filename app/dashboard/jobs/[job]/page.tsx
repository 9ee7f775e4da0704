import { notFound } from "next/navigation";
import { coordinator } from "#lib/coordinator/registry.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { JobView } from "../../../components/job/job-view.tsx";
import { signedIn } from "../../../session.ts";

export default async function JobPage({ params }: { params: Promise<{ job: string }> }) {
  const caller = await signedIn();
  if (!caller) return null;
  const id = JobId.safeParse((await params).job);
  if (!id.success) notFound();
  const { services } = coordinator();
  try {
    const job = await services.jobs.get(caller, id.data);
    return <JobView initial={job} initialWork={await services.jobWork.get(caller, id.data)} />;
  } catch (error) {
    if (isFluxError(error) && error.code === "not_found") notFound();
    throw error;
  }
}
