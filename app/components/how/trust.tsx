"use client";
/** How the meta-model's trust moves as labels come in: five members, one of them broken and very sure of itself. */
import { useState } from "react";
import { formatPercent } from "../../format.ts";
import { TRUST } from "../example/example.ts";
import { Slider } from "../ui/slider.tsx";

export function Trust() {
  const [at, setAt] = useState(0);
  const step = TRUST.steps[at] ?? TRUST.steps[0];
  const first = TRUST.steps[0];
  if (!step || !first) return null;
  return (
    <figure className="rounded-lg border border-line bg-raised p-5 sm:p-6">
      <ul className="grid gap-3.5">
        {TRUST.members.map((name, member) => {
          const weight = step.weights[member] ?? 0;
          return (
            <li key={name} className="grid grid-cols-[4.5rem_minmax(0,1fr)_3.5rem] items-center gap-3">
              <span className="text-[0.95rem]">{name}</span>
              <span aria-hidden="true" className="relative h-4">
                <span className="absolute inset-x-0 top-1/2 h-px bg-line-strong" />
                <span
                  className="lane-fill absolute inset-x-0 top-1/2 -mt-1 h-2 bg-accent"
                  style={{ transform: `scaleX(${(weight / 0.4).toFixed(4)})` }}
                />
                <span className="absolute top-0 h-full w-px bg-ink-3" style={{ left: "50%" }} />
              </span>
              <span className="number text-right text-[0.92rem]">{formatPercent(weight)}</span>
            </li>
          );
        })}
      </ul>
      <Slider
        className="mt-5 border-t border-line pt-4"
        label="Labels that were given"
        value={at}
        min={0}
        max={TRUST.steps.length - 1}
        format={(value) => String(TRUST.steps[value]?.labels ?? 0)}
        onChange={setAt}
      />
      <figcaption aria-live="polite" className="text-[0.95rem] text-ink-2">
        Right answers on records without a label:{" "}
        <span className="number text-ink">{formatPercent(step.accuracy, 1)}</span>
        {at === 0 ? ", all members alike." : `; with all members alike ${formatPercent(first.accuracy, 1)}.`}
        <span className="block text-[0.9rem] text-ink-3">
          Weight of each member; the fine line is an even share. Computed on a made-up ensemble.
        </span>
      </figcaption>
    </figure>
  );
}
