/** Operators that look along axes: reductions, softmax, argmax, batch normalization. */
import { elementCount, type GraphNode, stridesOf } from "../graph.ts";
import { type DoubleArray, walk } from "./array.ts";

type NodeOf<Op extends GraphNode["op"]> = Extract<GraphNode, { op: Op }>;
type ReduceOp = "reduceMean" | "reduceSum" | "reduceMax" | "reduceMin" | "reduceProd";

const FOLDS: {
  readonly [Op in ReduceOp]: { readonly start: number; readonly step: (a: number, b: number) => number };
} = {
  reduceMean: { start: 0, step: (a, b) => a + b },
  reduceSum: { start: 0, step: (a, b) => a + b },
  reduceMax: { start: Number.NEGATIVE_INFINITY, step: Math.max },
  reduceMin: { start: Number.POSITIVE_INFINITY, step: Math.min },
  reduceProd: { start: 1, step: (a, b) => a * b },
};

export function reduce(node: NodeOf<ReduceOp>, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const reduced = new Set(node.axes);
  const keptShape = x.shape.map((length, axis) => (reduced.has(axis) ? 1 : length));
  const keptStrides = stridesOf(keptShape).map((stride, axis) => (reduced.has(axis) ? 0 : stride));
  const { start, step } = FOLDS[node.op];
  const data = new Float64Array(elementCount(shape)).fill(start);
  walk(x.shape, keptStrides, 0, (from, to) => {
    data[to] = step(data[to]!, x.data[from]!);
  });
  if (node.op !== "reduceMean") return { shape, data };
  const count = x.data.length / data.length;
  return { shape, data: data.map((sum) => sum / count) };
}

/** Calls `visit` with the first offset of every run along `axis`; neighbours of a run are `stride` apart. */
function alongAxis(
  x: DoubleArray,
  axis: number,
  visit: (start: number, stride: number, length: number, run: number) => void,
): void {
  const length = x.shape[axis]!;
  const stride = elementCount(x.shape.slice(axis + 1));
  const runs = length === 0 ? 0 : x.data.length / length;
  for (let run = 0; run < runs; run++) {
    visit(Math.floor(run / stride) * length * stride + (run % stride), stride, length, run);
  }
}

export function softmax(node: NodeOf<"softmax" | "logSoftmax">, x: DoubleArray): DoubleArray {
  const data = new Float64Array(x.data.length);
  alongAxis(x, node.axis, (start, stride, length) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < length; i++) largest = Math.max(largest, x.data[start + i * stride]!);
    let sum = 0;
    for (let i = 0; i < length; i++) sum += Math.exp(x.data[start + i * stride]! - largest);
    for (let i = 0; i < length; i++) {
      const shifted = x.data[start + i * stride]! - largest;
      data[start + i * stride] = node.op === "softmax" ? Math.exp(shifted) / sum : shifted - Math.log(sum);
    }
  });
  return { shape: x.shape, data };
}

export function argMax(node: NodeOf<"argMax">, x: DoubleArray, shape: readonly number[]): DoubleArray {
  const data = new Float64Array(elementCount(shape));
  alongAxis(x, node.axis, (start, stride, length, run) => {
    let best = 0;
    for (let i = 1; i < length; i++) {
      const value = x.data[start + i * stride]!;
      const record = x.data[start + best * stride]!;
      if (node.selectLast ? value >= record : value > record) best = i;
    }
    data[run] = best;
  });
  return { shape, data };
}

export function batchNormalization(
  node: NodeOf<"batchNormalization">,
  x: DoubleArray,
  parameters: { scale: DoubleArray; bias: DoubleArray; mean: DoubleArray; variance: DoubleArray },
): DoubleArray {
  const { scale, bias, mean, variance } = parameters;
  const inner = elementCount(x.shape.slice(node.axis + 1));
  const channels = x.shape[node.axis]!;
  const data = x.data.map((value, offset) => {
    const c = Math.floor(offset / inner) % channels;
    return (scale.data[c]! * (value - mean.data[c]!)) / Math.sqrt(variance.data[c]! + node.epsilon) + bias.data[c]!;
  });
  return { shape: x.shape, data };
}
