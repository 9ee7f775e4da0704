import { expect, it } from "vitest";
import { IDLE_VIEW } from "#worker/host/donor.ts";
import { DEFAULT_SETTINGS } from "#worker/host/keeping.ts";
import { signalWords } from "#worker/host/signal-words.ts";
import { NOTHING_SEEN } from "#worker/host/signals.ts";
import { allowance } from "#worker/loop/governor.ts";
import type { DonorSettings, PageSignals } from "#worker/messages.ts";

const SETTINGS: DonorSettings = DEFAULT_SETTINGS;
const QUIET: PageSignals = { ...NOTHING_SEEN, onBattery: false, meteredLink: false, pressure: "nominal" };

/** The words for what the loop really does with these signals. */
function words(signals: Partial<PageSignals>, settings: Partial<DonorSettings> = {}, ownLoad = 0) {
  const seen = { ...QUIET, ...signals };
  const chosen = { ...SETTINGS, ...settings };
  const { cpuShare, gpuShare, loweredBecause } = allowance(chosen, seen, ownLoad);
  return signalWords({ ...IDLE_VIEW, signals: seen, cpuShare, gpuShare, loweredBecause }, chosen);
}
const limiting = (...from: Parameters<typeof words>) =>
  words(...from)
    .filter(({ limits }) => limits)
    .map(({ name }) => name);

it("says nothing before the start", () => {
  expect(signalWords(IDLE_VIEW, SETTINGS)).toEqual([]);
});

const cases: { name: string; from: Parameters<typeof words>; limiting: string[] }[] = [
  { name: "nothing", from: [{}], limiting: [] },
  { name: "unknown signals", from: [{ onBattery: null, meteredLink: null, pressure: null }], limiting: [] },
  { name: "a hidden tab", from: [{ visible: false }], limiting: ["This tab"] },
  { name: "battery", from: [{ onBattery: true }], limiting: ["Power"] },
  { name: "battery that is allowed", from: [{ onBattery: true }, { pauseOnBattery: false }], limiting: [] },
  { name: "a metered link", from: [{ meteredLink: true }], limiting: ["Connection"] },
  { name: "a person at the device", from: [{ personAway: false }, { onlyWhenIdle: true }], limiting: ["You"] },
  {
    name: "another hour",
    from: [{ minuteOfDay: 600 }, { hours: { fromHour: 22, toHour: 6 } }],
    limiting: ["Time of day"],
  },
  {
    name: "others' pressure",
    from: [{ pressure: "critical" }],
    limiting: ["Shares in force", "Pressure on this machine"],
  },
  { name: "pressure of our own making", from: [{ pressure: "critical" }, {}, 0.9], limiting: [] },
  { name: "a slow page", from: [{ mainThreadLagMs: 400 }], limiting: ["Shares in force", "This page answers"] },
];
it.each(cases)("marks what slows donating: $name", ({ from, limiting: expected }) => {
  expect(limiting(...from)).toEqual(expected);
});

it("tells the shares in force and why they are lower", () => {
  const [shares] = words({ mainThreadLagMs: 400 }, { cpuShare: 0.5 });
  expect(shares).toMatchObject({
    state: "25 % of the processor, 50 % of the GPU",
    effect: "This page answers slowly, so the shares are halved.",
  });
});
