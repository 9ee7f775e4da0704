/** The microtask strip: every unit is in exactly one cell, shares add up, and nothing grows with the job. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StripRange, strip } from "#lib/coordinator/jobs/strip.ts";
import { STRIP_CELLS, STRIP_ROWS } from "#lib/protocol/api/job-work.ts";

const batches = (count: number, primes: number, unitsPerPrime: number) => ({
  batches: Array.from({ length: count }, (_, batch) => ({ batch, primes, unitsPerPrime })),
});
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe("strip", () => {
  it("has one row a prime for encrypted jobs, named", () => {
    const rows = strip(batches(1, 3, 1000), [{ batch: 0, prime: 1, unitStart: 0, unitCount: 500 }], []);
    expect(rows.map(({ label }) => label)).toEqual(["Prime 1", "Prime 2", "Prime 3"]);
    expect(rows.map(({ accepted }) => sum(accepted))).toEqual([0, STRIP_CELLS / 2, 0]);
  });

  it("wraps records, and never has more rows than records", () => {
    expect(strip(batches(1, 1, 3), [], []).map(({ label }) => label)).toEqual(["Record 0", "Record 1", "Record 2"]);
    expect(strip(batches(1, 1, 1600), [], [])[1]?.label).toBe("Records 100 to 199");
  });

  it("is empty for a job without batches", () => {
    expect(strip({ batches: [] }, [], [])).toEqual([]);
  });

  it("leaves out ranges of batches that are not there any more", () => {
    const rows = strip(batches(1, 2, 10), [{ batch: 7, prime: 0, unitStart: 0, unitCount: 10 }], []);
    expect(sum(rows.flatMap(({ accepted }) => accepted))).toBe(0);
  });

  it("shows exactly the share that is accepted and the share that is leased, whatever the shape", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 }),
        (count, primes, units, cuts) => {
          const edges = cuts.map((cut) => Math.round(cut * units)).sort((a, b) => a - b);
          const accepted: StripRange[] = [];
          const leased: StripRange[] = [];
          for (let batch = 0; batch < count; batch++) {
            for (let i = 0; i + 1 < edges.length; i++) {
              const range = {
                batch,
                prime: batch % primes,
                unitStart: edges[i]!,
                unitCount: edges[i + 1]! - edges[i]!,
              };
              (i % 2 === 0 ? accepted : leased).push(range);
            }
          }
          const rows = strip(batches(count, primes, units), accepted, leased);
          expect(rows.length).toBeLessThanOrEqual(STRIP_ROWS);
          // Rows may hold different numbers of units; weigh each by its own.
          const own = (ranges: readonly StripRange[]) => sum(ranges.map(({ unitCount }) => unitCount));
          const shown = (which: "accepted" | "leased") => sum(rows.map((row) => sum(row[which]) / STRIP_CELLS));
          const together = Math.ceil((count * primes) / STRIP_ROWS);
          const even = count * primes === 1 ? units % Math.min(16, units) === 0 : (count * primes) % together === 0;
          if (!even) return;
          const perRow = (count * primes * units) / rows.length;
          expect(shown("accepted") * perRow).toBeCloseTo(own(accepted), 3);
          expect(shown("leased") * perRow).toBeCloseTo(own(leased), 3);
        },
      ),
    );
  });
});
