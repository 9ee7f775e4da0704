/** Writes ONNX files node by node, so that tests can say exactly what an exporter would. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { DType } from "#lib/model/graph.ts";
import { codeOfDtype, DTYPE_BYTES } from "#lib/model/onnx/dtypes.ts";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "#lib/model/onnx/generated/onnx_pb.ts";

export interface TensorSpec {
  readonly dtype?: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[] | Float32Array | Float64Array;
}

/** Integers, `{ f }` for floats, text, integer lists, `{ floats }`, `{ tensor }`, `{ graph }`. */
export type AttributeSpec =
  | number
  | { readonly f: number }
  | string
  | readonly number[]
  | { readonly floats: readonly number[] }
  | { readonly tensor: TensorSpec }
  | { readonly graph: GraphProto };

export interface NodeSpec {
  readonly op: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
}

export interface PortSpec {
  readonly name: string;
  readonly dtype?: DType;
  /** Text is a symbolic length; null is unknown. */
  readonly shape?: readonly (number | string | null)[];
}

export interface ModelSpec {
  readonly opset?: number;
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  readonly initializers?: Readonly<Record<string, TensorSpec>>;
  readonly nodes: readonly NodeSpec[];
}

export function onnxFile(spec: ModelSpec): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: BigInt(spec.opset ?? 17) }],
    graph: onnxGraph(spec),
  });
  return toBinary(ModelProtoSchema, model);
}

export function onnxGraph(spec: ModelSpec): GraphProto {
  return create(GraphProtoSchema, {
    name: "test",
    node: spec.nodes.map(nodeProto),
    initializer: Object.entries(spec.initializers ?? {}).map(([name, tensor]) => tensorProto(name, tensor)),
    input: spec.inputs.map(portProto),
    output: spec.outputs.map(portProto),
  });
}

function portProto(port: PortSpec) {
  const dim = (port.shape ?? []).map((length) => {
    if (length === null) return {};
    return typeof length === "number"
      ? { value: { case: "dimValue" as const, value: BigInt(length) } }
      : { value: { case: "dimParam" as const, value: length } };
  });
  const elemType = codeOfDtype(port.dtype ?? "float32");
  const type = port.shape ? { elemType, shape: { dim } } : { elemType };
  return { name: port.name, type: { value: { case: "tensorType" as const, value: type } } };
}

function nodeProto(node: NodeSpec, index: number) {
  return create(NodeProtoSchema, {
    name: node.name ?? `${node.op}_${index}`,
    opType: node.op,
    domain: node.domain ?? "",
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes ?? {}).map(([name, value]) => attributeProto(name, value)),
  });
}

function attributeProto(name: string, value: AttributeSpec) {
  if (typeof value === "number")
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if ("f" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.f });
  if ("floats" in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...value.floats] });
  if ("tensor" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: tensorProto("", value.tensor) });
  }
  if ("graph" in value) return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.graph });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

export function tensorProto(name: string, tensor: TensorSpec): TensorProto {
  const dtype = tensor.dtype ?? "float32";
  const rawData = new Uint8Array(tensor.data.length * DTYPE_BYTES[dtype]);
  const view = new DataView(rawData.buffer);
  for (const [i, value] of Array.from(tensor.data).entries()) {
    if (dtype === "float32") view.setFloat32(4 * i, value, true);
    else if (dtype === "int64") view.setBigInt64(8 * i, BigInt(value), true);
    else if (dtype === "int32") view.setInt32(4 * i, value, true);
    else if (dtype === "bool" || dtype === "uint8") view.setUint8(i, value);
    else throw new Error(`The tests do not write ${dtype}`);
  }
  return create(TensorProtoSchema, { name, dims: tensor.shape.map(BigInt), dataType: codeOfDtype(dtype), rawData });
}

/** Deterministic values in −1..1 that no operator finds special. */
export function wave(count: number, phase = 0): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + phase) * 0.9 + 0.05);
}
