/**
 * Graph → ONNX file (opset 20, IR 9): for models trained or converted here. `importOnnx(writeOnnx(graph))` computes the
 * same function.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  BATCH,
  type DType,
  formatShape,
  type Graph,
  type GraphNode,
  type GraphPort,
  isStatic,
  isUnary,
  type Shape,
  type Tensor,
  type UnaryNode,
  type ValueId,
  valueInfo,
} from "../graph.ts";
import { codeOfDtype, DTYPE_BYTES } from "./dtypes.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.ts";

const OPSET = 20;
const IR_VERSION = 9;

type AttributeValue = number | { readonly float: number } | string | readonly number[];
type Attributes = Readonly<Record<string, AttributeValue>>;

/** Throws an Error for what ONNX cannot say (expanding a constant to the batch) and for 16-bit float weights. */
export function writeOnnx(graph: Graph, producer = "flux"): Uint8Array {
  const writer = new Writer(graph);
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: producer,
    opsetImport: [{ domain: "", version: BigInt(OPSET) }],
    graph: { name: graph.name, ...writer.parts() },
  });
  return toBinary(ModelProtoSchema, model);
}

class Writer {
  readonly #graph: Graph;
  readonly #names = new Map<ValueId, string>();
  readonly #valueNames = new NameTable();
  readonly #nodeNames = new NameTable();
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    for (const port of graph.inputs) this.#names.set(port.id, this.#fresh(port.name));
    for (const port of graph.outputs) {
      const made = graph.nodes.some((node) => node.output === port.id);
      if (made && !this.#names.has(port.id)) this.#names.set(port.id, this.#fresh(port.name));
    }
    for (const id of graph.values.keys()) if (!this.#names.has(id)) this.#names.set(id, this.#fresh(id));
  }

  parts() {
    for (const [id, tensor] of this.#graph.constants) {
      this.#initializers.push(tensorProto(this.#name(id), tensor, valueInfo(this.#graph, id).dtype));
    }
    for (const node of this.#graph.nodes) this.#write(node);
    for (const port of this.#graph.outputs) {
      if (this.#name(port.id) !== port.name) this.#emit("Identity", port.name, [this.#name(port.id)], port.name);
    }
    return {
      node: this.#nodes,
      initializer: this.#initializers,
      input: this.#graph.inputs.map(portProto),
      output: this.#graph.outputs.map(portProto),
    };
  }

  // -------------------------------------------------------------- nodes

  #write(node: GraphNode) {
    const emit = (operator: string, inputs: readonly string[], attributes: Attributes = {}) =>
      this.#emit(operator, node.name, inputs, this.#name(node.output), attributes);
    if (isUnary(node)) return this.#writeUnary(node);
    switch (node.op) {
      case "add":
      case "sub":
      case "mul":
      case "div":
      case "pow":
      case "maximum":
      case "minimum":
        return emit(BINARY_NAMES[node.op], [this.#name(node.a), this.#name(node.b)]);
      case "matMul":
        return emit("MatMul", [this.#name(node.a), this.#name(node.b)]);
      case "gemm":
        return emit("Gemm", this.#list(node.a, node.b, node.c), {
          alpha: { float: node.alpha },
          beta: { float: node.beta },
          transA: Number(node.transA),
          transB: Number(node.transB),
        });
      case "conv":
        return emit("Conv", this.#list(node.x, node.weights, node.bias), {
          ...windowAttributes(node.window),
          group: node.groups,
        });
      case "averagePool":
        return emit("AveragePool", this.#list(node.x), {
          ...windowAttributes(node.window),
          ceil_mode: Number(node.ceilMode),
          count_include_pad: Number(node.countIncludePad),
        });
      case "maxPool":
        return emit("MaxPool", this.#list(node.x), {
          ...windowAttributes(node.window),
          ceil_mode: Number(node.ceilMode),
        });
      case "batchNormalization":
        return this.#writeBatchNormalization(node);
      case "reduceMean":
      case "reduceSum":
      case "reduceMax":
      case "reduceMin":
      case "reduceProd":
        return emit(REDUCE_NAMES[node.op], [this.#name(node.x), this.#integers(node, "axes", node.axes)], {
          keepdims: Number(node.keepDims),
        });
      case "argMax":
        return emit("ArgMax", [this.#name(node.x)], {
          axis: node.axis,
          keepdims: Number(node.keepDims),
          select_last_index: Number(node.selectLast),
        });
      case "softmax":
        return emit("Softmax", [this.#name(node.x)], { axis: node.axis });
      case "logSoftmax":
        return emit("LogSoftmax", [this.#name(node.x)], { axis: node.axis });
      case "cast":
        return emit("Cast", [this.#name(node.x)], { to: codeOfDtype(node.to) });
      case "reshape": {
        const shape = node.shape.map((dim) => (dim === BATCH ? -1 : dim));
        return emit("Reshape", [this.#name(node.x), this.#integers(node, "shape", shape)]);
      }
      case "transpose":
        return emit("Transpose", [this.#name(node.x)], { perm: node.perm });
      case "concat":
        return emit("Concat", this.#list(...node.inputs), { axis: node.axis });
      case "slice":
        return this.#writeSlice(node);
      case "gather":
        return emit("Gather", [this.#name(node.x), this.#integers(node, "indices", node.indices, node.indicesShape)], {
          axis: node.axis,
        });
      case "pad":
        return this.#writePad(node);
      case "expand":
        return this.#writeExpand(node);
    }
  }

  #writeUnary(node: UnaryNode) {
    const x = this.#name(node.x);
    const output = this.#name(node.output);
    const emit = (operator: string, attributes: Attributes = {}, more: readonly string[] = []) =>
      this.#emit(operator, node.name, [x, ...more], output, attributes);
    switch (node.op) {
      case "leakyRelu":
        return emit("LeakyRelu", { alpha: { float: node.alpha } });
      case "elu":
        return emit("Elu", { alpha: { float: node.alpha } });
      case "selu":
        return emit("Selu", { alpha: { float: node.alpha }, gamma: { float: node.gamma } });
      case "hardSigmoid":
        return emit("HardSigmoid", { alpha: { float: node.alpha }, beta: { float: node.beta } });
      case "gelu":
        return emit("Gelu", { approximate: node.approximate });
      case "clip": {
        const bound = (name: string, value: number) =>
          Number.isFinite(value) ? this.#scalar(node, name, value, valueInfo(this.#graph, node.x).dtype) : "";
        const bounds = [bound("min", node.min), bound("max", node.max)];
        return emit("Clip", {}, bounds[1] === "" ? bounds.slice(0, bounds[0] === "" ? 0 : 1) : bounds);
      }
      case "silu": {
        const gate = this.#fresh(`${output}/gate`);
        this.#emit("Sigmoid", `${node.name}/gate`, [x], gate);
        return emit("Mul", {}, [gate]);
      }
      default:
        return emit(UNARY_NAMES[node.op]);
    }
  }

  /** ONNX normalizes axis 1 only; along another axis it is written as a product and a sum. */
  #writeBatchNormalization(node: Extract<GraphNode, { op: "batchNormalization" }>): void {
    const output = this.#name(node.output);
    const parameters = [node.scale, node.bias, node.mean, node.variance];
    if (node.axis === 1) {
      const epsilon = { epsilon: { float: node.epsilon } };
      this.#emit("BatchNormalization", node.name, this.#list(node.x, ...parameters), output, epsilon);
      return;
    }
    const [scale, bias, mean, variance] = parameters.map((id) => this.#graph.constants.get(id)?.data);
    if (!scale || !bias || !mean || !variance) throw new Error(`${node.name}: its parameters are computed from data`);
    const channels = scale.length;
    const shape = [
      channels,
      ...valueInfo(this.#graph, node.x)
        .shape.slice(node.axis + 1)
        .map(() => 1),
    ];
    const factors = Float32Array.from(
      { length: channels },
      (_, c) => scale[c]! / Math.sqrt(variance[c]! + node.epsilon),
    );
    const shifts = Float32Array.from({ length: channels }, (_, c) => bias[c]! - mean[c]! * factors[c]!);
    const scaled = this.#fresh(`${output}/scaled`);
    const factor = this.#initializer(`${output}/factor`, { shape, data: factors }, "float32");
    const shift = this.#initializer(`${output}/shift`, { shape, data: shifts }, "float32");
    this.#emit("Mul", `${node.name}/scale`, [this.#name(node.x), factor], scaled);
    this.#emit("Add", node.name, [scaled, shift], output);
  }

  #writeSlice(node: Extract<GraphNode, { op: "slice" }>): void {
    const axes = node.counts.flatMap((count, axis) => (count === BATCH ? [] : [axis]));
    const lengths = valueInfo(this.#graph, node.x).shape;
    const ends = axes.map((axis) => {
      const end = node.starts[axis]! + Number(node.counts[axis]) * node.steps[axis]!;
      // A negative end counts from the back: one before the front is −length − 1.
      return end < 0 ? -Number(lengths[axis]) - 1 : end;
    });
    const inputs = [
      this.#name(node.x),
      this.#integers(
        node,
        "starts",
        axes.map((axis) => node.starts[axis]!),
      ),
      this.#integers(node, "ends", ends),
      this.#integers(node, "axes", axes),
      this.#integers(
        node,
        "steps",
        axes.map((axis) => node.steps[axis]!),
      ),
    ];
    this.#emit("Slice", node.name, inputs, this.#name(node.output));
  }

  #writePad(node: Extract<GraphNode, { op: "pad" }>): void {
    const value = this.#scalar(node, "value", node.value, valueInfo(this.#graph, node.x).dtype);
    const pads = this.#integers(node, "pads", [...node.before, ...node.after]);
    this.#emit("Pad", node.name, [this.#name(node.x), pads, value], this.#name(node.output), { mode: node.mode });
  }

  #writeExpand(node: Extract<GraphNode, { op: "expand" }>): void {
    if (!isStatic(node.shape) && isStatic(valueInfo(this.#graph, node.x).shape)) {
      throw new Error(`${node.name}: a constant expanded to the batch cannot be written as ONNX`);
    }
    // A length of 1 keeps the input's.
    const shape = node.shape.map((dim) => (dim === BATCH ? 1 : dim));
    this.#emit(
      "Expand",
      node.name,
      [this.#name(node.x), this.#integers(node, "shape", shape)],
      this.#name(node.output),
    );
  }

  #emit(operator: string, name: string, input: readonly string[], output: string, attributes: Attributes = {}): void {
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    // Runtimes want every node to have its own name, but one layer of a source file may be several nodes.
    const unique = this.#nodeNames.fresh(name);
    const proto = { opType: operator, name: unique, input: [...input], output: [output], attribute };
    this.#nodes.push(create(NodeProtoSchema, proto));
  }

  // -------------------------------------------------------------- names and constants

  #name(id: ValueId): string {
    return this.#names.get(id)!;
  }

  #list(...ids: readonly (ValueId | undefined)[]): readonly string[] {
    return ids.filter((id) => id !== undefined).map((id) => this.#name(id));
  }

  #integers(
    node: GraphNode,
    role: string,
    values: readonly number[],
    shape: readonly number[] = [values.length],
  ): string {
    return this.#initializer(`${this.#name(node.output)}/${role}`, { shape, data: Float64Array.from(values) }, "int64");
  }

  #scalar(node: GraphNode, role: string, value: number, dtype: DType): string {
    return this.#initializer(`${this.#name(node.output)}/${role}`, { shape: [], data: Float64Array.of(value) }, dtype);
  }

  #initializer(wish: string, tensor: Tensor, dtype: DType): string {
    const name = this.#fresh(wish);
    this.#initializers.push(tensorProto(name, tensor, dtype));
    return name;
  }

  #fresh(wish: string): string {
    return this.#valueNames.fresh(wish);
  }
}

/** Names that were given out; a wish that is taken gets a number. */
class NameTable {
  readonly #taken = new Set<string>();
  readonly #suffixes = new Map<string, number>();

  fresh(wish: string): string {
    let name = wish;
    let suffix = this.#suffixes.get(wish) ?? 2;
    for (; this.#taken.has(name); suffix++) name = `${wish}_${suffix}`;
    this.#suffixes.set(wish, suffix);
    this.#taken.add(name);
    return name;
  }
}

// ---------------------------------------------------------------- names of operators

const BINARY_NAMES = {
  add: "Add",
  sub: "Sub",
  mul: "Mul",
  div: "Div",
  pow: "Pow",
  maximum: "Max",
  minimum: "Min",
} as const;

const REDUCE_NAMES = {
  reduceMean: "ReduceMean",
  reduceSum: "ReduceSum",
  reduceMax: "ReduceMax",
  reduceMin: "ReduceMin",
  reduceProd: "ReduceProd",
} as const;

const UNARY_NAMES = {
  neg: "Neg",
  abs: "Abs",
  exp: "Exp",
  log: "Log",
  sqrt: "Sqrt",
  reciprocal: "Reciprocal",
  erf: "Erf",
  relu: "Relu",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  softsign: "Softsign",
  mish: "Mish",
  hardSwish: "HardSwish",
  sign: "Sign",
  floor: "Floor",
  ceil: "Ceil",
  round: "Round",
  sin: "Sin",
  cos: "Cos",
} as const;

function windowAttributes(window: Extract<GraphNode, { op: "conv" }>["window"]): Attributes {
  return {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: [...window.padsBegin, ...window.padsEnd],
  };
}

// ---------------------------------------------------------------- messages

function attributeProto(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === "number")
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function portProto(port: GraphPort): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name: port.name,
    type: {
      value: {
        case: "tensorType",
        value: { elemType: codeOfDtype(port.dtype), shape: { dim: dimensions(port.shape) } },
      },
    },
  });
}

function dimensions(shape: Shape) {
  return shape.map((dim) => ({
    value:
      dim === BATCH ? { case: "dimParam" as const, value: "batch" } : { case: "dimValue" as const, value: BigInt(dim) },
  }));
}

function tensorProto(name: string, tensor: Tensor, dtype: DType): TensorProto {
  const dims = tensor.shape.map(BigInt);
  return create(TensorProtoSchema, {
    name,
    dims,
    dataType: codeOfDtype(dtype),
    rawData: rawBytes(name, tensor, dtype),
  });
}

/** Little-endian elements. */
function rawBytes(name: string, tensor: Tensor, dtype: DType): Uint8Array {
  const width = DTYPE_BYTES[dtype];
  const bytes = new Uint8Array(tensor.data.length * width);
  const view = new DataView(bytes.buffer);
  const write = ELEMENT_WRITERS[dtype];
  if (!write) throw new Error(`${name} ${formatShape(tensor.shape)}: ${dtype} is not written; use float32`);
  for (const [i, value] of tensor.data.entries()) write(view, i * width, value);
  return bytes;
}

const ELEMENT_WRITERS: Readonly<Record<DType, ((view: DataView, offset: number, value: number) => void) | undefined>> =
  {
    float32: (view, offset, value) => view.setFloat32(offset, value, true),
    float64: (view, offset, value) => view.setFloat64(offset, value, true),
    float16: undefined,
    bfloat16: undefined,
    int8: (view, offset, value) => view.setInt8(offset, value),
    int16: (view, offset, value) => view.setInt16(offset, value, true),
    int32: (view, offset, value) => view.setInt32(offset, value, true),
    int64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
    uint8: (view, offset, value) => view.setUint8(offset, value),
    uint16: (view, offset, value) => view.setUint16(offset, value, true),
    uint32: (view, offset, value) => view.setUint32(offset, value, true),
    uint64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
    bool: (view, offset, value) => view.setUint8(offset, value),
  };
