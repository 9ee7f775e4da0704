import { LANES, type Scenario } from "../scenario.ts";
import { heterogeneous } from "./heterogeneous.ts";

/** One submitter with one large job, one with thirty small ones: both get half while both have work. */
export const fairness: Scenario = {
  name: "fairness",
  title: "Equal weights, one large job against thirty small ones",
  fleet: { ...heterogeneous.fleet, donors: 120 },
  unit: LANES,
  jobs: [
    { name: "large", submitter: "a", units: 4_000_000 },
    ...Array.from({ length: 30 }, (_, i) => ({ name: `small-${i}`, submitter: "b", units: 60_000 })),
  ],
  bound: 1.25,
  quarterBetter: false,
};

/** The same with weights 3 to 1. */
export const weights: Scenario = {
  ...fairness,
  name: "weights",
  title: "Weights 3 to 1",
  jobs: [
    { name: "heavy", submitter: "a", weight: 3, units: 3_000_000 },
    { name: "light", submitter: "b", weight: 1, units: 3_000_000 },
  ],
};
