/**
 * The graph that every model is read into, whatever format it came in: ONNX and TensorFlow importers write it, the
 * lane compiler, the reference evaluator and the ONNX writer read it.
 *
 * It is smaller than ONNX on purpose, so that a reader can match on it:
 * - every node has exactly one output (a Split is several slices) and typed attributes, resolved: pads are numbers
 *   (no auto_pad), axes are non-negative, slices are start/step/count, reshapes name their full target shape;
 * - aliases are gone (Identity, Dropout, Constant), and Flatten, Squeeze, Unsqueeze and Reshape are all `reshape`,
 *   GlobalAveragePool is `reduceMean`, the Erf and Tanh spellings of GELU are `gelu`, x·sigmoid(x) is `silu`;
 * - shapes are static apart from the batch axis.
 *
 * `name` and `source` of a node are what its author knows it by: use both in every error about it.
 */

/** The axis of the records: the only one whose length is not known before the data comes. */
export const BATCH = "batch";
export type Dim = number | typeof BATCH;
export type Shape = readonly Dim[];

/** Element types as ONNX, NumPy and TensorFlow name them. */
export const DTYPES = [
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;
export type DType = (typeof DTYPES)[number];

declare const valueIdBrand: unique symbol;
/** Names one value (graph input, constant or node output) within one graph. */
export type ValueId = string & { readonly [valueIdBrand]: true };
export function valueId(text: string): ValueId {
  return text as ValueId;
}

/** A constant, row-major. Floats keep their precision; integers and booleans are exact doubles. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

export interface ValueInfo {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An input or output of the whole graph. `name` is what the submitter calls it. */
export interface GraphPort extends ValueInfo {
  readonly id: ValueId;
  readonly name: string;
}

interface NodeBase {
  /** The node's name in the source file (made up where the file has none). */
  readonly name: string;
  /** The operator or layer in the source file, e.g. `Gemm` or `Dense`. */
  readonly source: string;
  readonly output: ValueId;
}

// ---------------------------------------------------------------- one value in, elementwise

type PlainUnaryOp =
  | "neg"
  | "abs"
  | "exp"
  | "log"
  | "sqrt"
  | "reciprocal"
  | "erf"
  | "relu"
  | "sigmoid"
  | "tanh"
  | "softplus"
  | "softsign"
  | "silu"
  | "mish"
  | "hardSwish"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "sin"
  | "cos";

export type UnaryNode = NodeBase & { readonly x: ValueId } & (
    | { readonly op: PlainUnaryOp }
    /** x < 0 ? alpha·x : x */
    | { readonly op: "leakyRelu"; readonly alpha: number }
    /** x < 0 ? alpha·(e^x − 1) : x */
    | { readonly op: "elu"; readonly alpha: number }
    /** gamma · (x < 0 ? alpha·(e^x − 1) : x) */
    | { readonly op: "selu"; readonly alpha: number; readonly gamma: number }
    /** max(0, min(1, alpha·x + beta)) */
    | { readonly op: "hardSigmoid"; readonly alpha: number; readonly beta: number }
    /** min(max, max(min, x)); ±Infinity where a side is open */
    | { readonly op: "clip"; readonly min: number; readonly max: number }
    /** `none`: x·Φ(x) with erf; `tanh`: the tanh approximation */
    | { readonly op: "gelu"; readonly approximate: "none" | "tanh" }
  );
export type UnaryOp = UnaryNode["op"];

/** Rounds to the type: towards zero for integers (which never saturate), to the nearest for floats. */
export type CastNode = NodeBase & { readonly op: "cast"; readonly x: ValueId; readonly to: DType };

// ---------------------------------------------------------------- arithmetic

/** Elementwise with NumPy broadcasting. x² appears as `mul` with a = b, or `pow` with a constant 2. */
export type BinaryNode = NodeBase & {
  readonly op: "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum";
  readonly a: ValueId;
  readonly b: ValueId;
};
export type BinaryOp = BinaryNode["op"];

/** NumPy's matmul: broadcasts leading axes; a vector on either side is promoted and dropped again. */
export type MatMulNode = NodeBase & { readonly op: "matMul"; readonly a: ValueId; readonly b: ValueId };

/** alpha · A' · B' + beta · C; A' and B' are rank 2, C broadcasts to the product. */
export type GemmNode = NodeBase & {
  readonly op: "gemm";
  readonly a: ValueId;
  readonly b: ValueId;
  readonly c: ValueId | undefined;
  readonly alpha: number;
  readonly beta: number;
  readonly transA: boolean;
  readonly transB: boolean;
};

/** Sliding windows over the spatial axes 2…; one entry per spatial axis in every list. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** x `[batch, C, …spatial]`, weights `[M, C/groups, …kernel]`, bias `[M]` → `[batch, M, …out]`. Cross-correlation, zero padding. */
export type ConvNode = NodeBase & {
  readonly op: "conv";
  readonly x: ValueId;
  readonly weights: ValueId;
  readonly bias: ValueId | undefined;
  readonly window: Window;
  readonly groups: number;
};

/**
 * x `[batch, C, …spatial]` → `[batch, C, …out]`. The output's shape is in `values` (it holds the rounding of ceil_mode).
 * `averagePool` divides by the kernel's size when `countIncludePad`, else by the number of positions inside the input;
 * positions that ceil_mode adds beyond `padsEnd` never count (`poolDivisor` in window.ts).
 */
export type PoolNode = NodeBase & {
  readonly op: "averagePool" | "maxPool";
  readonly x: ValueId;
  readonly window: Window;
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
};

/** scale · (x − mean) / sqrt(variance + epsilon) + bias, per index of `axis`; the four are `[x.shape[axis]]`. */
export type BatchNormalizationNode = NodeBase & {
  readonly op: "batchNormalization";
  readonly x: ValueId;
  readonly scale: ValueId;
  readonly bias: ValueId;
  readonly mean: ValueId;
  readonly variance: ValueId;
  readonly axis: number;
  readonly epsilon: number;
};

/** `axes` sorted, non-empty. */
export type ReduceNode = NodeBase & {
  readonly op: "reduceMean" | "reduceSum" | "reduceMax" | "reduceMin" | "reduceProd";
  readonly x: ValueId;
  readonly axes: readonly number[];
  readonly keepDims: boolean;
};

// ---------------------------------------------------------------- moving values

/** Row-major order is kept; `shape` is the whole target shape, the batch axis by its symbol. */
export type ReshapeNode = NodeBase & { readonly op: "reshape"; readonly x: ValueId; readonly shape: Shape };

/** output.shape[i] = x.shape[perm[i]] */
export type TransposeNode = NodeBase & {
  readonly op: "transpose";
  readonly x: ValueId;
  readonly perm: readonly number[];
};

export type ConcatNode = NodeBase & {
  readonly op: "concat";
  readonly inputs: readonly ValueId[];
  readonly axis: number;
};

/** One entry per axis of x: output index i reads start + i·step, for `counts[axis]` indices; the batch axis is 0, 1, BATCH. */
export type SliceNode = NodeBase & {
  readonly op: "slice";
  readonly x: ValueId;
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly counts: Shape;
};

/** numpy.take(x, indices, axis) with fixed indices (all in range, non-negative). */
export type GatherNode = NodeBase & {
  readonly op: "gather";
  readonly x: ValueId;
  readonly axis: number;
  readonly indices: readonly number[];
  readonly indicesShape: readonly number[];
};

/** One entry per axis; the batch axis is 0. Negative pads are slices already. */
export type PadNode = NodeBase & {
  readonly op: "pad";
  readonly x: ValueId;
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly mode: "constant" | "reflect" | "edge";
  readonly value: number;
};

/** NumPy broadcast to `shape`. */
export type ExpandNode = NodeBase & { readonly op: "expand"; readonly x: ValueId; readonly shape: Shape };

// ---------------------------------------------------------------- tails

export type SoftmaxNode = NodeBase & {
  readonly op: "softmax" | "logSoftmax";
  readonly x: ValueId;
  readonly axis: number;
};

/** Index of the largest value along `axis`; of equal ones the first, or the last when `selectLast`. */
export type ArgMaxNode = NodeBase & {
  readonly op: "argMax";
  readonly x: ValueId;
  readonly axis: number;
  readonly keepDims: boolean;
  readonly selectLast: boolean;
};

export type GraphNode =
  | UnaryNode
  | CastNode
  | BinaryNode
  | MatMulNode
  | GemmNode
  | ConvNode
  | PoolNode
  | BatchNormalizationNode
  | ReduceNode
  | ReshapeNode
  | TransposeNode
  | ConcatNode
  | SliceNode
  | GatherNode
  | PadNode
  | ExpandNode
  | SoftmaxNode
  | ArgMaxNode;
export type GraphOp = GraphNode["op"];

export interface Graph {
  readonly name: string;
  /** Every input has the batch axis first. */
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  /** Weights and other fixed values, every entry finite. */
  readonly constants: ReadonlyMap<ValueId, Tensor>;
  /** Topological order: a node comes after the nodes whose outputs it reads. */
  readonly nodes: readonly GraphNode[];
  /** Type and shape of every input, constant and node output. */
  readonly values: ReadonlyMap<ValueId, ValueInfo>;
}

// ---------------------------------------------------------------- reading a graph

const UNARY_OPS: { readonly [Op in UnaryOp]: true } = {
  neg: true,
  abs: true,
  exp: true,
  log: true,
  sqrt: true,
  reciprocal: true,
  erf: true,
  relu: true,
  sigmoid: true,
  tanh: true,
  softplus: true,
  softsign: true,
  silu: true,
  mish: true,
  hardSwish: true,
  sign: true,
  floor: true,
  ceil: true,
  round: true,
  sin: true,
  cos: true,
  leakyRelu: true,
  elu: true,
  selu: true,
  hardSigmoid: true,
  clip: true,
  gelu: true,
};

/** True for the elementwise functions of one value (activations among them). */
export function isUnary(node: GraphNode): node is UnaryNode {
  return node.op in UNARY_OPS;
}

/** The values that a node reads, in the order of its fields. */
export function inputsOf(node: GraphNode): readonly ValueId[] {
  switch (node.op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "pow":
    case "maximum":
    case "minimum":
    case "matMul":
      return [node.a, node.b];
    case "gemm":
      return node.c === undefined ? [node.a, node.b] : [node.a, node.b, node.c];
    case "conv":
      return node.bias === undefined ? [node.x, node.weights] : [node.x, node.weights, node.bias];
    case "batchNormalization":
      return [node.x, node.scale, node.bias, node.mean, node.variance];
    case "concat":
      return node.inputs;
    default:
      return [node.x];
  }
}

/** The node that makes each value (inputs and constants have none). */
export function producersOf(graph: Graph): ReadonlyMap<ValueId, GraphNode> {
  return new Map(graph.nodes.map((node) => [node.output, node]));
}

/** Type and shape of a value; throws on an id that is not of this graph (a programming error). */
export function valueInfo(graph: Pick<Graph, "values">, id: ValueId): ValueInfo {
  const value = graph.values.get(id);
  if (!value) throw new Error(`No value ${id} in this graph`);
  return value;
}

// ---------------------------------------------------------------- shapes

/** Elements of a fixed shape (1 for a scalar). */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => dim !== BATCH);
}

/** Elements per record: the product of all axes but the batch axis. */
export function recordElements(shape: Shape): number {
  return shape.reduce<number>((product, dim) => (dim === BATCH ? product : product * dim), 1);
}

/** The shape with the batch axis replaced by a number of records. */
export function withBatch(shape: Shape, records: number): readonly number[] {
  return shape.map((dim) => (dim === BATCH ? records : dim));
}

/** `[batch, 1, 28, 28]` */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Elements between neighbours along each axis of a row-major tensor. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** What a submitter knows a node by: `Conv "/conv1/Conv"`. */
export function describeNode(node: Pick<GraphNode, "name" | "source">): string {
  return `${node.source} "${node.name}"`;
}
