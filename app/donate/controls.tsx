"use client";
/** What the visitor decides: how much of this machine (when: when.tsx). Takes effect at once and is kept in this browser. */
import { useId } from "react";
import type { DonorSettings } from "#worker/host/donor.ts";
import { Card } from "../components/ui/card.tsx";
import { Choice } from "./choice.tsx";
import { formatShare } from "./format.ts";

const PRESETS = [
  { name: "Light", share: 0.25 },
  { name: "Medium", share: 0.5 },
  { name: "Full", share: 1 },
];

export interface ControlsProps {
  settings: DonorSettings;
  gpuUsable: boolean | null;
  onChange: (change: Partial<DonorSettings>) => void;
}

export function Controls({ settings, gpuUsable, onChange }: ControlsProps) {
  return (
    <Card className="p-5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-2">
        <h2 className="text-[1.15rem]">How much</h2>
        <fieldset className="flex overflow-hidden rounded-md border border-line-strong">
          <legend className="sr-only">Preset</legend>
          {PRESETS.map(({ name, share }) => (
            <button
              key={name}
              type="button"
              aria-pressed={settings.cpuShare === share && settings.gpuShare === share}
              onClick={() => onChange({ cpuShare: share, gpuShare: share })}
              className="min-h-11 border-line-strong px-3 text-[0.92rem] text-ink-2 not-last:border-r hover:bg-sunk aria-pressed:bg-accent-wash aria-pressed:text-ink"
            >
              {name}
            </button>
          ))}
        </fieldset>
      </div>
      <Share
        name="CPU share"
        value={settings.cpuShare}
        hint="The part of the time that your processor may compute."
        onChange={(cpuShare) => onChange({ cpuShare })}
      />
      <Share
        name="GPU share"
        value={settings.gpuShare}
        hint={
          gpuUsable === false
            ? "No GPU passed the self-test in this browser, so none is used."
            : "The part of the time that your graphics card may compute."
        }
        onChange={(gpuShare) => onChange({ gpuShare })}
      />
      <div className="mt-4 grid gap-1 border-t border-line pt-3">
        <Choice
          text="Do not use my region"
          hint="Then this tab gets only jobs that may go anywhere. Your address is never stored, whichever you choose."
          checked={!settings.useRegion}
          onChange={(without) => onChange({ useRegion: !without })}
        />
      </div>
    </Card>
  );
}

function Share(props: { name: string; value: number; hint: string; onChange: (share: number) => void }) {
  const id = useId();
  return (
    <div className="mt-4">
      <div className="flex items-baseline justify-between">
        <label htmlFor={id} className="font-[560]">
          {props.name}
        </label>
        <output htmlFor={id} className="number text-[0.95rem]">
          {formatShare(props.value)}
        </output>
      </div>
      <input
        id={id}
        type="range"
        min={5}
        max={100}
        step={5}
        value={Math.round(props.value * 100)}
        aria-describedby={`${id}-hint`}
        onChange={(event) => props.onChange(event.target.valueAsNumber / 100)}
        className="h-9 w-full accent-accent"
      />
      <p id={`${id}-hint`} className="text-[0.88rem] text-ink-3">
        {props.hint}
      </p>
    </div>
  );
}
