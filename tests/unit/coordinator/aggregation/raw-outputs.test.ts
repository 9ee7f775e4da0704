import { expect, it } from "vitest";
import { roundingOf } from "#lib/aggregation/precision.ts";
import { precisionOf } from "#lib/coordinator/aggregation/raw-outputs.ts";
import { DonorId } from "#lib/protocol/ids.ts";

const donor = (letter: string) => DonorId.parse(`don_${letter.repeat(20)}`);

it("a unit's precision says of its donor what all of its results did, as far as they were looked at", () => {
  const result = (unitStart: number, of: string, drift: number, checkedUnits: number) => ({
    unitStart,
    unitCount: 10,
    donorId: donor(of),
    runtime: "ort-wasm" as const,
    drift,
    checkedUnits,
  });
  const bytes = precisionOf(
    [result(0, "a", 0.2, 3), result(10, "b", 0, 1), result(20, "a", 0.6, 1), result(40, "c", 0, 0)],
    50,
  );
  const rounding = Array.from(bytes, roundingOf);
  for (const unit of [0, 9, 20, 29]) expect(rounding[unit]).toBeCloseTo(1.3, 1);
  for (const unit of [10, 19, 40, 49]) expect(rounding[unit]).toBe(1);
  expect(bytes.subarray(30, 40), "nobody computed these").toEqual(new Uint8Array(10));
});
