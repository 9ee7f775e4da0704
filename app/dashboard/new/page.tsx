import { coordinator } from "#lib/coordinator/registry.ts";
import { NewJob } from "../../components/new-job/new-job.tsx";
import { signedIn } from "../../session.ts";

export const metadata = { title: "New job" };

/** Earlier uploads that can be taken again. */
const OFFERED = 20;

interface Asked {
  readonly searchParams: Promise<{ readonly model?: string; readonly dataset?: string; readonly sample?: string }>;
}

export default async function NewJobPage({ searchParams }: Asked) {
  const caller = await signedIn();
  if (!caller) return null;
  const { services } = coordinator();
  const models = await services.models.list(caller, { limit: OFFERED });
  const datasets = await services.datasets.list(caller, { limit: OFFERED });
  const groups = await services.groups.list(caller, { limit: OFFERED });
  const { model = null, dataset = null, sample } = await searchParams;
  return (
    <NewJob
      models={models.items}
      datasets={datasets.items}
      groups={groups.items}
      begin={{ model, dataset, sample: sample === "digits" }}
    />
  );
}
