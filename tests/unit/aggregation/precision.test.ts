import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packPrecision, roundingOf } from "#lib/aggregation/precision.ts";

describe("how a segment was computed", () => {
  it("is one byte: exact, or float32 with its donor's drift", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (kind, drift) => {
          const packed = packPrecision(kind, drift);
          expect(packed).toBeLessThan(256);
          expect(packed & 3).toBe(kind);
          expect(Math.abs(roundingOf(packed) - 1 - drift)).toBeLessThan(1 / 100);
        },
      ),
    );
    expect(roundingOf(packPrecision(0, 0))).toBe(0);
    expect(roundingOf(1), "as kept before drift was measured").toBe(1);
  });
});
