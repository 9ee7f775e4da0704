import { LANES, type Scenario } from "../scenario.ts";

/** Visitors of a page: they stay for twenty seconds on average, and one in twenty vanishes without a word. */
export const churn: Scenario = {
  name: "churn",
  title: "Sessions of 20 s, some departures silent",
  fleet: {
    donors: 400,
    macsPerSecond: { median: 3e9, decades: 0.3 },
    downMbitPerSecond: { min: 30, max: 300 },
    upShare: 0.4,
    rttMs: { min: 15, max: 100 },
    scatter: 0.15,
    stalls: 0.005,
    benchmarkError: 0.3,
    sessions: { meanMs: 20_000, gapMs: 20_000 },
    silentDepartures: 0.05,
    hidden: { share: 0.05, meanMs: 5_000 },
    liars: 0.01,
    countries: { DE: 1 },
  },
  unit: LANES,
  jobs: [{ name: "digits", submitter: "a", units: 10_000_000 }],
  bound: 1.25,
  quarterBetter: false,
};
