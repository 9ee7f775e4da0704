/** Row-major arrays of doubles and the strided reads that most operators are made of. */
import { elementCount, stridesOf } from "../graph.ts";

export interface DoubleArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Calls `visit` with the running output index and the source offset `start + Σ index·stride`, in row-major order. */
export function walk(
  shape: readonly number[],
  strides: readonly number[],
  start: number,
  visit: (outputIndex: number, sourceOffset: number) => void,
): void {
  const count = elementCount(shape);
  if (count === 0) return;
  const rank = shape.length;
  const index = new Array<number>(rank).fill(0);
  let offset = start;
  for (let output = 0; output < count; output++) {
    visit(output, offset);
    for (let axis = rank - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      offset -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

/** Reads `shape` out of x with the given strides: transposes, slices and broadcasts are all this. */
export function readStrided(
  x: DoubleArray,
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): DoubleArray {
  const data = new Float64Array(elementCount(shape));
  walk(shape, strides, start, (to, from) => {
    data[to] = x.data[from]!;
  });
  return { shape, data };
}

/** Strides that read x as if it had been broadcast to `shape`. */
export function broadcastStrides(x: readonly number[], shape: readonly number[]): readonly number[] {
  const own = stridesOf(x);
  const lead = shape.length - x.length;
  return shape.map((_, axis) => (axis < lead || x[axis - lead] === 1 ? 0 : own[axis - lead]!));
}

export function broadcastTo(x: DoubleArray, shape: readonly number[]): DoubleArray {
  return readStrided(x, shape, broadcastStrides(x.shape, shape));
}
