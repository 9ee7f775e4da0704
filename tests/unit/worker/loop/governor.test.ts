import { expect, test } from "vitest";
import { allowance } from "#worker/loop/governor.ts";
import type { DonorSettings, PageSignals } from "#worker/messages.ts";

const settings: DonorSettings = {
  cpuShare: 0.8,
  gpuShare: 0.4,
  pauseOnBattery: true,
  pauseOnMetered: true,
  pauseWhenHidden: false,
  useRegion: true,
};
const signals: PageSignals = {
  visible: true,
  onBattery: false,
  meteredLink: false,
  pressure: "nominal",
  mainThreadLagMs: 0,
};

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
