"use client";
/** A returned run of lanes, a sample of it recomputed, and what happens to a lie. The numbers were measured in the example. */
import { Check, RotateCcw, X } from "lucide-react";
import { useState } from "react";
import { formatCount } from "../../format.ts";
import { EXAMPLE } from "../example/example.ts";
import { Button } from "../ui/button.tsx";
import { Switch } from "../ui/switch.tsx";

const LANES = 40;
const SAMPLE = 10;
/** The lane that the donor falsifies. */
const FALSE_LANE = 23;

export function CheckResult() {
  const [lying, setLying] = useState(false);
  const [sample, setSample] = useState<ReadonlySet<number>>(new Set());
  const checked = sample.size > 0;
  const caught = lying && sample.has(FALSE_LANE);
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <svg viewBox={`0 0 100 ${LANES}`} preserveAspectRatio="none" aria-hidden="true" className="h-56 w-full">
        {Array.from({ length: LANES }, (_, lane) => {
          const wrong = lying && lane === FALSE_LANE;
          const seen = sample.has(lane);
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a lane is its place
            <g key={lane}>
              <rect
                x="0"
                y={lane + 0.32}
                width="74"
                height="0.36"
                fill={wrong && seen ? "var(--bad)" : "var(--accent)"}
                opacity={checked && !seen ? 0.35 : 1}
              />
              <rect x="78" y={lane + 0.44} width="22" height="0.12" fill="var(--line-strong)" />
              {seen ? (
                <rect x="78" y={lane + 0.2} width="22" height="0.6" fill={wrong ? "var(--bad)" : "var(--good)"} />
              ) : null}
            </g>
          );
        })}
      </svg>
      <div className="mt-2 grid grid-cols-[0.78fr_0.22fr] text-[0.88rem] text-ink-3">
        <span>a donor’s result</span>
        <span>computed again</span>
      </div>
      <div className="mt-4 flex flex-wrap items-center justify-between gap-4 border-t border-line pt-4">
        <Switch
          label="The donor changes one residue by 1"
          checked={lying}
          onChange={(value) => {
            setLying(value);
            setSample(new Set());
          }}
        />
        <Button kind="quiet" onClick={() => setSample(drawSample())}>
          {checked ? <RotateCcw aria-hidden="true" className="size-4" /> : null}
          {checked ? "Draw again" : "Check it"}
        </Button>
      </div>
      <figcaption aria-live="polite" className="mt-4 min-h-[5.2rem] text-[0.97rem]">
        <Verdict checked={checked} lying={lying} caught={caught} />
      </figcaption>
    </figure>
  );
}

function Verdict({ checked, lying, caught }: { checked: boolean; lying: boolean; caught: boolean }) {
  if (!checked) {
    return (
      <p className="text-ink-2">
        Which lanes are drawn is decided after the result is in; here {SAMPLE} of {LANES}.
      </p>
    );
  }
  if (!lying) {
    return (
      <p className="flex gap-2">
        <Check aria-hidden="true" className="mt-1 size-4 shrink-0 text-good" />
        <span>Every drawn lane is the same, bit for bit: accepted, and only now counted.</span>
      </p>
    );
  }
  const { slots, values } = EXAMPLE.falsified;
  return (
    <p className="flex gap-2">
      <X aria-hidden="true" className="mt-1 size-4 shrink-0 text-bad" />
      {caught ? (
        <span>
          The changed lane was drawn: refused. The work goes to another donor, and this one loses its standing.
        </span>
      ) : (
        <span>
          The sample missed it. Decryption does not: with this one residue changed, {formatCount(slots)} of{" "}
          {formatCount(EXAMPLE.batch.records)} records became impossible at once (the picture’s score for 0 went from{" "}
          {EXAMPLE.answer[0]} to {values[0]}). All lanes of the batch are computed again and the lie is traced.
        </span>
      )}
    </p>
  );
}

/** Lanes at random, as the coordinator draws them: by numbers that nobody can foresee. */
function drawSample(): ReadonlySet<number> {
  const sample = new Set<number>();
  while (sample.size < SAMPLE) {
    const [draw = 0] = crypto.getRandomValues(new Uint32Array(1));
    sample.add(draw % LANES);
  }
  return sample;
}
