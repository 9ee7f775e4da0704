import { LANES, type Scenario } from "../scenario.ts";

/** Three submitters with region rules; few donors are where the first one's data must stay. */
export const regions: Scenario = {
  name: "regions",
  title: "Region rules with a shortage of donors in one region",
  fleet: {
    donors: 240,
    macsPerSecond: { median: 3e9, decades: 0.3 },
    downMbitPerSecond: { min: 50, max: 300 },
    upShare: 0.4,
    rttMs: { min: 15, max: 150 },
    scatter: 0.15,
    stalls: 0.005,
    benchmarkError: 0.3,
    sessions: null,
    silentDepartures: 0,
    hidden: null,
    liars: 0,
    countries: { DE: 0.06, FR: 0.05, NO: 0.04, US: 0.45, IN: 0.4 },
  },
  unit: LANES,
  jobs: [
    { name: "eu-only", submitter: "a", units: 1_400_000, regions: { allow: ["EU"], prefer: ["DE"] } },
    { name: "us-or-eea", submitter: "b", units: 4_000_000, regions: { allow: ["US", "EEA"], prefer: [] } },
    { name: "anywhere", submitter: "c", units: 4_600_000 },
  ],
  bound: 1.1,
  quarterBetter: false,
};
