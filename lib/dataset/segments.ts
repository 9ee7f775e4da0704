/**
 * Cuts records into segments: windows of a signal or token sequence, tiles of an image. Segments have one shape, cover
 * every value of the record, and the last one along an axis is moved back to end where the record ends.
 */
import type { SegmentSpec } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { elementsPerRecord } from "../protocol/tensors.ts";

export interface SegmentPlan {
  /** Of the record that is cut. */
  readonly recordShape: readonly number[];
  /** Of one segment. */
  readonly shape: readonly number[];
  readonly segments: readonly Segment[];
}

export interface Segment {
  /** First index along each axis of the record. */
  readonly start: readonly number[];
  /** Where its middle lies along the cut axes, 0 to 1: for the meta-model. */
  readonly position: readonly number[];
  /** Part of the record's values that it holds. */
  readonly coverage: number;
}

/** Throws dataset_mismatch when the record is smaller than a segment, or the stride leaves gaps. */
export function planSegments(recordShape: readonly number[], spec: SegmentSpec): SegmentPlan {
  const cuts = cutsOf(recordShape, spec);
  const shape = recordShape.map((length, axis) => cuts.find((cut) => cut.axis === axis)?.size ?? length);
  const coverage = elementsPerRecord({ shape }) / elementsPerRecord({ shape: recordShape });
  let segments: Segment[] = [{ start: recordShape.map(() => 0), position: [], coverage }];
  for (const { axis, size, stride } of cuts) {
    const length = recordShape[axis]!;
    const starts = startsAlong(length, size, stride);
    if (segments.length * starts.length > DATASET_LIMITS.segments) throw tooMany(segments.length * starts.length);
    segments = segments.flatMap((segment) =>
      starts.map((start) => ({
        start: segment.start.with(axis, start),
        position: [...segment.position, (start + size / 2) / length],
        coverage,
      })),
    );
  }
  return { recordShape, shape, segments };
}

/** Positions in the flat record of one segment's values, row-major: `[...plan.shape]`. */
export function segmentPositions(plan: SegmentPlan, index: number): Int32Array {
  const { start } = plan.segments[index]!;
  let positions: number[] = [0];
  plan.recordShape.forEach((length, axis) => {
    const size = plan.shape[axis]!;
    positions = positions.flatMap((position) =>
      Array.from({ length: size }, (_, offset) => position * length + start[axis]! + offset),
    );
  });
  return Int32Array.from(positions);
}

/** Stored bytes of `count` records → `[count, segments, ...plan.shape]`, same element type. */
export function cutSegments(
  plan: SegmentPlan,
  bytes: Uint8Array<ArrayBuffer>,
  elementBytes: number,
  count: number,
): Uint8Array<ArrayBuffer> {
  const recordBytes = elementsPerRecord({ shape: plan.recordShape }) * elementBytes;
  if (bytes.byteLength !== count * recordBytes) {
    throw new RangeError(`${bytes.byteLength} bytes where ${count} records have ${count * recordBytes}`);
  }
  const runs = plan.segments.map((_, index) => byteRuns(segmentPositions(plan, index), elementBytes));
  const segmentBytes = elementsPerRecord(plan) * elementBytes;
  const cut = new Uint8Array(count * plan.segments.length * segmentBytes);
  let at = 0;
  for (let record = 0; record < count; record++) {
    for (const segment of runs) {
      for (const { from, length } of segment) {
        const start = record * recordBytes + from;
        cut.set(bytes.subarray(start, start + length), at);
        at += length;
      }
    }
  }
  return cut;
}

interface Cut {
  readonly axis: number;
  readonly size: number;
  readonly stride: number;
}

function cutsOf(recordShape: readonly number[], spec: SegmentSpec): Cut[] {
  switch (spec.kind) {
    case "window": {
      if (spec.axis >= recordShape.length) {
        throw mismatch(
          `a window along axis ${spec.axis} of records with shape [${recordShape.join(", ")}]: name an axis that exists`,
        );
      }
      if (spec.stride > spec.length) {
        throw mismatch(
          `stride ${spec.stride} is longer than the window (${spec.length}) and would leave gaps: use at most ${spec.length}`,
        );
      }
      return [checked(recordShape, { axis: spec.axis, size: spec.length, stride: spec.stride })];
    }
    case "tile": {
      const [height, width] = typeof spec.size === "number" ? [spec.size, spec.size] : spec.size;
      if (spec.overlap >= Math.min(height, width)) {
        throw mismatch(`overlap ${spec.overlap} is not smaller than the tile (${height} × ${width}): use less`);
      }
      const [rows, columns] = imageAxes(recordShape);
      return [
        checked(recordShape, { axis: rows, size: height, stride: height - spec.overlap }),
        checked(recordShape, { axis: columns, size: width, stride: width - spec.overlap }),
      ];
    }
  }
}

/** Height and width of [height, width], [channels, height, width] or [height, width, channels]. */
function imageAxes(shape: readonly number[]): [number, number] {
  if (shape.length === 2) return [0, 1];
  if (shape.length === 3 && shape[0]! <= 4) return [1, 2];
  if (shape.length === 3 && shape[2]! <= 4) return [0, 1];
  throw mismatch(
    `tiles need images, [height, width], [channels, height, width] or [height, width, channels]; the records have shape [${shape.join(", ")}]`,
  );
}

function checked(recordShape: readonly number[], cut: Cut): Cut {
  const length = recordShape[cut.axis]!;
  if (cut.size <= length) return cut;
  throw mismatch(`segments of ${cut.size} along an axis of ${length}: use at most ${length}, or pad the records`);
}

function startsAlong(length: number, size: number, stride: number): number[] {
  const steps = Math.ceil((length - size) / stride);
  if (steps + 1 > DATASET_LIMITS.segments) throw tooMany(steps + 1);
  return Array.from({ length: steps + 1 }, (_, step) => Math.min(step * stride, length - size));
}

function tooMany(count: number): FluxError {
  return mismatch(
    `${count} segments per record, at most ${DATASET_LIMITS.segments}: use larger segments or less overlap`,
  );
}

/** Neighbouring positions as one copy each. */
function byteRuns(positions: Int32Array, elementBytes: number): { from: number; length: number }[] {
  const runs: { from: number; length: number }[] = [];
  for (const position of positions) {
    const from = position * elementBytes;
    const last = runs.at(-1);
    if (last && last.from + last.length === from) last.length += elementBytes;
    else runs.push({ from, length: elementBytes });
  }
  return runs;
}

function mismatch(why: string): FluxError {
  return new FluxError("dataset_mismatch", `These segments cannot be cut: ${why}.`, { param: "segments" });
}
