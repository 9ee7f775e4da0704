/**
 * One row per case of an operator: the same file goes through importOnnx + the reference evaluator and through
 * onnxruntime-web, and all outputs must agree. The last test holds the table to the importer's list of operators.
 */
import { describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { elementCount } from "#lib/model/graph.ts";
import { importOnnx, ONNX_OPERATORS } from "#lib/model/onnx/import.ts";
import { relativeError, runOrt } from "../ort.ts";
import { type AttributeSpec, type ModelSpec, type NodeSpec, onnxFile, type TensorSpec, wave } from "./model-file.ts";

const RECORDS = 3;
const TOLERANCE = 2e-6;

interface Case {
  readonly name: string;
  readonly opset?: number;
  readonly nodes: readonly NodeSpec[];
  readonly initializers?: Readonly<Record<string, TensorSpec>>;
  /** Shape of input "x" behind the batch axis. */
  readonly x: readonly number[];
  readonly y?: readonly number[];
  readonly outputs?: readonly string[];
  /** onnxruntime's kernel for this has float32 error beyond rounding (e.g. its fast erf). */
  readonly tolerance?: number;
  /** What to feed instead of the wave. */
  readonly feed?: (index: number) => number;
}

const ints = (...data: number[]): TensorSpec => ({ dtype: "int64", shape: [data.length], data });
const int = (value: number): TensorSpec => ({ dtype: "int64", shape: [], data: [value] });
const scalar = (value: number): TensorSpec => ({ shape: [], data: [value] });
const weights = (...shape: number[]): TensorSpec => ({ shape, data: wave(elementCount(shape), shape.length) });
const positive = (...shape: number[]): TensorSpec => ({
  shape,
  data: wave(elementCount(shape)).map((v) => 0.5 + v * v),
});

/** A node from "x" (and more) to "out". */
function node(
  op: string,
  more: readonly string[] = [],
  attributes: Readonly<Record<string, AttributeSpec>> = {},
): NodeSpec {
  return { op, inputs: ["x", ...more], outputs: ["out"], attributes };
}

/** Operators of one input on a plain vector. */
const unary: readonly Case[] = [
  ...[
    "Neg",
    "Abs",
    "Exp",
    "Relu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Softsign",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Sin",
    "Cos",
  ].map((op): Case => ({ name: op, nodes: [node(op)], x: [4, 3], feed: (i) => ((i * 7) % 23) / 2 - 5 })),
  ...["Log", "Sqrt", "Reciprocal"].map(
    (op): Case => ({ name: op, nodes: [node(op)], x: [5], feed: (i) => 0.25 + ((i * 5) % 17) / 4 }),
  ),
  { name: "Erf", nodes: [node("Erf")], x: [7], feed: (i) => (i - 10) / 3 },
  { name: "HardSwish", nodes: [node("HardSwish")], x: [7], feed: (i) => (i - 10) / 2 },
  { name: "Mish", opset: 18, nodes: [node("Mish")], x: [7], feed: (i) => (i - 10) / 2 },
  { name: "LeakyRelu default", nodes: [node("LeakyRelu")], x: [6] },
  { name: "LeakyRelu alpha", nodes: [node("LeakyRelu", [], { alpha: { f: 0.3 } })], x: [6] },
  { name: "Elu", nodes: [node("Elu", [], { alpha: { f: 1.5 } })], x: [6] },
  { name: "Selu default", nodes: [node("Selu")], x: [6] },
  { name: "Selu", nodes: [node("Selu", [], { alpha: { f: 2 }, gamma: { f: 3 } })], x: [6] },
  { name: "HardSigmoid default", nodes: [node("HardSigmoid")], x: [6], feed: (i) => i - 8 },
  { name: "HardSigmoid", nodes: [node("HardSigmoid", [], { alpha: { f: 0.5 }, beta: { f: 0.6 } })], x: [6] },
  { name: "Gelu", opset: 20, nodes: [node("Gelu")], x: [9], feed: (i) => (i - 13) / 4 },
  {
    name: "Gelu tanh",
    opset: 20,
    nodes: [node("Gelu", [], { approximate: "tanh" })],
    x: [9],
    feed: (i) => (i - 13) / 4,
  },
  { name: "Clip attributes", opset: 7, nodes: [node("Clip", [], { min: { f: -0.3 }, max: { f: 0.4 } })], x: [6] },
  {
    name: "Clip both",
    nodes: [node("Clip", ["lo", "hi"])],
    initializers: { lo: scalar(-0.3), hi: scalar(0.4) },
    x: [6],
  },
  { name: "Clip low", nodes: [node("Clip", ["lo"])], initializers: { lo: scalar(-0.3) }, x: [6] },
  { name: "Clip high", nodes: [node("Clip", ["", "hi"])], initializers: { hi: scalar(0.2) }, x: [6] },
  {
    name: "PRelu one slope",
    nodes: [node("PRelu", ["s"])],
    initializers: { s: { shape: [1], data: [0.2] } },
    x: [3, 4],
  },
  { name: "PRelu per channel", nodes: [node("PRelu", ["s"])], initializers: { s: weights(3, 1) }, x: [3, 4] },
  {
    name: "Cast to int and back",
    nodes: [
      { ...node("Cast", [], { to: 7 }), outputs: ["i"] },
      { op: "Cast", inputs: ["i"], outputs: ["out"], attributes: { to: 1 } },
    ],
    x: [6],
    feed: (i) => (i - 9) * 0.7,
  },
  {
    name: "Cast to bool and back",
    nodes: [
      { ...node("Cast", [], { to: 9 }), outputs: ["i"] },
      { op: "Cast", inputs: ["i"], outputs: ["out"], attributes: { to: 1 } },
    ],
    x: [6],
    feed: (i) => i % 2,
  },
  { name: "Identity", nodes: [node("Identity")], x: [6] },
  { name: "Dropout", nodes: [node("Dropout", ["r"])], initializers: { r: scalar(0.5) }, x: [6] },
  { name: "Dropout attribute", opset: 7, nodes: [node("Dropout", [], { ratio: { f: 0.5 } })], x: [6] },
];

const arithmetic: readonly Case[] = [
  ...["Add", "Sub", "Mul", "Div"].flatMap((op): Case[] => [
    { name: `${op} two inputs`, nodes: [node(op, ["y"])], x: [2, 3], y: [2, 3] },
    { name: `${op} broadcast input`, nodes: [node(op, ["y"])], x: [2, 3], y: [1, 3] },
    { name: `${op} channel constant`, nodes: [node(op, ["c"])], initializers: { c: positive(4, 1, 1) }, x: [4, 2, 3] },
    {
      name: `${op} raises rank`,
      nodes: [
        { ...node(op, ["c"]), outputs: ["wide"] },
        { op: "Squeeze", inputs: ["wide", "axis"], outputs: ["out"] },
      ],
      initializers: { c: positive(1, 1, 3), axis: ints(0) },
      x: [3],
    },
    {
      name: `${op} constant first`,
      nodes: [{ op, inputs: ["c", "x"], outputs: ["out"] }],
      initializers: { c: scalar(2.5) },
      x: [3],
      feed: (i) => 1 + i,
    },
  ]),
  { name: "Pow 2", nodes: [node("Pow", ["c"])], initializers: { c: scalar(2) }, x: [5] },
  { name: "Pow 3", nodes: [node("Pow", ["c"])], initializers: { c: scalar(3) }, x: [5] },
  {
    name: "Pow tensor",
    nodes: [node("Pow", ["c"])],
    initializers: { c: weights(5) },
    x: [5],
    feed: (i) => 0.5 + i / 4,
  },
  { name: "Max", nodes: [node("Max", ["y", "c"])], initializers: { c: scalar(0.1) }, x: [5], y: [5] },
  { name: "Min", nodes: [node("Min", ["y", "c"])], initializers: { c: scalar(0.1) }, x: [5], y: [5] },
  { name: "Sum", nodes: [node("Sum", ["y", "c"])], initializers: { c: weights(5) }, x: [5], y: [5] },
  { name: "Mean", nodes: [node("Mean", ["y", "c"])], initializers: { c: weights(5) }, x: [5], y: [5] },
  { name: "Mean of one", nodes: [node("Mean")], x: [5] },
];

const linear: readonly Case[] = [
  { name: "MatMul", nodes: [node("MatMul", ["w"])], initializers: { w: weights(6, 4) }, x: [6] },
  { name: "MatMul batched", nodes: [node("MatMul", ["w"])], initializers: { w: weights(6, 4) }, x: [5, 6] },
  { name: "MatMul two inputs", nodes: [node("MatMul", ["y"])], x: [2, 5, 6], y: [2, 6, 3] },
  {
    name: "MatMul broadcast batch",
    nodes: [node("MatMul", ["w"])],
    initializers: { w: weights(2, 6, 3) },
    x: [1, 5, 6],
  },
  { name: "MatMul by vector", nodes: [node("MatMul", ["w"])], initializers: { w: weights(6) }, x: [5, 6] },
  {
    name: "MatMul weights first",
    nodes: [{ op: "MatMul", inputs: ["w", "x"], outputs: ["out"] }],
    initializers: { w: weights(4, 5) },
    x: [5, 6],
  },
  { name: "Gemm plain", nodes: [node("Gemm", ["w"])], initializers: { w: weights(6, 4) }, x: [6] },
  {
    name: "Gemm transB bias",
    nodes: [node("Gemm", ["w", "b"], { transB: 1 })],
    initializers: { w: weights(4, 6), b: weights(4) },
    x: [6],
  },
  {
    name: "Gemm alpha beta",
    nodes: [node("Gemm", ["w", "b"], { alpha: { f: 0.5 }, beta: { f: 2 } })],
    initializers: { w: weights(6, 4), b: weights(1, 4) },
    x: [6],
  },
  {
    name: "Gemm scalar bias",
    nodes: [node("Gemm", ["w", "b"])],
    initializers: { w: weights(6, 4), b: scalar(0.7) },
    x: [6],
  },
  {
    name: "Gemm transA of a transpose",
    nodes: [
      { ...node("Transpose", [], { perm: [1, 0] }), outputs: ["t"] },
      { op: "Gemm", inputs: ["t", "w"], outputs: ["out"], attributes: { transA: 1 } },
    ],
    initializers: { w: weights(6, 4) },
    x: [6],
  },
  {
    name: "Conv 2-D",
    nodes: [node("Conv", ["w", "b"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
    initializers: { w: weights(4, 2, 3, 3), b: weights(4) },
    x: [2, 6, 5],
  },
  {
    name: "Conv strides dilations",
    nodes: [node("Conv", ["w"], { strides: [2, 1], dilations: [1, 2], pads: [0, 2, 1, 0] })],
    initializers: { w: weights(3, 2, 3, 2) },
    x: [2, 8, 7],
  },
  {
    name: "Conv groups",
    nodes: [node("Conv", ["w", "b"], { group: 2 })],
    initializers: { w: weights(6, 2, 2, 2), b: weights(6) },
    x: [4, 5, 5],
  },
  {
    name: "Conv depthwise",
    nodes: [node("Conv", ["w"], { group: 3 })],
    initializers: { w: weights(6, 1, 3, 3) },
    x: [3, 5, 5],
  },
  {
    name: "Conv 1-D",
    nodes: [node("Conv", ["w", "b"], { strides: [2], pads: [2, 1] })],
    initializers: { w: weights(5, 3, 4), b: weights(5) },
    x: [3, 11],
  },
  {
    name: "Conv SAME_UPPER",
    nodes: [node("Conv", ["w"], { auto_pad: "SAME_UPPER", strides: [2, 2] })],
    initializers: { w: weights(2, 1, 3, 2) },
    x: [1, 6, 7],
  },
  {
    name: "Conv SAME_LOWER",
    nodes: [node("Conv", ["w"], { auto_pad: "SAME_LOWER", strides: [2, 2] })],
    initializers: { w: weights(2, 1, 3, 2) },
    x: [1, 6, 7],
  },
  {
    name: "Conv VALID",
    nodes: [node("Conv", ["w"], { auto_pad: "VALID" })],
    initializers: { w: weights(2, 1, 3, 2) },
    x: [1, 6, 7],
  },
  { name: "AveragePool", nodes: [node("AveragePool", [], { kernel_shape: [2, 2], strides: [2, 2] })], x: [3, 6, 4] },
  {
    name: "AveragePool padded",
    nodes: [node("AveragePool", [], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })],
    x: [2, 5, 5],
  },
  {
    name: "AveragePool counts padding",
    nodes: [
      node("AveragePool", [], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 }),
    ],
    x: [2, 5, 5],
  },
  {
    name: "AveragePool ceil",
    opset: 19,
    nodes: [node("AveragePool", [], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })],
    x: [2, 6, 8],
  },
  {
    name: "AveragePool ceil counts padding",
    opset: 19,
    nodes: [
      node("AveragePool", [], {
        kernel_shape: [3, 3],
        strides: [2, 2],
        pads: [1, 1, 1, 1],
        ceil_mode: 1,
        count_include_pad: 1,
      }),
    ],
    x: [2, 6, 8],
  },
  {
    name: "AveragePool SAME_UPPER",
    nodes: [node("AveragePool", [], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_UPPER" })],
    x: [2, 5, 5],
  },
  {
    name: "AveragePool dilated",
    opset: 19,
    nodes: [node("AveragePool", [], { kernel_shape: [2, 2], dilations: [2, 2] })],
    x: [1, 5, 6],
  },
  { name: "AveragePool 1-D", nodes: [node("AveragePool", [], { kernel_shape: [3], strides: [2] })], x: [2, 9] },
  {
    name: "MaxPool",
    nodes: [node("MaxPool", [], { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 1, 1, 0] })],
    x: [2, 5, 5],
  },
  {
    name: "MaxPool dilated ceil",
    nodes: [node("MaxPool", [], { kernel_shape: [2, 2], strides: [2, 2], dilations: [2, 1], ceil_mode: 1 })],
    x: [2, 6, 7],
  },
  { name: "GlobalAveragePool", nodes: [node("GlobalAveragePool")], x: [3, 4, 5] },
  { name: "GlobalAveragePool 1-D", nodes: [node("GlobalAveragePool")], x: [3, 4] },
  { name: "GlobalMaxPool", nodes: [node("GlobalMaxPool")], x: [3, 4, 5] },
  {
    name: "BatchNormalization",
    nodes: [node("BatchNormalization", ["s", "b", "m", "v"], { epsilon: { f: 1e-3 } })],
    initializers: { s: weights(3), b: weights(3), m: weights(3), v: positive(3) },
    x: [3, 4, 2],
  },
  {
    name: "BatchNormalization rank 2",
    opset: 9,
    nodes: [node("BatchNormalization", ["s", "b", "m", "v"], { momentum: { f: 0.9 } })],
    initializers: { s: weights(3), b: weights(3), m: weights(3), v: positive(3) },
    x: [3],
  },
];

const movement: readonly Case[] = [
  { name: "Flatten", nodes: [node("Flatten")], x: [2, 3, 4] },
  { name: "Flatten axis -1", nodes: [node("Flatten", [], { axis: -1 })], x: [6] },
  { name: "Reshape -1 batch", nodes: [node("Reshape", ["s"])], initializers: { s: ints(-1, 4, 6) }, x: [2, 3, 4] },
  { name: "Reshape 0 and -1", nodes: [node("Reshape", ["s"])], initializers: { s: ints(0, 3, -1) }, x: [2, 3, 4] },
  { name: "Transpose", nodes: [node("Transpose", [], { perm: [0, 3, 1, 2] })], x: [2, 3, 4] },
  { name: "Squeeze axes attribute", opset: 11, nodes: [node("Squeeze", [], { axes: [1, -1] })], x: [1, 3, 1] },
  { name: "Squeeze axes input", nodes: [node("Squeeze", ["a"])], initializers: { a: ints(2) }, x: [3, 1, 2] },
  { name: "Unsqueeze attribute", opset: 11, nodes: [node("Unsqueeze", [], { axes: [1, 3] })], x: [3, 2] },
  { name: "Unsqueeze input", nodes: [node("Unsqueeze", ["a"])], initializers: { a: ints(-1) }, x: [3, 2] },
  { name: "Concat", nodes: [node("Concat", ["y"], { axis: 1 })], x: [2, 3], y: [4, 3] },
  { name: "Concat last axis", nodes: [node("Concat", ["y", "x"], { axis: -1 })], x: [2, 3], y: [2, 1] },
  {
    name: "Slice attributes",
    opset: 9,
    nodes: [node("Slice", [], { starts: [1, 0], ends: [3, -1], axes: [1, 2] })],
    x: [4, 5],
  },
  {
    name: "Slice steps",
    nodes: [node("Slice", ["s", "e", "a", "t"])],
    initializers: { s: ints(0, -1), e: ints(9, -100), a: ints(1, 2), t: ints(2, -2) },
    x: [5, 6],
  },
  {
    name: "Slice whole batch",
    nodes: [node("Slice", ["s", "e"])],
    initializers: { s: ints(0, 1), e: ints(2 ** 62, 3) },
    x: [5, 2],
  },
  {
    name: "Slice int max",
    nodes: [node("Slice", ["s", "e", "a"])],
    initializers: { s: ints(-2), e: ints(2147483647), a: ints(-1) },
    x: [5, 4],
  },
  {
    name: "Split equal",
    nodes: [{ ...node("Split", [], { axis: 1 }), outputs: ["out", "b"] }],
    x: [6, 2],
    outputs: ["out", "b"],
  },
  {
    name: "Split input",
    nodes: [{ ...node("Split", ["s"], { axis: -1 }), outputs: ["out", "b", "c"] }],
    initializers: { s: ints(1, 3, 2) },
    x: [2, 6],
    outputs: ["out", "b", "c"],
  },
  {
    name: "Split attribute",
    opset: 11,
    nodes: [{ ...node("Split", [], { axis: 1, split: [4, 2] }), outputs: ["out", "b"] }],
    x: [6],
    outputs: ["out", "b"],
  },
  {
    name: "Split num_outputs",
    opset: 18,
    nodes: [{ ...node("Split", [], { axis: 1, num_outputs: 3 }), outputs: ["out", "b", "c"] }],
    x: [7],
    outputs: ["out", "b", "c"],
  },
  {
    name: "Gather vector",
    nodes: [node("Gather", ["i"], { axis: 1 })],
    initializers: { i: ints(2, 0, -1) },
    x: [4, 3],
  },
  { name: "Gather scalar", nodes: [node("Gather", ["i"], { axis: 2 })], initializers: { i: int(1) }, x: [4, 3] },
  {
    name: "Gather matrix",
    nodes: [node("Gather", ["i"], { axis: 1 })],
    initializers: { i: { dtype: "int64", shape: [2, 2], data: [0, 1, 2, 3] } },
    x: [4, 3],
  },
  {
    name: "Pad constant",
    nodes: [node("Pad", ["p", "v"])],
    initializers: { p: ints(0, 1, 2, 0, 0, 1), v: scalar(0.5) },
    x: [3, 4],
  },
  {
    name: "Pad reflect",
    nodes: [node("Pad", ["p"], { mode: "reflect" })],
    initializers: { p: ints(0, 1, 2, 0, 1, 3) },
    x: [3, 4],
  },
  {
    name: "Pad edge",
    nodes: [node("Pad", ["p"], { mode: "edge" })],
    initializers: { p: ints(0, 1, 2, 0, 0, 3) },
    x: [3, 4],
  },
  { name: "Pad attributes", opset: 10, nodes: [node("Pad", [], { pads: [0, 1, 0, 1], value: { f: -1 } })], x: [3] },
  { name: "Pad crops", nodes: [node("Pad", ["p"])], initializers: { p: ints(0, -1, 0, 2) }, x: [4] },
  {
    name: "Pad axes",
    opset: 18,
    nodes: [node("Pad", ["p", "", "a"])],
    initializers: { p: ints(1, 2), a: ints(-1) },
    x: [3, 2],
  },
  { name: "Expand", nodes: [node("Expand", ["s"])], initializers: { s: ints(1, 4, 3) }, x: [1, 3] },
];

const reductions: readonly Case[] = [
  ...["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare", "ReduceL1", "ReduceL2"].flatMap(
    (op): Case[] => [
      { name: `${op} attribute`, nodes: [node(op, [], { axes: [1, -1], keepdims: 1 })], x: [3, 2, 4] },
      {
        name: `${op} input`,
        opset: 18,
        nodes: [node(op, ["a"], { keepdims: 0 })],
        initializers: { a: ints(2) },
        x: [3, 4],
      },
    ],
  ),
  {
    name: "ReduceSum input",
    nodes: [node("ReduceSum", ["a"], { keepdims: 0 })],
    initializers: { a: ints(1, 2) },
    x: [3, 4],
  },
  { name: "ReduceSum attribute", opset: 11, nodes: [node("ReduceSum", [], { axes: [-1] })], x: [3, 4] },
  { name: "ReduceSum no axes is nothing", nodes: [node("ReduceSum", [], { noop_with_empty_axes: 1 })], x: [3, 4] },
  { name: "Softmax", nodes: [node("Softmax")], x: [2, 5] },
  { name: "Softmax axis", nodes: [node("Softmax", [], { axis: 1 })], x: [4, 5] },
  { name: "Softmax old flattens", opset: 11, nodes: [node("Softmax", [], { axis: 1 })], x: [4, 5] },
  { name: "LogSoftmax", nodes: [node("LogSoftmax")], x: [6] },
  { name: "ArgMax", nodes: [node("ArgMax", [], { axis: 1, keepdims: 0 })], x: [7] },
  { name: "ArgMax ties first", nodes: [node("ArgMax", [], { axis: 1 })], x: [7], feed: (i) => i % 3 },
  {
    name: "ArgMax ties last",
    nodes: [node("ArgMax", [], { axis: -1, select_last_index: 1 })],
    x: [7],
    feed: (i) => i % 3,
  },
  { name: "ArgMin", nodes: [node("ArgMin", [], { axis: 1, keepdims: 0 })], x: [7, 2] },
];

/** Shape arithmetic as exporters write it. */
const sizes: readonly Case[] = [
  {
    name: "x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, Reshape",
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["shape"] },
      { op: "Constant", inputs: [], outputs: ["zero"], attributes: { value: { tensor: int(0) } } },
      { op: "Gather", inputs: ["shape", "zero"], outputs: ["batch"], attributes: { axis: 0 } },
      { op: "Unsqueeze", inputs: ["batch", "axes"], outputs: ["batch1"] },
      { op: "Concat", inputs: ["batch1", "minus"], outputs: ["target"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "target"], outputs: ["out"] },
    ],
    initializers: { axes: ints(0), minus: ints(-1) },
    x: [2, 3, 4],
  },
  {
    name: "x.reshape(x.shape[0], x.shape[1], h * w): Slice, Mul, Cast",
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["shape"] },
      { op: "Slice", inputs: ["shape", "two", "four"], outputs: ["hw"] },
      { op: "ReduceProd", inputs: ["hw"], outputs: ["area"], attributes: { axes: [0], keepdims: 1 } },
      { op: "Slice", inputs: ["shape", "zero", "two"], outputs: ["lead"] },
      { op: "Cast", inputs: ["lead"], outputs: ["lead64"], attributes: { to: 7 } },
      { op: "Concat", inputs: ["lead64", "area"], outputs: ["target"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "target"], outputs: ["out"] },
    ],
    initializers: { zero: ints(0), two: ints(2), four: ints(4) },
    x: [2, 3, 4],
  },
  {
    name: "Shape start and end, Squeeze and Size",
    opset: 17,
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["tail"], attributes: { start: 1, end: 3 } },
      { op: "Shape", inputs: ["x"], outputs: ["batch"], attributes: { end: 1 } },
      { op: "Squeeze", inputs: ["batch"], outputs: ["b"] },
      { op: "Unsqueeze", inputs: ["b", "zero"], outputs: ["b1"] },
      { op: "Size", inputs: ["tail"], outputs: ["two"] },
      { op: "Unsqueeze", inputs: ["two", "zero"], outputs: ["two1"] },
      { op: "Concat", inputs: ["b1", "two1", "minus"], outputs: ["target"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "target"], outputs: ["out"] },
    ],
    initializers: { zero: ints(0), minus: ints(-1) },
    x: [4, 3],
  },
  {
    name: "expand(batch, …): ConstantOfShape, Equal, Where, Expand",
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["batch"], attributes: { end: 1 } },
      { op: "Concat", inputs: ["batch", "rest"], outputs: ["wanted"], attributes: { axis: 0 } },
      { op: "Shape", inputs: ["wanted"], outputs: ["rank"] },
      { op: "ConstantOfShape", inputs: ["rank"], outputs: ["ones"], attributes: { value: { tensor: ints(1) } } },
      { op: "Mul", inputs: ["ones", "minus"], outputs: ["minuses"] },
      { op: "Equal", inputs: ["wanted", "minuses"], outputs: ["open"] },
      { op: "Where", inputs: ["open", "ones", "wanted"], outputs: ["target"] },
      { op: "Expand", inputs: ["token", "target"], outputs: ["tokens"] },
      { op: "Concat", inputs: ["tokens", "x"], outputs: ["out"], attributes: { axis: 1 } },
    ],
    initializers: { rest: ints(-1, 3), minus: int(-1), token: weights(1, 2, 3) },
    x: [4, 3],
  },
  {
    name: "Range, Less, Greater, Not, Where as a mask",
    nodes: [
      { op: "Range", inputs: ["zero", "five", "one"], outputs: ["r"] },
      { op: "Less", inputs: ["r", "three"], outputs: ["low"] },
      { op: "Greater", inputs: ["r", "zero"], outputs: ["some"] },
      { op: "Not", inputs: ["low"], outputs: ["high"] },
      { op: "Where", inputs: ["high", "a", "b"], outputs: ["mask"] },
      { op: "Where", inputs: ["some", "mask", "a"], outputs: ["mask2"] },
      { op: "Mul", inputs: ["x", "mask2"], outputs: ["out"] },
    ],
    initializers: { zero: int(0), one: int(1), three: int(3), five: int(5), a: weights(5), b: scalar(2) },
    x: [5],
  },
  {
    name: "Constant in all spellings",
    nodes: [
      { op: "Constant", inputs: [], outputs: ["a"], attributes: { value_float: { f: 0.5 } } },
      { op: "Constant", inputs: [], outputs: ["b"], attributes: { value_floats: { floats: [1, 2, 3] } } },
      { op: "Constant", inputs: [], outputs: ["c"], attributes: { value_ints: [2, 0] } },
      { op: "Constant", inputs: [], outputs: ["d"], attributes: { value_int: 1 } },
      { op: "Mul", inputs: ["x", "a"], outputs: ["half"] },
      { op: "Add", inputs: ["half", "b"], outputs: ["sum"] },
      { op: "Gather", inputs: ["sum", "c"], outputs: ["picked"], attributes: { axis: 1 } },
      { op: "Gather", inputs: ["sum", "d"], outputs: ["one"], attributes: { axis: 1 } },
      { op: "Unsqueeze", inputs: ["one", "axis"], outputs: ["one1"] },
      { op: "Concat", inputs: ["picked", "one1"], outputs: ["out"], attributes: { axis: 1 } },
    ],
    initializers: { axis: ints(1) },
    x: [3],
  },
];

const CASES = [...unary, ...arithmetic, ...linear, ...movement, ...reductions, ...sizes];

function modelOf(testCase: Case): ModelSpec {
  const y = testCase.y ? [{ name: "y", shape: ["batch", ...testCase.y] }] : [];
  return {
    opset: testCase.opset ?? 17,
    inputs: [{ name: "x", shape: ["batch", ...testCase.x] }, ...y],
    outputs: (testCase.outputs ?? ["out"]).map((name) => ({
      name,
      ...(/^Arg/.test(testCase.nodes[0]!.op) ? { dtype: "int64" as const } : {}),
    })),
    initializers: testCase.initializers ?? {},
    nodes: testCase.nodes,
  };
}

describe("operators agree with onnxruntime-web", () => {
  test.each(CASES.map((testCase) => [testCase.name, testCase] as const))("%s", async (_, testCase) => {
    const bytes = onnxFile(modelOf(testCase));
    const graph = importOnnx(bytes);
    const inputs = new Map(
      graph.inputs.map((input, index) => {
        const count = RECORDS * elementCount(index === 0 ? testCase.x : testCase.y!);
        return [
          input.name,
          testCase.feed ? Float32Array.from({ length: count }, (__, i) => testCase.feed!(i)) : wave(count, index),
        ];
      }),
    );
    const feeds = { records: RECORDS, inputs };
    const expected = await runOrt(bytes, graph.inputs, feeds);
    const actual = evaluate(graph, feeds);
    expect([...actual.keys()]).toEqual(testCase.outputs ?? ["out"]);
    for (const [name, output] of actual) {
      expect(output.shape).toEqual(expected.get(name)!.shape);
      expect(relativeError(output.data, expected.get(name)!.data)).toBeLessThan(testCase.tolerance ?? TOLERANCE);
    }
  });

  test("every operator that import claims is in the table", () => {
    const covered = new Set(CASES.flatMap((testCase) => testCase.nodes.map((spec) => spec.op)));
    expect(ONNX_OPERATORS.filter((op) => !covered.has(op))).toEqual([]);
  });
});
