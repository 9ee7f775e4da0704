"use client";
/** When this browser may work, and with how much memory. Takes effect at once and is kept in this browser. */
import { useId, useState } from "react";
import type { DonorSettings } from "#worker/host/donor.ts";
import { MEMORY_CHOICES } from "#worker/host/keeping.ts";
import { askToTellIdle } from "#worker/host/signals.ts";
import { Card } from "../components/ui/card.tsx";
import { Choice } from "./choice.tsx";

export interface WhenProps {
  readonly settings: DonorSettings;
  /** What this browser can; null until the page is alive. */
  readonly able: { readonly tellIdle: boolean; readonly keepAwake: boolean } | null;
  readonly onChange: (change: Partial<DonorSettings>) => void;
}

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const NIGHT = { fromHour: 22, toHour: 7 };

export function When({ settings, able, onChange }: WhenProps) {
  const { hours, memoryBytes } = settings;
  const [refused, setRefused] = useState(false);

  async function onlyWhenIdle(wanted: boolean): Promise<void> {
    const allowed = !wanted || (await askToTellIdle(window));
    setRefused(!allowed);
    onChange({ onlyWhenIdle: wanted && allowed });
  }

  return (
    <Card className="p-5">
      <h2 className="text-[1.15rem]">When</h2>
      <div className="mt-2 grid gap-1">
        <Choice
          text="Pause on battery"
          checked={settings.pauseOnBattery}
          onChange={(pauseOnBattery) => onChange({ pauseOnBattery })}
        />
        <Choice
          text="Pause on metered links"
          checked={settings.pauseOnMetered}
          onChange={(pauseOnMetered) => onChange({ pauseOnMetered })}
        />
        <Choice
          text="Pause while this tab is hidden"
          hint="Otherwise it goes on in the background, as far as the browser lets it."
          checked={settings.pauseWhenHidden}
          onChange={(pauseWhenHidden) => onChange({ pauseWhenHidden })}
        />
        <Choice
          text="Only while I am away"
          hint={idleHint(able?.tellIdle ?? true, refused)}
          disabled={able?.tellIdle === false}
          checked={settings.onlyWhenIdle}
          onChange={(wanted) => void onlyWhenIdle(wanted)}
        />
        <Choice
          text="Only at certain hours"
          checked={hours !== null}
          onChange={(wanted) => onChange({ hours: wanted ? NIGHT : null })}
        />
        {hours ? (
          <div className="flex flex-wrap items-center gap-x-3 gap-y-2 pb-2 pl-[1.85rem]">
            <Hour
              name="From"
              value={hours.fromHour}
              onChange={(fromHour) => onChange({ hours: { ...hours, fromHour } })}
            />
            <Hour name="to" value={hours.toHour} onChange={(toHour) => onChange({ hours: { ...hours, toHour } })} />
            {hours.fromHour === hours.toHour ? <p className="text-[0.88rem] text-ink-3">That is all day.</p> : null}
          </div>
        ) : null}
        <Choice
          text="Keep the screen on while donating"
          hint={
            able?.keepAwake === false
              ? "This browser does not let a page keep the screen on."
              : "Otherwise the device goes to sleep as usual, and the work goes to others."
          }
          disabled={able?.keepAwake === false}
          checked={settings.keepAwake}
          onChange={(keepAwake) => onChange({ keepAwake })}
        />
      </div>
      <div className="mt-3 flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-t border-line pt-4">
        <p id="memory" className="font-[560]">
          Memory, at most
        </p>
        <fieldset aria-labelledby="memory" className="flex overflow-hidden rounded-md border border-line-strong">
          {MEMORY_CHOICES.map((bytes) => (
            <button
              key={bytes}
              type="button"
              aria-pressed={memoryBytes === bytes}
              onClick={() => onChange({ memoryBytes: bytes })}
              className="number min-h-11 border-line-strong px-3 text-[0.92rem] text-ink-2 not-last:border-r hover:bg-sunk aria-pressed:bg-accent-wash aria-pressed:text-ink"
            >
              {bytes / 2 ** 20} MiB
            </button>
          ))}
        </fieldset>
      </div>
      <p className="mt-2 text-[0.88rem] text-ink-3">
        An eighth of it is for data on its way. With less, this browser gets smaller pieces, and fewer jobs fit.
      </p>
    </Card>
  );
}

function idleHint(canTell: boolean, refused: boolean): string {
  if (!canTell)
    return "This browser does not tell a page whether you are here. Chrome and Edge do, where you allow it.";
  if (refused)
    return "The browser may not tell this page whether you are here. Its permission is behind the sign beside the address.";
  return "Works after a minute without a touch, or with the screen locked. The browser asks whether it may tell this page.";
}

function Hour(props: { name: string; value: number; onChange: (hour: number) => void }) {
  const id = useId();
  return (
    <span className="flex items-center gap-2">
      <label htmlFor={id}>{props.name}</label>
      <select
        id={id}
        value={props.value}
        onChange={(event) => props.onChange(Number(event.target.value))}
        className="number min-h-11 rounded-md border border-line-strong bg-paper px-2"
      >
        {HOURS.map((hour) => (
          <option key={hour} value={hour}>
            {String(hour).padStart(2, "0")}:00
          </option>
        ))}
      </select>
    </span>
  );
}
