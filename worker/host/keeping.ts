/** What the page keeps between visits: settings and the last benchmark. Storage may be refused; then nothing is kept. */
import { z } from "zod";
import { Capability } from "#lib/protocol/donor.ts";
import type { DonorSettings } from "../messages.ts";

const SETTINGS_KEY = "flux.donor.settings";
const CAPABILITY_KEY = "flux.donor.capability";
const TRIAL_KEY = "flux.donor.trial";
const MIB = 2 ** 20;
/** What the visitor can choose from. */
export const MEMORY_CHOICES: readonly number[] = [128 * MIB, 256 * MIB, 512 * MIB];
const WEEK_MS = 7 * 24 * 3_600_000;

export const DEFAULT_SETTINGS: DonorSettings = {
  cpuShare: 1,
  gpuShare: 1,
  pauseOnBattery: true,
  pauseOnMetered: true,
  pauseWhenHidden: false,
  useRegion: true,
  onlyWhenIdle: false,
  hours: null,
  keepAwake: false,
  // What donors are promised (reliability.md).
  memoryBytes: 512 * MIB,
};

const Hour = z.int().min(0).max(23);

/** Field by field: what is missing or out of range is the default. */
const KeptSettings = z.object({
  cpuShare: z.number().min(0.01).max(1).catch(DEFAULT_SETTINGS.cpuShare),
  gpuShare: z.number().min(0.01).max(1).catch(DEFAULT_SETTINGS.gpuShare),
  pauseOnBattery: z.boolean().catch(DEFAULT_SETTINGS.pauseOnBattery),
  pauseOnMetered: z.boolean().catch(DEFAULT_SETTINGS.pauseOnMetered),
  pauseWhenHidden: z.boolean().catch(DEFAULT_SETTINGS.pauseWhenHidden),
  useRegion: z.boolean().catch(DEFAULT_SETTINGS.useRegion),
  onlyWhenIdle: z.boolean().catch(DEFAULT_SETTINGS.onlyWhenIdle),
  hours: z.object({ fromHour: Hour, toHour: Hour }).nullable().catch(DEFAULT_SETTINGS.hours),
  keepAwake: z.boolean().catch(DEFAULT_SETTINGS.keepAwake),
  memoryBytes: z
    .number()
    .refine((bytes) => MEMORY_CHOICES.includes(bytes))
    .catch(DEFAULT_SETTINGS.memoryBytes),
});

/** A benchmark counts for the browser and build it was made with. */
const KeptCapability = z.object({ madeWith: z.string(), capability: Capability });

export function keptSettings(): DonorSettings {
  return read(SETTINGS_KEY, KeptSettings) ?? DEFAULT_SETTINGS;
}

export function keepSettings(settings: DonorSettings): void {
  write(SETTINGS_KEY, settings);
}

/** The last benchmark of this browser if it is younger than a week. */
export function keptCapability(nowMs: number): Capability | null {
  const kept = read(CAPABILITY_KEY, KeptCapability);
  if (kept?.madeWith !== fingerprint()) return null;
  const ageMs = nowMs - Date.parse(kept.capability.measuredAt);
  return ageMs >= 0 && ageMs < WEEK_MS ? kept.capability : null;
}

export function keepCapability(capability: Capability): void {
  write(CAPABILITY_KEY, { madeWith: fingerprint(), capability });
}

/** Stays on this machine; a new browser version or other isolation is another machine to measure. */
function fingerprint(): string {
  return `1 ${navigator.userAgent} ${navigator.hardwareConcurrency} ${globalThis.crossOriginIsolated}`;
}

/** False where storage is refused: then all of this lasts as long as the page. */
export function canKeep(): boolean {
  try {
    localStorage.setItem(TRIAL_KEY, "");
    localStorage.removeItem(TRIAL_KEY);
    return true;
  } catch {
    return false;
  }
}

function read<Value>(key: string, schema: z.ZodType<Value>): Value | null {
  try {
    const text = localStorage.getItem(key);
    return text === null ? null : schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Refused or full: the next visit measures again.
  }
}
