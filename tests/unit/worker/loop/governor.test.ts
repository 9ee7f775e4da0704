import { expect, test } from "vitest";
import { DEFAULT_SETTINGS } from "#worker/host/keeping.ts";
import { NOTHING_SEEN } from "#worker/host/signals.ts";
import { allowance } from "#worker/loop/governor.ts";
import type { DonorSettings, PageSignals } from "#worker/messages.ts";

const settings: DonorSettings = { ...DEFAULT_SETTINGS, cpuShare: 0.8, gpuShare: 0.4 };
const signals: PageSignals = { ...NOTHING_SEEN, onBattery: false, meteredLink: false, pressure: "nominal" };
const night = { fromHour: 22, toHour: 6 };
const morning = { fromHour: 8, toHour: 12 };

const cases: {
  name: string;
  settings?: Partial<DonorSettings>;
  signals?: Partial<PageSignals>;
  ownLoad?: number;
  cpuShare?: number;
  held?: boolean;
}[] = [
  { name: "nothing speaks against it" },
  { name: "unknown signals hold nothing back", signals: { onBattery: null, meteredLink: null, pressure: null } },
  { name: "battery holds", signals: { onBattery: true }, held: true },
  { name: "battery is allowed", settings: { pauseOnBattery: false }, signals: { onBattery: true } },
  { name: "a metered link holds", signals: { meteredLink: true }, held: true },
  { name: "a hidden page goes on", signals: { visible: false } },
  { name: "a hidden frame does not", settings: { pauseWhenHidden: true }, signals: { visible: false }, held: true },
  {
    name: "a person at the device holds",
    settings: { onlyWhenIdle: true },
    signals: { personAway: false },
    held: true,
  },
  { name: "a person away does not", settings: { onlyWhenIdle: true }, signals: { personAway: true } },
  { name: "nor one of whom nothing is known", settings: { onlyWhenIdle: true } },
  { name: "nor one at the device who did not ask for it", signals: { personAway: false } },
  { name: "before the hours", settings: { hours: morning }, signals: { minuteOfDay: 479 }, held: true },
  { name: "their first minute", settings: { hours: morning }, signals: { minuteOfDay: 480 } },
  { name: "their last minute", settings: { hours: morning }, signals: { minuteOfDay: 719 } },
  { name: "after the hours", settings: { hours: morning }, signals: { minuteOfDay: 720 }, held: true },
  { name: "late in a night", settings: { hours: night }, signals: { minuteOfDay: 1_439 } },
  { name: "early in a night", settings: { hours: night }, signals: { minuteOfDay: 359 } },
  { name: "the day after a night", settings: { hours: night }, signals: { minuteOfDay: 360 }, held: true },
  {
    name: "the same hour twice is all day",
    settings: { hours: { fromHour: 7, toHour: 7 } },
    signals: { minuteOfDay: 60 },
  },
  { name: "others' pressure halves", signals: { pressure: "critical" }, ownLoad: 0.1, cpuShare: 0.4 },
  { name: "pressure of our own making does not", signals: { pressure: "critical" }, ownLoad: 0.9 },
  { name: "a slow page halves", signals: { mainThreadLagMs: 400 }, ownLoad: 0.9, cpuShare: 0.4 },
];

test.each(cases)("$name", (given) => {
  const allowed = allowance({ ...settings, ...given.settings }, { ...signals, ...given.signals }, given.ownLoad ?? 0);
  expect(allowed.cpuShare).toBeCloseTo(given.cpuShare ?? 0.8);
  expect(allowed.gpuShare).toBeCloseTo((given.cpuShare ?? 0.8) / 2);
  expect(allowed.holdBecause !== null).toBe(given.held ?? false);
  expect(allowed.loweredBecause !== null).toBe(given.cpuShare !== undefined);
});
