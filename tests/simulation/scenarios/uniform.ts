import { LANES, type Scenario } from "../scenario.ts";

/** A computer room: equal machines on a good network. */
export const uniform: Scenario = {
  name: "uniform",
  title: "Equal machines, good network",
  fleet: {
    donors: 200,
    macsPerSecond: { median: 5e9, decades: 0.03 },
    downMbitPerSecond: { min: 80, max: 120 },
    upShare: 0.4,
    rttMs: { min: 10, max: 40 },
    scatter: 0.1,
    stalls: 0.002,
    benchmarkError: 0.15,
    sessions: null,
    silentDepartures: 0,
    hidden: null,
    liars: 0,
    countries: { DE: 1 },
  },
  unit: LANES,
  jobs: [{ name: "digits", submitter: "a", units: 12_000_000 }],
  bound: 1.1,
  quarterBetter: false,
};
