import { coordinator } from "#lib/coordinator/registry.ts";
import { Overview } from "../components/dashboard/overview.tsx";
import { laneMap } from "../components/map/lane-map.ts";
import { ButtonLink } from "../components/ui/button.tsx";
import { EmptyState } from "../components/ui/empty-state.tsx";
import { PageHeader } from "../components/ui/page-header.tsx";
import { signedIn } from "../session.ts";

const SHOWN = 20;

export default async function OverviewPage() {
  const caller = await signedIn();
  if (!caller) return null;
  const { services } = coordinator();
  const { items } = await services.jobs.list(caller, { limit: SHOWN });
  if (items.length === 0) return <FirstTime />;
  return (
    <>
      <h1 className="sr-only">Overview</h1>
      <Overview jobs={items} donors={await services.donors.summary()} map={laneMap()} />
    </>
  );
}

function FirstTime() {
  return (
    <>
      <PageHeader title="Welcome">Your jobs will be here. The first one takes about a minute to set up.</PageHeader>
      <EmptyState
        title="Bring a model and a file"
        action={
          <>
            <ButtonLink href="/dashboard/new">New job</ButtonLink>
            <ButtonLink kind="quiet" href="/dashboard/new?sample=digits">
              Try it with our digits
            </ButtonLink>
          </>
        }
      >
        An ONNX or TensorFlow model, and records as CSV, JSON Lines, NumPy, Parquet or a zip of images. You see what was
        understood, what donors can see and what it costs before anything runs.
      </EmptyState>
    </>
  );
}
