import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uncovered } from "#lib/coordinator/dispatch/ranges.ts";

describe("uncovered units", () => {
  it("and the covered ones make every unit exactly once, in pieces within the bound", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.boolean(), { minLength: 800, maxLength: 800 }),
        (primes, unitsPerPrime, maxUnits, taken) => {
          const covered = [];
          for (let prime = 0; prime < primes; prime++) {
            for (let unit = 0; unit < unitsPerPrime; unit++) {
              if (taken[prime * unitsPerPrime + unit]) covered.push({ batch: 3, prime, unitStart: unit, unitCount: 1 });
            }
          }
          const other = { batch: 2, prime: 0, unitStart: 0, unitCount: 5 };
          const rest = [...uncovered({ batch: 3, primes, unitsPerPrime }, [other, ...covered], maxUnits)];
          const all = [...covered, ...rest].flatMap(({ prime, unitStart, unitCount }) =>
            Array.from({ length: unitCount }, (_, i) => prime * unitsPerPrime + unitStart + i),
          );
          expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: primes * unitsPerPrime }, (_, i) => i));
          for (const { unitCount } of rest) expect(unitCount).toBeLessThanOrEqual(maxUnits);
        },
      ),
    );
  });

  it("throws on ranges that overlap", () => {
    const twice = { batch: 0, prime: 0, unitStart: 0, unitCount: 2 };
    expect(() => [...uncovered({ batch: 0, primes: 1, unitsPerPrime: 5 }, [twice, twice], 5)]).toThrow("covered twice");
  });
});
