/**
 * TensorFlow operators, one graph model per case: the same model.json goes through the importer and the reference
 * evaluator, and through TensorFlow.js. The last test holds the table to the importer's list of operators.
 */
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import { beforeAll, describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { elementCount } from "#lib/model/graph.ts";
import { TF_OPERATORS } from "#lib/model/tensorflow/graph/operators.ts";
import { importGraphModel } from "#lib/model/tensorflow/graph-model.ts";
import { readTfjsModel } from "#lib/model/tensorflow/model-json.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import { wave } from "../onnx/model-file.ts";
import { relativeError } from "../ort.ts";
import { startTfjs, tf } from "./tfjs.ts";

const RECORDS = 3;

beforeAll(startTfjs);

/** A constant: float32 unless its values are declared as int32. */
interface Constant {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly dtype?: "float32" | "int32";
}
interface Node {
  readonly name?: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}
interface Case {
  readonly name: string;
  /** Shape of "x" behind the batch axis. */
  readonly x: readonly number[];
  readonly y?: readonly number[];
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly outputs?: readonly string[];
  readonly feed?: (index: number) => number;
}

// -------------------------------------------------------------- attributes as TensorFlow.js writes them

const text = (value: string) => ({ s: btoa(value) });
const list = (...values: number[]) => ({ list: { i: values.map(String) } });
const texts = (...values: string[]) => ({ list: { s: values.map((value) => btoa(value)) } });
const float = { type: "DT_FLOAT" };
const int = (...data: number[]): Constant => ({ shape: [data.length], data, dtype: "int32" });
const intScalar = (value: number): Constant => ({ shape: [], data: [value], dtype: "int32" });
const scalar = (value: number): Constant => ({ shape: [], data: [value] });
const weights = (...shape: number[]): Constant => ({ shape, data: wave(elementCount(shape), shape.length) });
const positive = (...shape: number[]): Constant => ({ shape, data: wave(elementCount(shape)).map((v) => 0.5 + v * v) });

const one = (
  op: string,
  more: readonly string[] = [],
  attr: Readonly<Record<string, unknown>> = {},
): readonly Node[] => [{ name: "out", op, inputs: ["x", ...more], attr: { T: float, ...attr } }];
const image = (stride: number, padding: string, dilation = 1) => ({
  strides: list(1, stride, stride, 1),
  dilations: list(1, dilation, dilation, 1),
  padding: text(padding),
  data_format: text("NHWC"),
  explicit_paddings: { list: {} },
});

const elementwise: readonly Case[] = [
  ...[
    "Neg",
    "Abs",
    "Exp",
    "Relu",
    "Relu6",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Elu",
    "Selu",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Sin",
    "Cos",
    "Erf",
    "Square",
  ].map((op): Case => ({ name: op, x: [4], nodes: one(op), feed: (i) => (i - 6) / 1.7 })),
  ...["Log", "Sqrt", "Rsqrt", "Reciprocal"].map(
    (op): Case => ({ name: op, x: [4], nodes: one(op), feed: (i) => 0.3 + i / 3 }),
  ),
  ...["Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum", "SquaredDifference"].flatMap(
    (op): Case[] => [
      { name: `${op} inputs`, x: [2, 3], y: [2, 3], nodes: one(op, ["y"]) },
      { name: `${op} constant`, x: [2, 3], nodes: one(op, ["c"]), constants: { c: positive(3) } },
    ],
  ),
  { name: "Pow", x: [4], nodes: one("Pow", ["c"]), constants: { c: scalar(2) } },
  { name: "LeakyRelu", x: [4], nodes: one("LeakyRelu", [], { alpha: { f: 0.3 } }) },
  {
    name: "ClipByValue",
    x: [6],
    nodes: one("ClipByValue", ["lo", "hi"]),
    constants: { lo: scalar(-0.25), hi: scalar(0.5) },
  },
  { name: "DivNoNan", x: [4], y: [4], nodes: one("DivNoNan", ["y"]), feed: (i) => (i % 3) - 1 },
  { name: "AddN", x: [4], y: [4], nodes: one("AddN", ["y", "x"], { N: { i: "3" } }) },
  {
    name: "Cast",
    x: [4],
    nodes: [
      { name: "i", op: "Cast", inputs: ["x"], attr: { SrcT: float, DstT: { type: "DT_INT32" } } },
      { name: "out", op: "Cast", inputs: ["i"], attr: { SrcT: { type: "DT_INT32" }, DstT: float } },
    ],
    feed: (i) => i * 0.7 - 3,
  },
  ...["Identity", "StopGradient", "Snapshot"].map((op): Case => ({ name: op, x: [4], nodes: one(op) })),
  {
    name: "IdentityN",
    x: [4],
    y: [2],
    nodes: [
      { name: "both", op: "IdentityN", inputs: ["x", "y"] },
      { name: "out", op: "Neg", inputs: ["both:1"], attr: { T: float } },
    ],
  },
];

const products: readonly Case[] = [
  { name: "MatMul", x: [5], nodes: one("MatMul", ["w"]), constants: { w: weights(5, 3) } },
  {
    name: "MatMul transposed",
    x: [5],
    nodes: one("MatMul", ["w"], { transpose_b: { b: true } }),
    constants: { w: weights(3, 5) },
  },
  ...["BatchMatMul", "BatchMatMulV2"].map(
    (op): Case => ({ name: op, x: [2, 4], y: [2, 4], nodes: one(op, ["y"], { adj_y: { b: true } }) }),
  ),
  {
    name: "BiasAdd",
    x: [3, 4],
    nodes: one("BiasAdd", ["b"], { data_format: text("NHWC") }),
    constants: { b: weights(4) },
  },
  {
    name: "_FusedMatMul bias relu",
    x: [5],
    nodes: one("_FusedMatMul", ["w", "b"], {
      num_args: { i: "1" },
      fused_ops: texts("BiasAdd", "Relu"),
      transpose_a: { b: false },
      transpose_b: { b: false },
    }),
    constants: { w: weights(5, 3), b: weights(3) },
  },
  {
    name: "Conv2D SAME strided",
    x: [6, 5, 2],
    nodes: one("Conv2D", ["w"], image(2, "SAME")),
    constants: { w: weights(3, 3, 2, 4) },
  },
  {
    name: "Conv2D VALID dilated",
    x: [7, 7, 2],
    nodes: one("Conv2D", ["w"], image(1, "VALID", 2)),
    constants: { w: weights(2, 3, 2, 4) },
  },
  {
    name: "_FusedConv2D bias elu",
    x: [6, 5, 2],
    nodes: one("_FusedConv2D", ["w", "b"], {
      ...image(1, "SAME"),
      num_args: { i: "1" },
      fused_ops: texts("BiasAdd", "Elu"),
    }),
    constants: { w: weights(3, 3, 2, 4), b: weights(4) },
  },
  {
    name: "_FusedConv2D leaky",
    x: [6, 5, 2],
    nodes: one("_FusedConv2D", ["w", "b"], {
      ...image(1, "SAME"),
      num_args: { i: "1" },
      fused_ops: texts("BiasAdd", "LeakyRelu"),
      leakyrelu_alpha: { f: 0.1 },
    }),
    constants: { w: weights(3, 3, 2, 4), b: weights(4) },
  },
  {
    name: "DepthwiseConv2dNative",
    x: [6, 6, 2],
    nodes: one("DepthwiseConv2dNative", ["w"], image(2, "SAME")),
    constants: { w: weights(3, 3, 2, 2) },
  },
  {
    name: "FusedDepthwiseConv2dNative",
    x: [6, 6, 2],
    nodes: one("FusedDepthwiseConv2dNative", ["w", "b"], {
      ...image(1, "SAME"),
      num_args: { i: "1" },
      fused_ops: texts("BiasAdd", "Relu6"),
    }),
    constants: { w: weights(3, 3, 2, 2), b: weights(4) },
  },
  { name: "AvgPool SAME", x: [5, 6, 2], nodes: one("AvgPool", [], { ...image(2, "SAME"), ksize: list(1, 3, 3, 1) }) },
  { name: "MaxPool VALID", x: [5, 6, 2], nodes: one("MaxPool", [], { ...image(1, "VALID"), ksize: list(1, 2, 3, 1) }) },
  ...["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"].map(
    (op): Case => ({
      name: op,
      x: [3, 2, 4],
      nodes: one(op, ["s", "o", "m", "v"], {
        epsilon: { f: 0.01 },
        is_training: { b: false },
        data_format: text("NHWC"),
      }),
      constants: { s: weights(4), o: weights(4), m: weights(4), v: positive(4) },
    }),
  ),
  { name: "Softmax", x: [3, 4], nodes: one("Softmax") },
  { name: "LogSoftmax", x: [4], nodes: one("LogSoftmax") },
  ...["ArgMax", "ArgMin"].map(
    (op): Case => ({ name: op, x: [5], nodes: one(op, ["a"]), constants: { a: intScalar(-1) } }),
  ),
  ...["Mean", "Sum", "Max", "Min", "Prod"].flatMap((op): Case[] => [
    { name: `${op} keep`, x: [3, 4], nodes: one(op, ["a"], { keep_dims: { b: true } }), constants: { a: int(1) } },
    { name: `${op} drop`, x: [3, 4], nodes: one(op, ["a"]), constants: { a: int(1, 2) } },
  ]),
];

const shaping: readonly Case[] = [
  { name: "Reshape", x: [3, 4], nodes: one("Reshape", ["s"]), constants: { s: int(-1, 2, 6) } },
  { name: "Squeeze", x: [1, 4, 1], nodes: one("Squeeze", [], { squeeze_dims: list(1, 3) }) },
  { name: "ExpandDims", x: [3, 4], nodes: one("ExpandDims", ["a"]), constants: { a: intScalar(-1) } },
  { name: "Transpose", x: [3, 4, 2], nodes: one("Transpose", ["p"]), constants: { p: int(0, 3, 1, 2) } },
  {
    name: "ConcatV2",
    x: [3, 4],
    y: [2, 4],
    nodes: [{ name: "out", op: "ConcatV2", inputs: ["x", "y", "a"], attr: { N: { i: "2" }, T: float } }],
    constants: { a: intScalar(1) },
  },
  { name: "Pack", x: [3], y: [3], nodes: one("Pack", ["y"], { N: { i: "2" }, axis: { i: "1" } }) },
  {
    name: "Unpack",
    x: [3, 2],
    nodes: [
      { name: "parts", op: "Unpack", inputs: ["x"], attr: { num: { i: "3" }, axis: { i: "1" }, T: float } },
      { name: "out", op: "Sub", inputs: ["parts:2", "parts"], attr: { T: float } },
    ],
  },
  { name: "Slice", x: [5, 4], nodes: one("Slice", ["b", "s"]), constants: { b: int(0, 1, 2), s: int(-1, 3, -1) } },
  {
    name: "StridedSlice steps",
    x: [6, 5],
    nodes: one("StridedSlice", ["b", "e", "t"], { begin_mask: { i: "1" }, end_mask: { i: "5" } }),
    constants: { b: int(0, 1, -1), e: int(0, 6, 0), t: int(1, 2, -1) },
  },
  {
    name: "StridedSlice shrinks and adds",
    x: [6, 5],
    nodes: one("StridedSlice", ["b", "e", "t"], {
      begin_mask: { i: "1" },
      end_mask: { i: "1" },
      shrink_axis_mask: { i: "2" },
      new_axis_mask: { i: "4" },
    }),
    constants: { b: int(0, 2, 0), e: int(0, 3, 0), t: int(1, 1, 1) },
  },
  {
    name: "StridedSlice ellipsis",
    x: [3, 6, 5],
    nodes: one("StridedSlice", ["b", "e", "t"], { ellipsis_mask: { i: "1" } }),
    constants: { b: int(0, 1), e: int(0, 3), t: int(1, 1) },
  },
  {
    name: "Split",
    x: [6],
    nodes: [
      { name: "parts", op: "Split", inputs: ["a", "x"], attr: { num_split: { i: "3" }, T: float } },
      { name: "out", op: "Sub", inputs: ["parts:1", "parts:2"], attr: { T: float } },
    ],
    constants: { a: intScalar(1) },
  },
  {
    name: "SplitV",
    x: [6],
    nodes: [
      { name: "parts", op: "SplitV", inputs: ["x", "s", "a"], attr: { num_split: { i: "2" }, T: float } },
      { name: "out", op: "Neg", inputs: ["parts:1"], attr: { T: float } },
    ],
    constants: { a: intScalar(1), s: int(4, 2) },
  },
  { name: "GatherV2", x: [4, 3], nodes: one("GatherV2", ["i", "a"]), constants: { i: int(2, 0, 2), a: intScalar(1) } },
  {
    name: "Pad",
    x: [3, 2],
    nodes: one("Pad", ["p"]),
    constants: { p: { shape: [3, 2], data: [0, 0, 1, 2, 0, 1], dtype: "int32" } },
  },
  {
    name: "PadV2",
    x: [3],
    nodes: one("PadV2", ["p", "v"]),
    constants: { p: { shape: [2, 2], data: [0, 0, 1, 2], dtype: "int32" }, v: scalar(0.5) },
  },
  {
    name: "MirrorPad",
    x: [4],
    nodes: one("MirrorPad", ["p"], { mode: text("REFLECT") }),
    constants: { p: { shape: [2, 2], data: [0, 0, 1, 2], dtype: "int32" } },
  },
  {
    name: "flatten as Keras exports it: Shape, StridedSlice, Pack, Reshape",
    x: [3, 4],
    nodes: [
      { name: "shape", op: "Shape", inputs: ["x"], attr: { T: float, out_type: { type: "DT_INT32" } } },
      {
        name: "batch",
        op: "StridedSlice",
        inputs: ["shape", "zero", "first", "first"],
        attr: { T: { type: "DT_INT32" }, shrink_axis_mask: { i: "1" } },
      },
      { name: "target", op: "Pack", inputs: ["batch", "twelve"], attr: { N: { i: "2" }, T: { type: "DT_INT32" } } },
      { name: "out", op: "Reshape", inputs: ["x", "target"], attr: { T: float } },
    ],
    constants: { zero: int(0), first: int(1), twelve: intScalar(12) },
  },
  {
    name: "ones of the batch's size: Shape, GatherV2, ConcatV2, Fill",
    x: [3],
    nodes: [
      { name: "shape", op: "Shape", inputs: ["x"], attr: { T: float, out_type: { type: "DT_INT32" } } },
      { name: "batch", op: "GatherV2", inputs: ["shape", "zero", "axis"], attr: {} },
      { name: "target", op: "ConcatV2", inputs: ["batch", "two", "axis"], attr: { N: { i: "2" } } },
      { name: "ones", op: "Fill", inputs: ["target", "value"], attr: { T: float } },
      { name: "out", op: "ConcatV2", inputs: ["x", "ones", "last"], attr: { N: { i: "2" }, T: float } },
    ],
    constants: { zero: int(0), axis: intScalar(0), two: int(2), value: scalar(1.5), last: intScalar(1) },
  },
  {
    name: "BroadcastTo",
    x: [1, 3],
    nodes: [
      { name: "shape", op: "Shape", inputs: ["wide"], attr: { T: float } },
      { name: "wide", op: "ConcatV2", inputs: ["x", "x", "a"], attr: { N: { i: "2" }, T: float } },
      { name: "out", op: "BroadcastTo", inputs: ["x", "shape"], attr: { T: float } },
    ],
    constants: { a: intScalar(1) },
  },
];

const CASES = [...elementwise, ...products, ...shaping];

// -------------------------------------------------------------- files

function artifacts(testCase: Case) {
  const constants = Object.entries(testCase.constants ?? {});
  const placeholder = (name: string, shape: readonly number[]) => ({
    name,
    op: "Placeholder",
    attr: { dtype: float, shape: { shape: { dim: [-1, ...shape].map((size) => ({ size: String(size) })) } } },
  });
  const inputs = [["x", testCase.x] as const, ...(testCase.y ? [["y", testCase.y] as const] : [])];
  const port = (name: string, shape: readonly number[]) => ({
    name: `${name}:0`,
    dtype: "DT_FLOAT",
    tensorShape: { dim: [-1, ...shape].map((size) => ({ size: String(size) })) },
  });
  const bytes = constants.map(
    ([, { data, dtype }]) =>
      new Uint8Array((dtype === "int32" ? Int32Array.from(data) : Float32Array.from(data)).buffer),
  );
  const weightData = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of bytes) {
    weightData.set(part, offset);
    offset += part.length;
  }
  return {
    modelTopology: {
      node: [
        ...constants.map(([name, { dtype }]) => ({
          name,
          op: "Const",
          attr: { dtype: { type: dtype === "int32" ? "DT_INT32" : "DT_FLOAT" } },
        })),
        ...inputs.map(([name, shape]) => placeholder(name, shape)),
        ...testCase.nodes.map((node) => ({
          name: node.name ?? "out",
          op: node.op,
          input: node.inputs,
          attr: node.attr ?? {},
        })),
      ],
      versions: { producer: 440 },
    },
    weightSpecs: constants.map(
      ([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype: dtype ?? "float32" }) as const,
    ),
    weightData,
    signature: {
      inputs: Object.fromEntries(inputs.map(([name, shape]) => [name, port(name, shape)])),
      outputs: { result: { name: "out:0", dtype: "DT_FLOAT" } },
    },
  };
}

function filesOf(testCase: Case): ReadonlyMap<string, Uint8Array> {
  const { modelTopology, weightSpecs, weightData, signature } = artifacts(testCase);
  const json = {
    format: "graph-model",
    modelTopology,
    signature,
    weightsManifest: [{ paths: ["group1-shard1of1.bin"], weights: weightSpecs }],
  };
  return new Map([
    ["model.json", new TextEncoder().encode(JSON.stringify(json))],
    ["group1-shard1of1.bin", weightData],
  ]);
}

describe("graph models agree with TensorFlow.js", () => {
  test.each(CASES.map((testCase) => [testCase.name, testCase] as const))("%s", async (_, testCase) => {
    const graph = importGraphModel(readTfjsModel(filesOf(testCase)));
    const feeds = [["x", testCase.x] as const, ...(testCase.y ? [["y", testCase.y] as const] : [])].map(
      ([name, shape], index) => {
        const count = RECORDS * elementCount(shape);
        const data = testCase.feed
          ? Float32Array.from({ length: count }, (__, i) => testCase.feed!(i))
          : wave(count, index);
        return { name, shape: [RECORDS, ...shape], data };
      },
    );
    const { weightSpecs, weightData, ...rest } = artifacts(testCase);
    const model = await loadGraphModel({
      load: async () => ({ ...rest, weightSpecs: [...weightSpecs], weightData: weightData.buffer }) as never,
    });
    const tensors = Object.fromEntries(feeds.map(({ name, shape, data }) => [name, tf.tensor(data, shape)]));
    const expected = model.execute(tensors, "out:0") as tf.Tensor;
    const actual = evaluate(graph, {
      records: RECORDS,
      inputs: new Map(feeds.map(({ name, data }) => [name, data])),
    }).get("result")!;
    expect(actual.shape).toEqual(expected.shape);
    expect(relativeError(actual.data, await expected.data())).toBeLessThan(1e-5);
  });

  test("every operator that import claims is in the table, or is one that TensorFlow.js lacks", () => {
    const covered = new Set(CASES.flatMap((testCase) => testCase.nodes.map((node) => node.op)));
    expect(
      Object.keys(TF_OPERATORS)
        .filter((op) => !covered.has(op))
        .sort(),
    ).toEqual(["EnsureShape", "Inv", "PlaceholderWithDefault", "PreventGradient", "Rint", "Size", "Softsign"]);
  });
});

const refusals: readonly {
  readonly name: string;
  readonly case: Case;
  readonly code: ErrorCode;
  readonly says: RegExp;
}[] = [
  {
    name: "an unknown operator",
    case: { name: "", x: [4], nodes: one("CropAndResize") },
    code: "model_unsupported",
    says: /CropAndResize "out"/,
  },
  {
    name: "an operator named like a property of all objects",
    case: { name: "", x: [4], nodes: one("constructor") },
    code: "model_unsupported",
    says: /constructor/,
  },
  { name: "a loop", case: { name: "", x: [4], nodes: one("Add", ["out"]) }, code: "model_unsupported", says: /loop/ },
  {
    name: "a missing node",
    case: { name: "", x: [4], nodes: one("Add", ["ghost"]) },
    code: "model_invalid",
    says: /"ghost"/,
  },
  {
    name: "two nodes of one name",
    case: { name: "", x: [4], nodes: [...one("Neg"), ...one("Abs")] },
    code: "model_invalid",
    says: /twice/,
  },
  {
    name: "an attribute of the wrong type",
    case: { name: "", x: [4], nodes: one("LeakyRelu", [], { alpha: { i: "1" } }) },
    code: "model_invalid",
    says: /alpha/,
  },
  {
    name: "an open axis",
    case: { name: "", x: [-1, 4], nodes: one("Neg") },
    code: "model_unsupported",
    says: /axis 1 is open/,
  },
  {
    name: "the mean over records",
    case: { name: "", x: [4], nodes: one("Mean", ["a"]), constants: { a: int(0) } },
    code: "model_unsupported",
    says: /depend on others/,
  },
  {
    name: "training mode",
    case: {
      name: "",
      x: [2, 2, 4],
      nodes: one("FusedBatchNormV3", ["c", "c", "c", "c"]),
      constants: { c: positive(4) },
    },
    code: "model_unsupported",
    says: /training mode/,
  },
  {
    name: "NaN weights",
    case: { name: "", x: [4], nodes: one("Add", ["c"]), constants: { c: scalar(Number.NaN) } },
    code: "model_invalid",
    says: /NaN/,
  },
];

describe("refused", () => {
  const expectRefusal = (run: () => unknown, code: ErrorCode, says: RegExp) => {
    try {
      run();
    } catch (error) {
      if (!isFluxError(error)) throw error;
      expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
      return;
    }
    throw new Error("was accepted");
  };

  test.each(refusals.map((refusal) => [refusal.name, refusal] as const))("%s", (_, { case: testCase, code, says }) => {
    expectRefusal(() => importGraphModel(readTfjsModel(filesOf(testCase))), code, says);
  });

  const valid = filesOf({ name: "", x: [5], nodes: one("MatMul", ["w"]), constants: { w: weights(5, 3) } });
  const changed = (
    change: (json: { weightsManifest: { paths: string[]; weights: { shape: number[]; dtype: string }[] }[] }) => void,
  ) => {
    const json = JSON.parse(new TextDecoder().decode(valid.get("model.json")));
    change(json);
    return new Map([...valid, ["model.json", new TextEncoder().encode(JSON.stringify(json))] as const]);
  };

  test.each([
    [
      "a shard that was not uploaded",
      new Map([...valid].slice(0, 1)),
      "model_unreadable",
      /group1-shard1of1\.bin.*not uploaded/,
    ],
    ["no model.json", new Map([...valid].slice(1)), "model_unreadable", /no model\.json/],
    [
      "a shard cut short",
      new Map([...valid].map(([name, bytes]) => [name, name.endsWith(".bin") ? bytes.slice(4) : bytes])),
      "model_invalid",
      /shards hold 56/,
    ],
    [
      "a weight larger than its shards",
      changed((json) => (json.weightsManifest[0]!.weights[0]!.shape = [50_000, 2_000])),
      "model_invalid",
      /needs 400000000 bytes/,
    ],
    [
      "a weight of 10^12 values",
      changed((json) => (json.weightsManifest[0]!.weights[0]!.shape = [1_000_000, 1_000_000])),
      "model_too_large",
      /limit/,
    ],
    [
      "text weights",
      changed((json) => (json.weightsManifest[0]!.weights[0]!.dtype = "string")),
      "model_unsupported",
      /string values/,
    ],
    [
      "a path out of the folder",
      changed((json) => (json.weightsManifest[0]!.paths = ["../../../etc/passwd"])),
      "model_unreadable",
      /not uploaded/,
    ],
  ] as const)("%s", (_, files, code, says) => {
    expectRefusal(() => readTfjsModel(files), code, says);
  });
});
