/** Matrix products, convolutions and pooling in double precision. */
import { elementCount, type GraphNode, stridesOf, type Window } from "../graph.ts";
import { poolDivisor } from "../window.ts";
import { broadcastStrides, type DoubleArray, readStrided, walk } from "./array.ts";

/** `[…, rows, inner]` × `[…, inner, columns]` → `shape`; vectors are promoted as NumPy does. */
export function matMul(a: DoubleArray, b: DoubleArray, shape: readonly number[]): DoubleArray {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const rows = left[left.length - 2]!;
  const inner = left[left.length - 1]!;
  const columns = right[right.length - 1]!;
  const lead = shape.slice(0, shape.length - (a.shape.length > 1 ? 1 : 0) - (b.shape.length > 1 ? 1 : 0));
  const data = new Float64Array(elementCount(shape));
  // Offsets of the two matrices of each product of the batch, in units of one matrix.
  const leftStrides = broadcastStrides(left.slice(0, -2), lead);
  const rightStrides = broadcastStrides(right.slice(0, -2), lead);
  const rightOffsets = new Float64Array(elementCount(lead));
  walk(lead, rightStrides, 0, (product, offset) => {
    rightOffsets[product] = offset * inner * columns;
  });
  walk(lead, leftStrides, 0, (product, offset) => {
    const at = { a: offset * rows * inner, b: rightOffsets[product]!, out: product * rows * columns };
    multiplyInto(data, a.data, b.data, at, rows, inner, columns);
  });
  return { shape, data };
}

function multiplyInto(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  at: { a: number; b: number; out: number },
  rows: number,
  inner: number,
  columns: number,
): void {
  for (let row = 0; row < rows; row++) {
    const outRow = at.out + row * columns;
    for (let k = 0; k < inner; k++) {
      const factor = a[at.a + row * inner + k]!;
      if (factor === 0) continue;
      const bRow = at.b + k * columns;
      for (let column = 0; column < columns; column++) out[outRow + column]! += factor * b[bRow + column]!;
    }
  }
}

/** The two axes of a matrix swapped. */
export function transposeMatrix(x: DoubleArray): DoubleArray {
  const [rows, columns] = [x.shape[0]!, x.shape[1]!];
  return readStrided(x, [columns, rows], [1, columns]);
}

export function gemm(
  node: Extract<GraphNode, { op: "gemm" }>,
  a: DoubleArray,
  b: DoubleArray,
  c: DoubleArray | undefined,
  shape: readonly number[],
): DoubleArray {
  const product = matMul(node.transA ? transposeMatrix(a) : a, node.transB ? transposeMatrix(b) : b, shape);
  const data = product.data.map((value) => value * node.alpha);
  if (c) {
    walk(shape, broadcastStrides(c.shape, shape), 0, (to, from) => {
      data[to]! += node.beta * c.data[from]!;
    });
  }
  return { shape, data };
}

/** Cross-correlation over any number of spatial axes; see ConvNode for the shapes. */
export function conv(
  node: Extract<GraphNode, { op: "conv" }>,
  x: DoubleArray,
  weights: DoubleArray,
  bias: DoubleArray | undefined,
  shape: readonly number[],
): DoubleArray {
  const [batch, channels] = [x.shape[0]!, x.shape[1]!];
  const [filters, groupChannels] = [weights.shape[0]!, weights.shape[1]!];
  const groupFilters = filters / node.groups;
  const inputSize = elementCount(x.shape.slice(2));
  const kernelSize = elementCount(weights.shape.slice(2));
  const positions = elementCount(shape.slice(2));
  const taps = windowTaps(node.window, x.shape.slice(2), shape.slice(2));
  const data = new Float64Array(elementCount(shape));
  for (let record = 0; record < batch; record++) {
    for (let filter = 0; filter < filters; filter++) {
      const out = (record * filters + filter) * positions;
      data.fill(bias ? bias.data[filter]! : 0, out, out + positions);
      const firstChannel = Math.floor(filter / groupFilters) * groupChannels;
      for (let channel = 0; channel < groupChannels; channel++) {
        const input = (record * channels + firstChannel + channel) * inputSize;
        const kernel = (filter * groupChannels + channel) * kernelSize;
        for (let position = 0; position < positions; position++) {
          let sum = 0;
          for (let tap = 0; tap < kernelSize; tap++) {
            const from = taps[position * kernelSize + tap]!;
            if (from >= 0) sum += x.data[input + from]! * weights.data[kernel + tap]!;
          }
          data[out + position]! += sum;
        }
      }
    }
  }
  return { shape, data };
}

export function pool(
  node: Extract<GraphNode, { op: "averagePool" | "maxPool" }>,
  x: DoubleArray,
  shape: readonly number[],
): DoubleArray {
  const spatial = x.shape.slice(2);
  const inputSize = elementCount(spatial);
  const positions = elementCount(shape.slice(2));
  const kernelSize = elementCount(node.window.kernel);
  const taps = windowTaps(node.window, spatial, shape.slice(2));
  const divisors = divisorsOf(node, spatial, shape.slice(2));
  const data = new Float64Array(elementCount(shape));
  for (let plane = 0; plane < shape[0]! * shape[1]!; plane++) {
    for (let position = 0; position < positions; position++) {
      let sum = 0;
      let largest = Number.NEGATIVE_INFINITY;
      for (let tap = 0; tap < kernelSize; tap++) {
        const from = taps[position * kernelSize + tap]!;
        if (from < 0) continue;
        const value = x.data[plane * inputSize + from]!;
        sum += value;
        largest = Math.max(largest, value);
      }
      data[plane * positions + position] = node.op === "maxPool" ? largest : sum / divisors[position]!;
    }
  }
  return { shape, data };
}

function divisorsOf(
  node: Extract<GraphNode, { op: "averagePool" | "maxPool" }>,
  spatial: readonly number[],
  outSpatial: readonly number[],
): Float64Array {
  const strides = stridesOf(outSpatial);
  return Float64Array.from({ length: elementCount(outSpatial) }, (_, position) => {
    const index = outSpatial.map((length, axis) => Math.floor(position / strides[axis]!) % length);
    return poolDivisor(node.window, node.countIncludePad, spatial, index);
  });
}

/** `[position][tap]` → offset inside one input plane, or −1 in the padding. Taps in the kernel's row-major order. */
export function windowTaps(window: Window, spatial: readonly number[], outSpatial: readonly number[]): Int32Array {
  const kernelStrides = stridesOf(window.kernel);
  const outStrides = stridesOf(outSpatial);
  const inStrides = stridesOf(spatial);
  const kernelSize = elementCount(window.kernel);
  const taps = new Int32Array(elementCount(outSpatial) * kernelSize);
  for (let entry = 0; entry < taps.length; entry++) {
    const position = Math.floor(entry / kernelSize);
    const tap = entry % kernelSize;
    let offset = 0;
    for (let axis = 0; axis < spatial.length && offset >= 0; axis++) {
      const outIndex = Math.floor(position / outStrides[axis]!) % outSpatial[axis]!;
      const kernelIndex = Math.floor(tap / kernelStrides[axis]!) % window.kernel[axis]!;
      const at = outIndex * window.strides[axis]! + kernelIndex * window.dilations[axis]! - window.padsBegin[axis]!;
      offset = at < 0 || at >= spatial[axis]! ? -1 : offset + at * inStrides[axis]!;
    }
    taps[entry] = offset;
  }
  return taps;
}
