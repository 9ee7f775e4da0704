/**
 * Linear operators as maps over the elements of their input, for one record: row i lists which elements make output element i.
 * Shapes here are those of one record with its leading batch axis of 1.
 */
import { type DoubleArray, walk } from "#lib/model/evaluate/array.ts";
import {
  type ConvNode,
  elementCount,
  type GemmNode,
  type PoolNode,
  type ReduceNode,
  stridesOf,
  type Window,
} from "#lib/model/graph.ts";
import { poolDivisor } from "#lib/model/window.ts";
import { type Forms, FormsBuilder } from "./forms.ts";

type Dims = readonly number[];

/** x `[1, C, …]`, weights `[M, C/groups, …kernel]` → `[1, M, …]`. */
export function convMap(
  node: ConvNode,
  x: Dims,
  weights: DoubleArray,
  bias: DoubleArray | undefined,
  out: Dims,
): Forms {
  const builder = new FormsBuilder();
  const channelsPerGroup = weights.shape[1]!;
  const mapsPerGroup = weights.shape[0]! / node.groups;
  const kernelSize = elementCount(node.window.kernel);
  const xStrides = stridesOf(x);
  const positions = windowPositions(node.window, x.slice(2), out.slice(2));
  for (let map = 0; map < out[1]!; map++) {
    const firstChannel = Math.floor(map / mapsPerGroup) * channelsPerGroup;
    for (const taps of positions) {
      for (let c = 0; c < channelsPerGroup; c++) {
        const channelStart = (firstChannel + c) * xStrides[1]!;
        for (const { tap, offset } of taps.inside) {
          builder.add(channelStart + offset, weights.data[(map * channelsPerGroup + c) * kernelSize + tap]!);
        }
      }
      builder.endRow(bias?.data[map] ?? 0);
    }
  }
  return builder.finish();
}

/** x `[1, C, …]` → `[1, C, …]`. */
export function averagePoolMap(node: PoolNode, x: Dims, out: Dims): Forms {
  const builder = new FormsBuilder();
  const channelStride = stridesOf(x)[1]!;
  const spatial = x.slice(2);
  const positions = windowPositions(node.window, spatial, out.slice(2));
  for (let channel = 0; channel < out[1]!; channel++) {
    for (const { at, inside } of positions) {
      const divisor = poolDivisor(node.window, node.countIncludePad, spatial, at);
      for (const { offset } of inside) builder.add(channel * channelStride + offset, 1 / divisor);
      builder.endRow(0);
    }
  }
  return builder.finish();
}

/** Mean or sum over `axes`. */
export function reduceMap(node: ReduceNode, x: Dims): Forms {
  const reduced = new Set(node.axes);
  const kept = x.map((length, axis) => (reduced.has(axis) ? 1 : length));
  const toStrides = stridesOf(kept).map((stride, axis) => (reduced.has(axis) ? 0 : stride));
  const members: number[][] = Array.from({ length: elementCount(kept) }, () => []);
  walk(x, toStrides, 0, (from, to) => members[to]!.push(from));
  const builder = new FormsBuilder();
  for (const list of members) {
    for (const element of list) builder.add(element, node.op === "reduceMean" ? 1 / list.length : 1);
    builder.endRow(0);
  }
  return builder.finish();
}

/** NumPy's matmul with one fixed side; `fixedSide` says which. Shapes are those given to the operator (vectors not yet promoted). */
export function matMulMap(x: Dims, fixed: DoubleArray, fixedSide: "a" | "b"): Forms {
  const [a, b] = fixedSide === "b" ? [x, fixed.shape] : [fixed.shape, x];
  const aDims = a.length === 1 ? [1, ...a] : a;
  const bDims = b.length === 1 ? [...b, 1] : b;
  const [rows, inner] = aDims.slice(-2) as [number, number];
  const columns = bDims.at(-1)!;
  const lead = broadcastLead(aDims.slice(0, -2), bDims.slice(0, -2));
  const aStrides = leadStrides(aDims, lead);
  const bStrides = leadStrides(bDims, lead);
  const builder = new FormsBuilder();
  const aOffsets: number[] = [];
  const bOffsets: number[] = [];
  walk(lead, aStrides, 0, (_, offset) => aOffsets.push(offset));
  walk(lead, bStrides, 0, (_, offset) => bOffsets.push(offset));
  aOffsets.forEach((aStart, batch) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let k = 0; k < inner; k++) {
          const aAt = aStart + row * inner + k;
          const bAt = bOffsets[batch]! + k * columns + column;
          if (fixedSide === "b") builder.add(aAt, fixed.data[bAt]!);
          else builder.add(bAt, fixed.data[aAt]!);
        }
        builder.endRow(0);
      }
    }
  });
  return builder.finish();
}

/** alpha · x · B' + beta · c for x `[1, K]`. */
export function gemmMap(node: GemmNode, b: DoubleArray, c: DoubleArray | undefined): Forms {
  const [rows, columns] = b.shape as [number, number];
  const [inner, outputs] = node.transB ? [columns, rows] : [rows, columns];
  const builder = new FormsBuilder();
  for (let m = 0; m < outputs; m++) {
    for (let k = 0; k < inner; k++) {
      builder.add(k, node.alpha * b.data[node.transB ? m * columns + k : k * columns + m]!);
    }
    const bias = c === undefined ? 0 : c.data[c.data.length === 1 ? 0 : m]!;
    builder.endRow(node.beta * bias);
  }
  return builder.finish();
}

interface WindowTaps {
  readonly at: Dims;
  /** Taps inside the input: their number in the kernel and their offset within a channel. */
  readonly inside: readonly { readonly tap: number; readonly offset: number }[];
}

function windowPositions(window: Window, spatial: Dims, out: Dims): WindowTaps[] {
  const strides = stridesOf(spatial);
  const taps = indices(window.kernel);
  return indices(out).map((at) => {
    const inside: { tap: number; offset: number }[] = [];
    taps.forEach((kernelAt, tap) => {
      let offset = 0;
      for (let axis = 0; axis < spatial.length; axis++) {
        const position =
          at[axis]! * window.strides[axis]! - window.padsBegin[axis]! + kernelAt[axis]! * window.dilations[axis]!;
        if (position < 0 || position >= spatial[axis]!) return;
        offset += position * strides[axis]!;
      }
      inside.push({ tap, offset });
    });
    return { at, inside };
  });
}

/** All index tuples of a shape, row-major. */
function indices(shape: Dims): Dims[] {
  return shape.reduce<number[][]>(
    (tuples, length) => tuples.flatMap((tuple) => Array.from({ length }, (_, i) => [...tuple, i])),
    [[]],
  );
}

function broadcastLead(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  const at = (dims: Dims, axis: number) => dims[axis - rank + dims.length] ?? 1;
  return Array.from({ length: rank }, (_, axis) => Math.max(at(a, axis), at(b, axis)));
}

/** Element strides of the leading axes of `dims`, broadcast to `lead`. */
function leadStrides(dims: Dims, lead: Dims): Dims {
  const own = stridesOf(dims);
  const missing = lead.length - (dims.length - 2);
  return lead.map((_, axis) => (axis < missing || dims[axis - missing] === 1 ? 0 : own[axis - missing]!));
}
