/**
 * The reference evaluator: the graph in double precision, clear rather than fast. Everything else that runs a model is
 * compared with it; it itself is checked against onnxruntime-web (tests/unit/model).
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { broadcastStrides, broadcastTo, type DoubleArray, walk } from "./evaluate/array.ts";
import { binaryFunction, unaryFunction } from "./evaluate/functions.ts";
import { concat, gather, pad, slice, transpose } from "./evaluate/movement.ts";
import { conv, gemm, matMul, pool } from "./evaluate/products.ts";
import { argMax, batchNormalization, reduce, softmax } from "./evaluate/reductions.ts";
import {
  elementCount,
  formatShape,
  type Graph,
  type GraphNode,
  inputsOf,
  type ValueId,
  type ValueInfo,
  valueInfo,
  withBatch,
} from "./graph.ts";
import { isIntegerDtype } from "./shapes.ts";

export type { DoubleArray } from "./evaluate/array.ts";

/** Input values by input name, row-major, `[records, …]` each. */
export interface Feeds {
  readonly records: number;
  readonly inputs: ReadonlyMap<string, ArrayLike<number>>;
}

/** Output values by output name. Throws `dataset_mismatch` when an input is missing or has another length. */
export function evaluate(graph: Graph, feeds: Feeds): Map<string, DoubleArray> {
  const values = evaluateValues(
    graph,
    feeds,
    graph.outputs.map((output) => output.id),
  );
  return new Map(graph.outputs.map((output) => [output.name, values.get(output.id)!]));
}

/** The values with the given ids, e.g. what flows into each activation. Only what they need is computed. */
export function evaluateValues(graph: Graph, feeds: Feeds, wanted: readonly ValueId[]): Map<ValueId, DoubleArray> {
  const values = new Map<ValueId, DoubleArray>();
  for (const input of graph.inputs) values.set(input.id, readFeed(input, feeds));
  for (const [id, tensor] of graph.constants) {
    values.set(id, { shape: tensor.shape, data: Float64Array.from(tensor.data) });
  }
  const needed = ancestors(graph, wanted);
  for (const node of graph.nodes) {
    if (!needed.has(node.output)) continue;
    const inputs = inputsOf(node).map((id) => values.get(id)!);
    const { dtype, shape } = valueInfo(graph, node.output);
    values.set(node.output, evaluateNode(node, inputs, withBatch(shape, feeds.records), dtype));
  }
  return new Map(wanted.map((id) => [id, values.get(id)!]));
}

/** One node: `inputs` in the order of `inputsOf`, `shape` and `dtype` those of its output. */
export function evaluateNode(
  node: GraphNode,
  inputs: readonly DoubleArray[],
  shape: readonly number[],
  dtype: ValueInfo["dtype"],
): DoubleArray {
  const x = inputs[0]!;
  switch (node.op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "pow":
    case "maximum":
    case "minimum":
      return binary(binaryFunction(node.op, isIntegerDtype(dtype)), x, inputs[1]!, shape);
    case "matMul":
      return matMul(x, inputs[1]!, shape);
    case "gemm":
      return gemm(node, x, inputs[1]!, inputs[2], shape);
    case "conv":
      return conv(node, x, inputs[1]!, inputs[2], shape);
    case "averagePool":
    case "maxPool":
      return pool(node, x, shape);
    case "batchNormalization":
      return batchNormalization(node, x, {
        scale: inputs[1]!,
        bias: inputs[2]!,
        mean: inputs[3]!,
        variance: inputs[4]!,
      });
    case "reduceMean":
    case "reduceSum":
    case "reduceMax":
    case "reduceMin":
    case "reduceProd":
      return reduce(node, x, shape);
    case "softmax":
    case "logSoftmax":
      return softmax(node, x);
    case "argMax":
      return argMax(node, x, shape);
    case "reshape":
      return { shape, data: x.data };
    case "transpose":
      return transpose(node, x, shape);
    case "concat":
      return concat(node, inputs, shape);
    case "slice":
      return slice(node, x, shape);
    case "gather":
      return gather(node, x, shape);
    case "pad":
      return pad(node, x, shape);
    case "expand":
      return broadcastTo(x, shape);
    case "cast":
      return { shape, data: castData(x.data, node.to) };
    default:
      return { shape, data: x.data.map(unaryFunction(node)) };
  }
}

// ---------------------------------------------------------------- helpers

function readFeed(input: Graph["inputs"][number], feeds: Feeds): DoubleArray {
  const shape = withBatch(input.shape, feeds.records);
  const values = feeds.inputs.get(input.name);
  if (values?.length !== elementCount(shape)) {
    const found = values === undefined ? "nothing" : `${values.length} values`;
    throw new FluxError(
      "dataset_mismatch",
      `The model's input "${input.name}" needs ${formatShape(shape)} = ${elementCount(shape)} values, got ${found}. Map the dataset's columns to this input.`,
      { param: input.name },
    );
  }
  return { shape, data: Float64Array.from(values) };
}

/** The node outputs that the wanted values depend on, themselves included. */
function ancestors(graph: Graph, wanted: readonly ValueId[]): ReadonlySet<ValueId> {
  const needed = new Set<ValueId>(wanted);
  for (const node of graph.nodes.toReversed()) {
    if (needed.has(node.output)) for (const id of inputsOf(node)) needed.add(id);
  }
  return needed;
}

function binary(
  combine: (a: number, b: number) => number,
  a: DoubleArray,
  b: DoubleArray,
  shape: readonly number[],
): DoubleArray {
  const data = new Float64Array(elementCount(shape));
  walk(shape, broadcastStrides(a.shape, shape), 0, (to, from) => {
    data[to] = a.data[from]!;
  });
  walk(shape, broadcastStrides(b.shape, shape), 0, (to, from) => {
    data[to] = combine(data[to]!, b.data[from]!);
  });
  return { shape, data };
}

function castData(data: Float64Array, to: ValueInfo["dtype"]): Float64Array {
  switch (to) {
    case "bool":
      return data.map((value) => (value === 0 ? 0 : 1));
    case "float64":
      return data;
    case "float32":
      return data.map(Math.fround);
    case "float16":
      return data.map((value) => roundBinary(value, 10, -14, 65504));
    case "bfloat16":
      return data.map((value) => roundBinary(value, 7, -126, 255 * 2 ** 120));
    default:
      return data.map(Math.trunc);
  }
}

/** The nearest number with so many fraction bits (ties to even), subnormal below 2^minExponent, infinite beyond `largest`. */
function roundBinary(value: number, fractionBits: number, minExponent: number, largest: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const exponent = Math.max(minExponent, Math.floor(Math.log2(Math.abs(value))));
  const unit = 2 ** (exponent - fractionBits);
  const steps = value / unit;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  const rounded = (floor + Number(up)) * unit;
  return Math.abs(rounded) > largest ? Math.sign(value) * Number.POSITIVE_INFINITY : rounded;
}
