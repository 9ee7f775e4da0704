/**
 * What the visitor's settings and the page's signals allow: the shares in force, and whether to work at all. Pure.
 * Signals only ever lower what the visitor allowed, and every lowering has its reason in words for the page.
 */
import type { DailyHours, DonorSettings, PageSignals, PauseReason } from "../messages.ts";

export interface Allowance {
  cpuShare: number;
  gpuShare: number;
  /** Do not work now; null: work. */
  holdBecause: PauseReason | null;
  /** Why the shares are lower than the settings; null: they are not. */
  loweredBecause: string | null;
}

/** A main thread that answers this late is felt by the person at it. */
const LAG_FELT_MS = 200;
/** Below this part of the machine, pressure is not our own doing and is made room for. */
const OWN_LOAD_SMALL = 0.5;

/** @param ownLoad part of the machine's cores that this donor keeps busy, 0..1 */
export function allowance(settings: DonorSettings, signals: PageSignals, ownLoad: number): Allowance {
  const lowered = loweredBy(signals, ownLoad);
  const factor = lowered === null ? 1 : 0.5;
  return {
    cpuShare: Math.max(0.01, settings.cpuShare * factor),
    gpuShare: Math.max(0.01, settings.gpuShare * factor),
    holdBecause: heldBy(settings, signals),
    loweredBecause: lowered,
  };
}

function heldBy(settings: DonorSettings, signals: PageSignals): PauseReason | null {
  if (settings.pauseOnBattery && signals.onBattery === true) return "battery";
  if (settings.pauseOnMetered && signals.meteredLink === true) return "metered";
  if (settings.pauseWhenHidden && !signals.visible) return "hidden";
  if (settings.onlyWhenIdle && signals.personAway === false) return "in-use";
  if (settings.hours && !isWithin(settings.hours, signals.minuteOfDay)) return "hours";
  return null;
}

/** The same hour twice is the whole day. */
export function isWithin({ fromHour, toHour }: DailyHours, minuteOfDay: number): boolean {
  const hour = Math.floor(minuteOfDay / 60);
  if (fromHour < toHour) return fromHour <= hour && hour < toHour;
  return fromHour <= hour || hour < toHour;
}

/**
 * Compute Pressure sees the whole machine, our own work included: a donor at full share always makes it "critical". So
 * it counts only while we are not the ones who cause it.
 */
function loweredBy(signals: PageSignals, ownLoad: number): string | null {
  if (signals.mainThreadLagMs > LAG_FELT_MS) return "This page answers slowly, so the shares are halved.";
  const pressed = signals.pressure === "serious" || signals.pressure === "critical";
  if (pressed && ownLoad < OWN_LOAD_SMALL) return "Other programs need this machine, so the shares are halved.";
  return null;
}
