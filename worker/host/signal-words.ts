/** What the page sees of this moment, and what each of it does to donating: in words, for the visitor. */
import { isWithin } from "../loop/governor.ts";
import type { DonorSettings, DonorView, PageSignals } from "../messages.ts";

export interface SignalWords {
  readonly name: string;
  /** What is seen. */
  readonly state: string;
  /** What follows from it. */
  readonly effect: string;
  /** It slows or stops donating now. */
  readonly limits: boolean;
}

const UNTOLD = "this browser does not say";

export function signalWords(view: DonorView, settings: DonorSettings): SignalWords[] {
  const { signals, cpuShare, gpuShare, loweredBecause } = view;
  if (!signals) return [];
  const { visible, onBattery, meteredLink, pressure, mainThreadLagMs } = signals;
  const lowered = loweredBecause !== null;
  const slowPage = lowered && mainThreadLagMs > 200;
  const chosen = cpuShare < 1 || gpuShare < 1 ? "rests between pieces of work" : "works without rests";
  return [
    {
      name: "Shares in force",
      state: `${percent(cpuShare)} of the processor, ${percent(gpuShare)} of the GPU`,
      effect: lowered ? (loweredBecause ?? "") : `This tab ${chosen}, and is given as much work as that allows.`,
      limits: lowered,
    },
    {
      name: "This tab",
      state: visible ? "in view" : "hidden",
      effect: hiddenEffect(visible, settings.pauseWhenHidden),
      limits: !visible,
    },
    {
      name: "Power",
      state: onBattery === null ? UNTOLD : onBattery ? "on battery" : "plugged in",
      effect: settings.pauseOnBattery ? "Donating pauses on battery." : "Donating goes on, on battery too.",
      limits: onBattery === true && settings.pauseOnBattery,
    },
    {
      name: "Connection",
      state: meteredLink === null ? UNTOLD : meteredLink ? "metered, or saving data" : "not metered",
      effect: settings.pauseOnMetered
        ? "Donating pauses on mobile data and with Save-Data on."
        : "Donating goes on, on mobile data and with Save-Data on too.",
      limits: meteredLink === true && settings.pauseOnMetered,
    },
    {
      name: "Pressure on this machine",
      state: pressure === null ? UNTOLD : PRESSURE[pressure],
      effect: "When other programs need the machine, the shares are halved. Pressure of our own making does not count.",
      limits: lowered && !slowPage,
    },
    {
      name: "This page answers",
      state: mainThreadLagMs === 0 ? "at once" : `up to ${Math.round(mainThreadLagMs)} ms late`,
      effect: "When it answers more than 200 ms late, the shares are halved.",
      limits: slowPage,
    },
    ...personWords(signals, settings),
  ];
}

/** Only what the visitor made a condition. */
function personWords({ personAway, minuteOfDay }: PageSignals, { onlyWhenIdle, hours }: DonorSettings): SignalWords[] {
  const words: SignalWords[] = [];
  if (onlyWhenIdle)
    words.push({
      name: "You",
      state: personAway === null ? UNTOLD : personAway ? "away" : "at this device",
      effect: "Donating pauses while you are at this device. Nobody else is told.",
      limits: personAway === false,
    });
  if (hours)
    words.push({
      name: "Time of day",
      state: `${twoDigits(Math.floor(minuteOfDay / 60))}:${twoDigits(minuteOfDay % 60)}`,
      effect: `Donating pauses outside ${twoDigits(hours.fromHour)}:00 to ${twoDigits(hours.toHour)}:00.`,
      limits: !isWithin(hours, minuteOfDay),
    });
  return words;
}

const twoDigits = (value: number) => String(value).padStart(2, "0");

const PRESSURE = { nominal: "none", fair: "some", serious: "high", critical: "very high" } as const;

function hiddenEffect(visible: boolean, pauses: boolean): string {
  if (pauses) return "Donating pauses while it is hidden.";
  return visible
    ? "Hidden, it would go on: browsers slow hidden tabs down, so it would be given less work."
    : "Browsers slow hidden tabs down: it is given less work, and what it had only fetched went to others.";
}

const percent = (share: number) => `${Math.round(100 * share)} %`;
