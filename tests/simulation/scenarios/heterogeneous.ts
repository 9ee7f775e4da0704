import { LANES, type Scenario } from "../scenario.ts";

/** Everybody's devices: speeds over two decades, some tabs hidden, some stalls, some liars. */
export const heterogeneous: Scenario = {
  name: "heterogeneous",
  title: "Speeds over two decades, hidden tabs, stalls, liars",
  fleet: {
    donors: 200,
    macsPerSecond: { median: 3e9, decades: 0.5 },
    downMbitPerSecond: { min: 50, max: 500 },
    upShare: 0.4,
    rttMs: { min: 15, max: 150 },
    scatter: 0.15,
    stalls: 0.01,
    benchmarkError: 0.3,
    sessions: null,
    silentDepartures: 0,
    hidden: { share: 0.1, meanMs: 15_000 },
    liars: 0.02,
    countries: { DE: 1 },
  },
  unit: LANES,
  jobs: [{ name: "digits", submitter: "a", units: 10_000_000 }],
  bound: 1.1,
  quarterBetter: true,
};
