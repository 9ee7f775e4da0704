import { LANES, type Scenario } from "../scenario.ts";

/** Country lines and phones: bytes are the limit, not arithmetic. */
export const slowLinks: Scenario = {
  name: "slow-links",
  title: "Links of 1 to 30 Mbit/s",
  fleet: {
    donors: 200,
    macsPerSecond: { median: 3e9, decades: 0.3 },
    downMbitPerSecond: { min: 1, max: 30 },
    upShare: 0.25,
    rttMs: { min: 40, max: 300 },
    scatter: 0.15,
    stalls: 0.005,
    benchmarkError: 0.3,
    sessions: null,
    silentDepartures: 0,
    hidden: null,
    liars: 0.01,
    countries: { DE: 1 },
  },
  unit: LANES,
  jobs: [{ name: "digits", submitter: "a", units: 3_600_000 }],
  bound: 1.1,
  quarterBetter: true,
};
