import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { laneMap } from "../../../app/components/map/lane-map.ts";
import { middleOf, startsOf } from "../../../app/donate/flight-plan.ts";

describe("where dots fly from", () => {
  it("are as many as microtasks up to the most, and in proportion to within one", () => {
    const countries = fc.uniqueArray(
      fc.record({ country: fc.stringMatching(/^[A-Z]{2}$/), microtasks: fc.integer({ min: 1, max: 5_000 }) }),
      { selector: ({ country }) => country, maxLength: 12 },
    );
    fc.assert(
      fc.property(countries, fc.integer({ min: 1, max: 30 }), (recent, most) => {
        const total = recent.reduce((sum, { microtasks }) => sum + microtasks, 0);
        const starts = startsOf(recent, most);
        expect(starts).toHaveLength(Math.min(most, total));
        for (const { country, microtasks } of recent) {
          const exact = (starts.length * microtasks) / total;
          const count = starts.filter((start) => start === country).length;
          expect(Math.abs(count - exact)).toBeLessThan(1);
        }
      }),
    );
    expect(startsOf([], 10)).toEqual([]);
  });

  it("take turns", () => {
    const even = [
      { country: "DE", microtasks: 3 },
      { country: "FR", microtasks: 3 },
    ];
    expect(startsOf(even, 6)).toEqual(["DE", "FR", "DE", "FR", "DE", "FR"]);
  });

  it("lie within their country's strokes", () => {
    const map = laneMap();
    const [x = 0, y = 0] = middleOf(map.countries.DE ?? "") ?? [];
    // Germany, on this projection: a little right of the middle, in the upper third.
    expect(x / map.width).toBeGreaterThan(0.48);
    expect(x / map.width).toBeLessThan(0.6);
    expect(y / map.height).toBeLessThan(0.35);
    expect(middleOf("")).toBeNull();
  });
});
