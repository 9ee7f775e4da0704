import { LANES, type Scenario } from "../scenario.ts";
import { heterogeneous } from "./heterogeneous.ts";

/**
 * Ten thousand donors and a million microtasks: four submitters' jobs of equal size, everybody's devices. The planner cuts
 * finer than usual, so that a million microtasks are leased and delivered once the slower donors' are carved.
 */
export const scale: Scenario = {
  name: "scale",
  title: "10,000 donors, 1,000,000 microtasks",
  fleet: { ...heterogeneous.fleet, donors: 10_000, hidden: { share: 0.05, meanMs: 15_000 } },
  unit: { ...LANES, perMicrotask: 700 },
  jobs: Array.from({ length: 4 }, (_, i) => ({ name: `job-${i}`, submitter: `s${i}`, units: 125_000_000 })),
  bound: 1.25,
  quarterBetter: false,
};
