/** Whatever the fleet and the jobs, every job ends: found by chance rather than by scenario. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { LANES, type Scenario } from "./scenario.ts";
import { heterogeneous } from "./scenarios/heterogeneous.ts";
import { simulate } from "./simulator.ts";

/** Powers of ten between two exponents. */
const powers = (min: number, max: number) => fc.double({ min, max, noNaN: true }).map((exponent) => 10 ** exponent);

it("ends every job of any small world, within the rules", () => {
  const world = fc.record({
    donors: fc.integer({ min: 1, max: 6 }),
    units: powers(0, 4.5).map(Math.ceil),
    perMicrotask: powers(0.5, 3.2).map(Math.ceil),
    macs: powers(5, 9.3),
    bytesIn: powers(1, 4.5),
    jobs: fc.integer({ min: 1, max: 3 }),
    churn: fc.boolean(),
    silent: fc.constantFrom(0, 0.3),
    seed: fc.integer({ min: 1, max: 1_000 }),
  });
  fc.assert(
    fc.property(world, ({ donors, units, perMicrotask, macs, bytesIn, jobs, churn, silent, seed }) => {
      // At most some minutes of one median device.
      const bounded = Math.ceil(Math.min(units, 1e12 / macs));
      const scenario: Scenario = {
        ...heterogeneous,
        name: "any",
        fleet: {
          ...heterogeneous.fleet,
          donors,
          liars: 0,
          sessions: churn ? { meanMs: 20_000, gapMs: 5_000 } : null,
          silentDepartures: silent,
        },
        unit: { ...LANES, macs, bytesIn, perMicrotask },
        jobs: Array.from({ length: jobs }, (_, j) => ({ name: `job-${j}`, submitter: `s${j}`, units: bounded })),
      };
      const outcome = simulate(scenario, seed, createPolicy());
      for (const job of outcome.jobs) expect(job.finishedAtMs).toBeLessThan(Number.POSITIVE_INFINITY);
    }),
    { numRuns: 60 },
  );
});
