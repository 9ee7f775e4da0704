import { Lock, LockOpen } from "lucide-react";
import { coordinator } from "#lib/coordinator/registry.ts";
import type { ModelResource } from "#lib/protocol/api/uploads.ts";
import { ModelId } from "#lib/protocol/ids.ts";
import { DeleteButton } from "../../components/dashboard/delete-button.tsx";
import { Operators, shapeText } from "../../components/new-job/model-facts.tsx";
import { ButtonLink } from "../../components/ui/button.tsx";
import { EmptyState } from "../../components/ui/empty-state.tsx";
import { PageHeader } from "../../components/ui/page-header.tsx";
import { formatBytes, formatTime } from "../../format.ts";
import { signedIn } from "../../session.ts";

export const metadata = { title: "Models" };

const SHOWN = 20;

export default async function Models({ searchParams }: { searchParams: Promise<{ after?: string }> }) {
  const caller = await signedIn();
  if (!caller) return null;
  const after = ModelId.safeParse((await searchParams).after);
  const { items, hasMore } = await coordinator().services.models.list(caller, {
    limit: SHOWN,
    ...(after.success ? { after: after.data } : {}),
  });
  const last = items.at(-1);
  return (
    <>
      <PageHeader title="Models">What you uploaded, and what of it can run on encrypted data.</PageHeader>
      {items.length === 0 ? (
        <EmptyState title="No models yet" action={<ButtonLink href="/dashboard/new">New job</ButtonLink>}>
          A model is read when you drop it into a new job.
        </EmptyState>
      ) : (
        <ul className="grid grid-cols-[minmax(0,1fr)] gap-4">
          {items.map((model) => (
            <Model key={model.id} model={model} />
          ))}
        </ul>
      )}
      {hasMore && last ? (
        <p className="mt-6">
          <a className="link" href={`/dashboard/models?after=${last.id}`}>
            Older models
          </a>
        </p>
      ) : null}
    </>
  );
}

function Model({ model }: { model: ModelResource }) {
  const { encrypted } = model;
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-3 rounded-lg border border-line bg-raised p-4 sm:grid-cols-[minmax(0,1fr)_auto] sm:p-5">
      <div className="min-w-0">
        <h2 className="text-[1.1rem] [overflow-wrap:anywhere]">{model.name}</h2>
        <p className="mt-0.5 text-[0.93rem] text-ink-3">
          {model.format} · {formatBytes(model.weights_bytes)} of weights · {formatTime(model.created_at)}
        </p>
        <p className="number mt-2 text-[0.88rem] [overflow-wrap:anywhere]">
          {model.inputs.map(shapeText).join(", ")} → {model.outputs.map(shapeText).join(", ")}
        </p>
        <div className="mt-2.5">
          <Operators operators={model.operators} />
        </div>
        <p className="mt-3 flex gap-2 text-[0.95rem] text-ink-2">
          {encrypted.supported ? (
            <Lock aria-hidden="true" className="mt-1 size-4 shrink-0 text-good" />
          ) : (
            <LockOpen aria-hidden="true" className="mt-1 size-4 shrink-0 text-wait" />
          )}
          <span>
            {encrypted.supported ? "Can run on encrypted data." : `Public data only: ${encrypted.reasons.join(" ")}`}
          </span>
        </p>
      </div>
      <div className="flex items-start gap-1.5">
        <ButtonLink kind="quiet" size="small" href={`/dashboard/new?model=${model.id}`}>
          Use in a job
        </ButtonLink>
        <DeleteButton path={`/api/v1/models/${model.id}`} name={model.name} what="model" />
      </div>
    </li>
  );
}
