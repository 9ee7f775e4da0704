import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutSegments, planSegments, segmentPositions } from "#lib/dataset/segments.ts";
import { SegmentSpec } from "#lib/protocol/datasets.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

const side = fc.integer({ min: 1, max: 24 });
const windows = fc.tuple(side, fc.integer({ min: 1, max: 3 }), fc.nat(), fc.nat()).map(([time, channels, a, b]) => {
  const length = 1 + (a % time);
  return { shape: [time, channels], spec: { kind: "window" as const, length, stride: 1 + (b % length), axis: 0 } };
});
const tiles = fc
  .tuple(side, side, fc.constantFrom("hw", "chw", "hwc"), fc.nat(), fc.nat(), fc.nat())
  .filter(([height, , layout]) => layout !== "hwc" || height > 4)
  .map(([height, width, layout, a, b, c]) => {
    const shape = layout === "hw" ? [height, width] : layout === "chw" ? [3, height, width] : [height, width, 3];
    const size: [number, number] = [1 + (a % height), 1 + (b % width)];
    return { shape, spec: { kind: "tile" as const, size, overlap: c % Math.min(...size) } };
  });

test("segments have one shape, stay inside, cover every value, and none is there twice", () => {
  fc.assert(
    fc.property(fc.oneof(windows, tiles), ({ shape, spec }) => {
      const plan = planSegments(shape, spec);
      const total = shape.reduce((n, d) => n * d, 1);
      const covered = new Uint8Array(total);
      for (let index = 0; index < plan.segments.length; index++) {
        const positions = segmentPositions(plan, index);
        expect(positions.length).toBe(plan.shape.reduce((n, d) => n * d, 1));
        expect(plan.segments[index]!.coverage).toBeCloseTo(positions.length / total);
        for (const position of positions) covered[position] = 1;
        for (const middle of plan.segments[index]!.position) expect(middle > 0 && middle < 1).toBe(true);
      }
      expect(covered.every((flag) => flag === 1)).toBe(true);
      expect(new Set(plan.segments.map(({ start }) => start.join())).size).toBe(plan.segments.length);
    }),
    { numRuns: 300 },
  );
});

test("cutting gives each segment's values in row-major order", () => {
  fc.assert(
    fc.property(fc.oneof(windows, tiles), fc.integer({ min: 1, max: 3 }), ({ shape, spec }, count) => {
      const plan = planSegments(shape, spec);
      const total = shape.reduce((n, d) => n * d, 1);
      const records = Uint16Array.from({ length: count * total }, (_, i) => i);
      const cut = new Uint16Array(cutSegments(plan, new Uint8Array(records.buffer), 2, count).buffer);
      const expected = Array.from({ length: count }, (_, record) =>
        plan.segments.flatMap((_, index) => Array.from(segmentPositions(plan, index), (at) => record * total + at)),
      ).flat();
      expect(Array.from(cut)).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});

test("four overlapping tiles of a digit", () => {
  const plan = planSegments([28, 28], SegmentSpec.parse({ kind: "tile", size: 18, overlap: 8 }));
  expect(plan.segments.map(({ start }) => start)).toEqual([
    [0, 0],
    [0, 10],
    [10, 0],
    [10, 10],
  ]);
});

describe("what cannot be cut is refused with the fix", () => {
  const cases = [
    {
      name: "longer than the record",
      shape: [8],
      spec: { kind: "window", length: 9, stride: 1 },
      detail: /at most 8, or pad/,
    },
    { name: "gaps", shape: [8], spec: { kind: "window", length: 2, stride: 3 }, detail: /leave gaps: use at most 2/ },
    {
      name: "no such axis",
      shape: [8],
      spec: { kind: "window", length: 2, stride: 1, axis: 1 },
      detail: /name an axis/,
    },
    { name: "overlap", shape: [8, 8], spec: { kind: "tile", size: 4, overlap: 4 }, detail: /use less/ },
    { name: "no image", shape: [8], spec: { kind: "tile", size: 4 }, detail: /tiles need images/ },
    { name: "too many", shape: [100_000], spec: { kind: "window", length: 1, stride: 1 }, detail: /at most 4096/ },
  ];
  for (const { name, shape, spec, detail } of cases) {
    test(name, () => {
      let refused: unknown;
      try {
        planSegments(shape, SegmentSpec.parse(spec));
      } catch (error) {
        refused = error;
      }
      expect(isFluxError(refused) && refused.code === "dataset_mismatch" && refused.detail).toMatch(detail);
    });
  }
});
