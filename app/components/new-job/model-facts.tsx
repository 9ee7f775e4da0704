import { Lock, LockOpen } from "lucide-react";
import type { ModelResource, TensorInfo } from "#lib/protocol/api/uploads.ts";
import { formatBytes } from "../../format.ts";
import { Card } from "../ui/card.tsx";

/** Operators that are named; more are counted. */
const NAMED = 12;

/** What was understood of the model. */
export function ModelFacts({ model, onChange }: { model: ModelResource; onChange: () => void }) {
  return (
    <Card className="p-4 sm:p-5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <p className="text-[1.08rem] font-[600] [overflow-wrap:anywhere]">{model.name}</p>
        <button type="button" onClick={onChange} className="link">
          Take another
        </button>
      </div>
      <dl className="mt-3 grid gap-x-8 gap-y-3 sm:grid-cols-2">
        <Tensors name="Takes" tensors={model.inputs} />
        <Tensors name="Gives" tensors={model.outputs} />
        <div>
          <dt className="text-[0.9rem] text-ink-3">Operators</dt>
          <dd className="mt-1">
            <Operators operators={model.operators} />
          </dd>
        </div>
        <div>
          <dt className="text-[0.9rem] text-ink-3">Weights</dt>
          <dd className="number mt-0.5">{formatBytes(model.weights_bytes)}</dd>
        </div>
      </dl>
      <p className="mt-4 flex gap-2 text-[0.97rem] text-ink-2">
        {model.encrypted.supported ? (
          <>
            <Lock aria-hidden="true" className="mt-1 size-4 shrink-0 text-good" />
            Its operators can run on encrypted data. The plan will show how faithful that stays.
          </>
        ) : (
          <>
            <LockOpen aria-hidden="true" className="mt-1 size-4 shrink-0 text-wait" />
            <span>Public data only: {model.encrypted.reasons.join(" ")}</span>
          </>
        )}
      </p>
    </Card>
  );
}

export function Operators({ operators }: { operators: ModelResource["operators"] }) {
  const more = operators.length - NAMED;
  return (
    <span className="flex flex-wrap gap-1.5">
      {operators.slice(0, NAMED).map(({ operator, count }) => (
        <span key={operator} className="number rounded-sm bg-sunk px-1.5 py-0.5 text-[0.82rem]">
          {operator} ×{count}
        </span>
      ))}
      {more > 0 ? <span className="text-[0.9rem] text-ink-3">and {more} more</span> : null}
    </span>
  );
}

function Tensors({ name, tensors }: { name: string; tensors: readonly TensorInfo[] }) {
  return (
    <div className="min-w-0">
      <dt className="text-[0.9rem] text-ink-3">{name}</dt>
      {tensors.map((tensor) => (
        <dd key={tensor.name} className="number mt-0.5 text-[0.92rem] [overflow-wrap:anywhere]">
          {tensor.name} <span className="text-ink-3">{shapeText(tensor)}</span>
        </dd>
      ))}
    </div>
  );
}

export function shapeText({ shape, datatype }: Pick<TensorInfo, "shape" | "datatype">): string {
  return `${datatype} [${shape.map((axis) => (axis === -1 ? "any" : axis)).join(" × ")}]`;
}
