import { LANES, type Scenario } from "../scenario.ts";
import { heterogeneous } from "./heterogeneous.ts";

/**
 * Two submitters fill the fleet for about fifty seconds; a third hands in, ten seconds later, a job that the whole fleet
 * could do in eight seconds. Its fair share (a third) would take until second 34; its deadline is at second 25.
 */
export const deadline: Scenario = {
  name: "deadline",
  title: "A deadline that fair shares alone would miss",
  fleet: { ...heterogeneous.fleet, liars: 0 },
  unit: LANES,
  jobs: [
    { name: "background-a", submitter: "a", units: 5_000_000 },
    { name: "background-b", submitter: "b", units: 5_000_000 },
    { name: "urgent", submitter: "c", units: 1_600_000, startAtMs: 10_000, deadlineMs: 15_000 },
  ],
  bound: 1.25,
  quarterBetter: false,
};
