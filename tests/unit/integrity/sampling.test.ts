import { randomInt } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBanned, reliability } from "#lib/integrity/reputation.ts";
import { sampleUnits, unitsToCheck } from "#lib/integrity/sampling.ts";

describe("sampling", () => {
  it("draws as many different positions as asked, in order, all inside", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(1_000), fc.nat(200), (units, accepted, refused) => {
        const count = unitsToCheck(units, { accepted, refused });
        expect(count).toBeGreaterThanOrEqual(Math.min(2, units));
        const drawn = sampleUnits(units, count, (n) => randomInt(n));
        expect(new Set(drawn).size).toBe(count);
        expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
        expect(drawn.every((unit) => unit >= 0 && unit < units)).toBe(true);
      }),
    );
  });

  it("looks at every position equally often", () => {
    const seen = new Array<number>(20).fill(0);
    for (let i = 0; i < 20_000; i++) for (const unit of sampleUnits(20, 3, (n) => randomInt(n))) seen[unit]!++;
    // 3,000 each is expected, with a standard deviation of 50.
    for (const times of seen) expect(Math.abs(times - 3_000)).toBeLessThan(300);
  });

  it("looks more at newcomers and at those who were wrong", () => {
    const usual = unitsToCheck(2_000, { accepted: 500, refused: 0 });
    expect(unitsToCheck(2_000, { accepted: 0, refused: 0 })).toBeGreaterThan(5 * usual);
    expect(unitsToCheck(2_000, { accepted: 500, refused: 1 })).toBeGreaterThan(5 * usual);
  });
});

describe("reputation", () => {
  const cases = [
    { name: "a newcomer", accepted: 0, refused: 0, banned: false, least: 0.9 },
    { name: "long and spotless", accepted: 10_000, refused: 0, banned: false, least: 0.999 },
    { name: "wrong at once", accepted: 0, refused: 3, banned: false, least: 0 },
    { name: "always wrong", accepted: 0, refused: 4, banned: true, least: 0 },
    { name: "wrong now and then", accepted: 1_000, refused: 5, banned: false, least: 0.9 },
    { name: "wrong too often", accepted: 1_000, refused: 20, banned: true, least: 0 },
  ];
  it.each(cases)("$name: banned $banned", ({ accepted, refused, banned, least }) => {
    expect(isBanned({ accepted, refused })).toBe(banned);
    expect(reliability({ accepted, refused })).toBeGreaterThan(least);
  });

  it("falls with wrong results faster than right ones raise it", () => {
    const before = { accepted: 100, refused: 0 };
    const after = { accepted: 110, refused: 1 };
    expect(reliability(after)).toBeLessThan(reliability(before));
  });
});
