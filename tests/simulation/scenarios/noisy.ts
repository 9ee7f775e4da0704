import type { Scenario } from "../scenario.ts";
import { heterogeneous } from "./heterogeneous.ts";

/** Machines on which other programs come and go: speeds wander by a factor of two, and one microtask in thirty stalls. */
export const noisy: Scenario = {
  ...heterogeneous,
  name: "noisy",
  title: "Busy machines: speeds that wander, many stalls",
  fleet: { ...heterogeneous.fleet, scatter: 0.25, drift: 0.4, stalls: 0.03 },
  bound: 1.35,
};
