/** Operators that move values without arithmetic. */
import { elementCount, type GraphNode, stridesOf } from "../graph.ts";
import { type DoubleArray, readStrided, walk } from "./array.ts";

type NodeOf<Op extends GraphNode["op"]> = Extract<GraphNode, { op: Op }>;

export function transpose(node: NodeOf<"transpose">, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const strides = stridesOf(x.shape);
  return readStrided(
    x,
    shape,
    node.perm.map((axis) => strides[axis]!),
  );
}

export function slice(node: NodeOf<"slice">, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const strides = stridesOf(x.shape);
  const start = strides.reduce((sum, stride, axis) => sum + stride * node.starts[axis]!, 0);
  return readStrided(
    x,
    shape,
    strides.map((stride, axis) => stride * node.steps[axis]!),
    start,
  );
}

export function gather(node: NodeOf<"gather">, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const inner = elementCount(x.shape.slice(node.axis + 1));
  const length = x.shape[node.axis]!;
  const outer = elementCount(x.shape.slice(0, node.axis));
  const data = new Float64Array(elementCount(shape));
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const index of node.indices) {
      const from = (block * length + index) * inner;
      data.set(x.data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return { shape, data };
}

export function concat(node: NodeOf<"concat">, inputs: readonly DoubleArray[], shape: readonly number[]): DoubleArray {
  const outer = elementCount(shape.slice(0, node.axis));
  const data = new Float64Array(elementCount(shape));
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const input of inputs) {
      const run = elementCount(input.shape.slice(node.axis));
      data.set(input.data.subarray(block * run, (block + 1) * run), to);
      to += run;
    }
  }
  return { shape, data };
}

export function pad(node: NodeOf<"pad">, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const strides = stridesOf(x.shape);
  const outStrides = stridesOf(shape);
  const data = new Float64Array(elementCount(shape));
  walk(shape, outStrides, 0, (to) => {
    let from = 0;
    for (let axis = 0; axis < shape.length && from >= 0; axis++) {
      const at = (Math.floor(to / outStrides[axis]!) % shape[axis]!) - node.before[axis]!;
      const source = paddedIndex(at, x.shape[axis]!, node.mode);
      from = source < 0 ? -1 : from + source * strides[axis]!;
    }
    data[to] = from < 0 ? node.value : x.data[from]!;
  });
  return { shape, data };
}

/** Where position `at` (may be outside 0…length−1) reads from; −1 is the pad value. */
function paddedIndex(at: number, length: number, mode: NodeOf<"pad">["mode"]): number {
  if (at >= 0 && at < length) return at;
  switch (mode) {
    case "constant":
      return -1;
    case "edge":
      return at < 0 ? 0 : length - 1;
    case "reflect":
      return at < 0 ? -at : 2 * (length - 1) - at;
  }
}
