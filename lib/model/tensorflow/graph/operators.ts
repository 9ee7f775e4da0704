/** TensorFlow operators → graph nodes. Semantics: https://www.tensorflow.org/api_docs/python/tf/raw_ops. */
import type { DraftFields } from "../../emitter.ts";
import {
  BATCH,
  type BinaryOp,
  type Dim,
  type ReduceNode,
  recordElements,
  type Shape,
  type UnaryNode,
  type ValueId,
} from "../../graph.ts";
import type { Operand } from "../../operand.ts";
import { convolve, convolveDepthwise, type DataFormat, filled, type Padding, pool } from "../channels-last.ts";
import type { TfReader } from "./nodes.ts";
import { concat, expandDims, gather, pack, reshape, slice, split, squeeze, stridedSlice, unpack } from "./shaping.ts";

type Imported = ValueId | Operand | readonly (ValueId | Operand | undefined)[];
type UnaryFields<Node extends UnaryNode = UnaryNode> = Node extends UnaryNode
  ? Omit<Node, "name" | "source" | "output" | "x">
  : never;

const UNARY: Readonly<Record<string, UnaryFields>> = {
  Neg: { op: "neg" },
  Abs: { op: "abs" },
  Exp: { op: "exp" },
  Log: { op: "log" },
  Sqrt: { op: "sqrt" },
  Reciprocal: { op: "reciprocal" },
  Inv: { op: "reciprocal" },
  Erf: { op: "erf" },
  Relu: { op: "relu" },
  Relu6: { op: "clip", min: 0, max: 6 },
  Sigmoid: { op: "sigmoid" },
  Tanh: { op: "tanh" },
  Softplus: { op: "softplus" },
  Softsign: { op: "softsign" },
  Elu: { op: "elu", alpha: 1 },
  Selu: { op: "selu", alpha: 1.6732632423543772, gamma: 1.0507009873554805 },
  Sign: { op: "sign" },
  Floor: { op: "floor" },
  Ceil: { op: "ceil" },
  Round: { op: "round" },
  Rint: { op: "round" },
  Sin: { op: "sin" },
  Cos: { op: "cos" },
};

const BINARY: Readonly<Record<string, BinaryOp>> = {
  Add: "add",
  AddV2: "add",
  Sub: "sub",
  Mul: "mul",
  RealDiv: "div",
  Div: "div",
  Pow: "pow",
  Maximum: "maximum",
  Minimum: "minimum",
};

const REDUCE: Readonly<Record<string, ReduceNode["op"]>> = {
  Mean: "reduceMean",
  Sum: "reduceSum",
  Max: "reduceMax",
  Min: "reduceMin",
  Prod: "reduceProd",
};

export const TF_OPERATORS: Readonly<Record<string, (node: TfReader) => Imported>> = {
  ...Object.fromEntries(
    Object.entries(UNARY).map(([name, fields]) => [
      name,
      (node: TfReader) => node.add({ ...fields, x: node.value(0) } as DraftFields),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(BINARY).map(([name, op]) => [
      name,
      (node: TfReader) => node.add({ op, a: node.value(0), b: node.value(1) }),
    ]),
  ),
  ...Object.fromEntries(Object.entries(REDUCE).map(([name, op]) => [name, (node: TfReader) => reduce(node, op)])),

  // -------------------------------------------------------------- elementwise
  Square: (node) => node.add({ op: "mul", a: node.value(0), b: node.value(0) }),
  Rsqrt: (node) => node.add({ op: "reciprocal", x: node.add({ op: "sqrt", x: node.value(0) }, `${node.name}/root`) }),
  SquaredDifference: (node) => {
    const difference = node.add({ op: "sub", a: node.value(0), b: node.value(1) }, `${node.name}/difference`);
    return node.add({ op: "mul", a: difference, b: difference });
  },
  DivNoNan: divNoNan,
  LeakyRelu: (node) => node.add({ op: "leakyRelu", x: node.value(0), alpha: node.number("alpha", 0.2) }),
  ClipByValue: (node) => node.add({ op: "clip", x: node.value(0), min: node.integer(1), max: node.integer(2) }),
  AddN: (node) => {
    let sum = node.value(0);
    for (let index = 1; index < node.inputCount; index++) sum = node.add({ op: "add", a: sum, b: node.value(index) });
    return sum;
  },
  Cast: (node) => {
    const operand = node.operand(0);
    if (operand.kind === "dims") return operand;
    const to = node.dtype("DstT");
    return node.builder.info(operand.id).dtype === to ? operand.id : node.add({ op: "cast", x: operand.id, to });
  },
  Identity: (node) => node.operand(0),
  StopGradient: (node) => node.operand(0),
  PreventGradient: (node) => node.operand(0),
  EnsureShape: (node) => node.operand(0),
  Snapshot: (node) => node.operand(0),
  IdentityN: (node) => Array.from({ length: node.inputCount }, (_, index) => node.operand(index)),
  PlaceholderWithDefault: (node) => node.operand(0),

  // -------------------------------------------------------------- products
  MatMul: (node) => matMul(node, node.flag("transpose_a"), node.flag("transpose_b")),
  BatchMatMul: (node) => matMul(node, node.flag("adj_x"), node.flag("adj_y")),
  BatchMatMulV2: (node) => matMul(node, node.flag("adj_x"), node.flag("adj_y")),
  _FusedMatMul: (node) => fused(node, 2, matMul(node, node.flag("transpose_a"), node.flag("transpose_b"))),
  BiasAdd: (node) => biasAdd(node, node.value(0), node.value(1), formatOf(node)),
  Conv2D: (node) => conv(node),
  _FusedConv2D: (node) => fused(node, 2, conv(node)),
  DepthwiseConv2dNative: (node) => depthwise(node),
  FusedDepthwiseConv2dNative: (node) => fused(node, 2, depthwise(node)),
  AvgPool: (node) => poolImage(node, "averagePool"),
  MaxPool: (node) => poolImage(node, "maxPool"),
  FusedBatchNorm: batchNormalization,
  FusedBatchNormV2: batchNormalization,
  FusedBatchNormV3: batchNormalization,
  Softmax: (node) => node.add({ op: "softmax", x: node.value(0), axis: node.inputShape(0).length - 1 }),
  LogSoftmax: (node) => node.add({ op: "logSoftmax", x: node.value(0), axis: node.inputShape(0).length - 1 }),
  ArgMax: (node) => argMax(node, node.value(0)),
  ArgMin: (node) => argMax(node, node.add({ op: "neg", x: node.value(0) }, `${node.name}/negated`)),

  // -------------------------------------------------------------- moving values
  Reshape: reshape,
  Squeeze: squeeze,
  ExpandDims: expandDims,
  Transpose: (node) => node.add({ op: "transpose", x: node.value(0), perm: node.integers(1) }),
  ConcatV2: concat,
  Pack: pack,
  Unpack: unpack,
  Slice: slice,
  StridedSlice: stridedSlice,
  Split: (node) => split(node, node.integer(0), node.value(1), undefined),
  SplitV: (node) => split(node, node.integer(2), node.value(0), node.integers(1)),
  GatherV2: gather,
  Pad: (node) => pad(node, "constant", 0),
  PadV2: (node) => pad(node, "constant", node.integer(2)),
  MirrorPad: (node) => {
    if (node.text("mode", "REFLECT") !== "REFLECT") throw node.unsupported("pads symmetrically", "Use REFLECT.");
    return pad(node, "reflect", 0);
  },
  BroadcastTo: (node) => node.add({ op: "expand", x: node.value(0), shape: node.dims(1) }),
  Shape: (node) => node.lengths(node.inputShape(0)),
  Size: (node) => {
    const shape = node.inputShape(0);
    if (!shape.includes(BATCH)) return node.lengths([recordElements(shape)], true);
    throw node.unsupported("counts values over the batch", "Let only axis 0 depend on the batch.");
  },
  Fill: (node) => {
    const dims = node.dims(0);
    const one = node.add({ op: "reshape", x: node.value(1), shape: dims.map(() => 1) }, `${node.name}/value`);
    return node.add({ op: "expand", x: one, shape: dims });
  },
};

/** a / b, and 0 where b is 0: with m = |sign(b)|, that is a·m / (b + 1 − m). */
function divNoNan(node: TfReader): ValueId {
  const [a, b] = [node.value(0), node.value(1)];
  const sign = node.add({ op: "sign", x: b }, `${node.name}/sign`);
  const present = node.add({ op: "abs", x: sign }, `${node.name}/present`);
  const absent = node.add({ op: "sub", a: node.scalar("one", 1), b: present }, `${node.name}/absent`);
  const top = node.add({ op: "mul", a, b: present }, `${node.name}/top`);
  return node.add({ op: "div", a: top, b: node.add({ op: "add", a: b, b: absent }, `${node.name}/bottom`) });
}

// ---------------------------------------------------------------- products

function matMul(node: TfReader, transposeA: boolean, transposeB: boolean): ValueId {
  const turned = (index: number, transposed: boolean): ValueId => {
    const rank = node.inputShape(index).length;
    if (!transposed) return node.value(index);
    const perm = Array.from({ length: rank }, (_, axis) =>
      axis < rank - 2 ? axis : axis === rank - 2 ? rank - 1 : rank - 2,
    );
    return node.add({ op: "transpose", x: node.value(index), perm }, `${node.name}/transposed`);
  };
  return node.add({ op: "matMul", a: turned(0, transposeA), b: turned(1, transposeB) });
}

function formatOf(node: TfReader): DataFormat {
  const format = node.text("data_format", "NHWC");
  if (format === "NHWC") return "channelsLast";
  if (format === "NCHW") return "channelsFirst";
  throw node.unsupported(`has the layout ${format}`, "Use NHWC.");
}

function biasAdd(node: TfReader, x: ValueId, bias: ValueId, format: DataFormat): ValueId {
  const rank = node.shape(x).length;
  if (format === "channelsLast" || rank < 3) return node.add({ op: "add", a: x, b: bias });
  const shape: Shape = [node.shape(bias)[0] ?? 1, ...new Array<number>(rank - 2).fill(1)];
  return node.add({ op: "add", a: x, b: node.add({ op: "reshape", x: bias, shape }, `${node.name}/bias`) });
}

/** The two spatial entries of a list over batch, height, width, channels. */
function spatial(node: TfReader, list: readonly number[], format: DataFormat): readonly number[] {
  if (list.length === 0) return [1, 1];
  if (list.length !== 4) throw node.invalid(`needs 4 entries, got ${list.length}`);
  return format === "channelsLast" ? list.slice(1, 3) : list.slice(2, 4);
}

function paddingOf(node: TfReader, format: DataFormat): Padding {
  const padding = node.text("padding", "VALID");
  if (padding === "SAME") return "same";
  if (padding === "VALID") return "valid";
  const explicit = node.ints("explicit_paddings");
  if (padding !== "EXPLICIT" || explicit.length !== 8) throw node.invalid(`padding is "${padding}"`);
  const first = format === "channelsLast" ? 2 : 4;
  return {
    begin: [explicit[first]!, explicit[first + 2]!],
    end: [explicit[first + 1]!, explicit[first + 3]!],
  };
}

function slidingOf(node: TfReader) {
  const format = formatOf(node);
  return {
    strides: spatial(node, node.ints("strides"), format),
    dilations: spatial(node, node.ints("dilations"), format),
    padding: paddingOf(node, format),
    format,
  };
}

function conv(node: TfReader): ValueId {
  const kernel = node.tensor(1);
  if (kernel.shape.length !== 4) throw node.invalid("its kernel needs 4 axes");
  const sliding = slidingOf(node);
  const channels = node.inputShape(0)[sliding.format === "channelsLast" ? 3 : 1];
  const groups = typeof channels === "number" ? channels / kernel.shape[2]! : 1;
  if (!Number.isInteger(groups)) throw node.invalid("the kernel's channels do not divide the input's");
  return convolve(node, node.value(0), kernel, undefined, sliding, groups);
}

function depthwise(node: TfReader): ValueId {
  const kernel = node.tensor(1);
  if (kernel.shape.length !== 4) throw node.invalid("its kernel needs 4 axes");
  return convolveDepthwise(node, node.value(0), kernel, undefined, slidingOf(node));
}

function poolImage(node: TfReader, op: "averagePool" | "maxPool"): ValueId {
  const format = formatOf(node);
  return pool(node, op, node.value(0), {
    ...slidingOf(node),
    kernel: spatial(node, node.ints("ksize"), format),
    dilations: [1, 1],
  });
}

function batchNormalization(node: TfReader): readonly [ValueId] {
  // The operator's own default is training; TensorFlow always writes the attribute.
  if (node.flag("is_training", true)) {
    throw node.unsupported("is in training mode", "Save the model for inference only.");
  }
  const x = node.value(0);
  const axis = formatOf(node) === "channelsLast" ? node.shape(x).length - 1 : 1;
  const channels = [Number(node.shape(x)[axis])];
  const parameter = (index: number, role: string, fallback: number): ValueId =>
    node.shape(node.value(index))[0] === 0 ? node.weights(role, filled(channels, fallback)) : node.value(index);
  return [
    node.add({
      op: "batchNormalization",
      x,
      scale: parameter(1, "scale", 1),
      bias: parameter(2, "offset", 0),
      mean: parameter(3, "mean", 0),
      variance: parameter(4, "variance", 1),
      axis,
      epsilon: node.number("epsilon", 1e-4),
    }),
  ];
}

/** What grappler and the TensorFlow.js converter fuse behind a product: a bias, then an activation. */
function fused(node: TfReader, firstArgument: number, product: ValueId): ValueId {
  let x = product;
  let argument = firstArgument;
  for (const operation of node.texts("fused_ops")) {
    const activation = UNARY[operation];
    if (operation === "BiasAdd") {
      x = biasAdd(node, x, node.value(argument++), node.node.op === "_FusedMatMul" ? "channelsLast" : formatOf(node));
    } else if (operation === "LeakyRelu") {
      x = node.add({ op: "leakyRelu", x, alpha: node.number("leakyrelu_alpha", 0.2) });
    } else if (activation && Object.hasOwn(UNARY, operation)) x = node.add({ ...activation, x } as DraftFields);
    else throw node.unsupported(`fuses ${operation}`, "Convert the model without operator fusion.");
  }
  return x;
}

// ---------------------------------------------------------------- along axes

function reduce(node: TfReader, op: ReduceNode["op"]): Imported {
  const operand = node.operand(0);
  const keepDims = node.flag("keep_dims");
  if (operand.kind === "dims") {
    const known = operand.dims.filter((dim): dim is number => dim !== BATCH);
    if (op !== "reduceProd" || known.some((dim) => dim !== 1)) {
      throw node.unsupported("computes with the batch size", "Let only axis 0 depend on the batch.");
    }
    return node.lengths([BATCH], !keepDims);
  }
  const rank = node.inputShape(0).length;
  const axes = node.axes(node.integers(1), rank);
  return axes.length === 0 ? operand : node.add({ op, x: operand.id, axes, keepDims });
}

function argMax(node: TfReader, x: ValueId): ValueId {
  const axis = node.axis(node.integer(1), node.shape(x).length);
  return node.add({ op: "argMax", x, axis, keepDims: false, selectLast: false });
}

function pad(node: TfReader, mode: "constant" | "reflect", value: number): ValueId {
  const rank = node.inputShape(0).length;
  const pads = node.integers(1);
  if (pads.length !== 2 * rank) throw node.invalid(`pads ${pads.length / 2} axes of ${rank}`);
  const axes = Array.from({ length: rank }, (_, axis): Dim => axis).map(Number);
  return node.add({
    op: "pad",
    x: node.value(0),
    before: axes.map((axis) => pads[2 * axis]!),
    after: axes.map((axis) => pads[2 * axis + 1]!),
    mode,
    value,
  });
}
