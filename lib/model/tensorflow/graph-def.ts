/** GraphDef protobuf → the reader's nodes; frozen graphs (`.pb`) → Graph. */
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { type DType, elementCount, type Graph, type Tensor } from "../graph.ts";
import { DTYPE_BYTES } from "../onnx/dtypes.ts";
import { decodeRaw } from "../onnx/tensors.ts";
import { decodeProtobuf } from "../protobuf.ts";
import {
  type AttrValue,
  type FunctionDef,
  type GraphDef,
  GraphDefSchema,
  type NodeDef,
  type TensorProto,
  type TensorShapeProto,
} from "./generated/tensorflow_pb.ts";
import { importTfGraph } from "./graph/import.ts";
import { TF_DTYPES, type TfAttribute, type TfFunction, type TfNode } from "./graph/nodes.ts";

/** A frozen graph: inputs are its Placeholders, outputs what nothing reads. */
export function importFrozenGraph(bytes: Uint8Array): Graph {
  const graph = decodeProtobuf(GraphDefSchema, bytes, "a TensorFlow graph");
  if (graph.node.length === 0 || graph.node.some((node) => node.op === "")) {
    throw new FluxError(
      "model_unreadable",
      "This is not a TensorFlow graph: it has no nodes. Upload the frozen .pb file itself.",
    );
  }
  return importTfGraph({
    name: "frozen-graph",
    ...readGraphDef(graph),
    inputs: undefined,
    outputs: undefined,
    weights: new Map(),
    variable: () => undefined,
  });
}

export function readGraphDef(graph: GraphDef): {
  readonly nodes: readonly TfNode[];
  readonly functions: ReadonlyMap<string, TfFunction>;
} {
  const functions = (graph.library?.function ?? []).map(readFunction);
  const total = functions.reduce((sum, fn) => sum + fn.nodes.length, graph.node.length);
  if (total > MODEL_LIMITS.graphNodes) {
    throw new FluxError("model_too_large", `The graph has ${total} nodes; the limit is ${MODEL_LIMITS.graphNodes}.`);
  }
  return { nodes: graph.node.map(readNode), functions: new Map(functions.map((fn) => [fn.name, fn])) };
}

function readFunction(fn: FunctionDef): TfFunction {
  return {
    name: fn.signature?.name ?? "",
    nodes: fn.nodeDef.map(readNode),
    arguments: (fn.signature?.inputArg ?? []).map((argument) => argument.name),
    results: (fn.signature?.outputArg ?? []).map((result) => fn.ret[result.name] ?? ""),
  };
}

function readNode(node: NodeDef): TfNode {
  const attributes = new Map<string, TfAttribute>();
  for (const [name, value] of Object.entries(node.attr)) {
    const attribute = readAttribute(value, node.name);
    if (attribute) attributes.set(name, attribute);
  }
  return { name: node.name, op: node.op, inputs: node.input.filter((input) => !input.startsWith("^")), attributes };
}

const decoder = new TextDecoder();

function readAttribute({ value }: AttrValue, node: string): TfAttribute | undefined {
  switch (value.case) {
    case "s":
      return { kind: "text", value: decoder.decode(value.value) };
    case "i":
      return { kind: "int", value: Number(value.value) };
    case "f":
      return { kind: "float", value: value.value };
    case "b":
      return { kind: "bool", value: value.value };
    case "type":
      return { kind: "dtype", value: TF_DTYPES.get(value.value) };
    case "shape":
      return { kind: "shape", value: readShape(value.value) };
    case "tensor": {
      const tensor = value.value;
      return { kind: "tensor", value: () => readTfTensor(tensor, node) };
    }
    case "list":
      return value.value.s.length > 0
        ? { kind: "texts", value: value.value.s.map((text) => decoder.decode(text)) }
        : { kind: "ints", value: value.value.i.map(Number) };
    case "func":
      return { kind: "function", value: value.value.name };
    default:
      return undefined;
  }
}

/** −1 for an open length; undefined for an open rank. */
export function readShape(shape: TensorShapeProto | undefined): readonly number[] | undefined {
  return !shape || shape.unknownRank ? undefined : shape.dim.map((dim) => Number(dim.size));
}

/** Throws FluxError `model_unsupported` (not numbers), `model_invalid` or `model_too_large`. */
export function readTfTensor(tensor: TensorProto, owner: string): { dtype: DType; tensor: Tensor } {
  const dtype = TF_DTYPES.get(tensor.dtype);
  if (!dtype) {
    throw new FluxError(
      "model_unsupported",
      `The constant "${owner}" does not hold numbers. Convert text before the model.`,
      {
        param: owner,
      },
    );
  }
  const shape = readShape(tensor.tensorShape) ?? [];
  const elements = elementCount(shape);
  if (
    shape.length > MODEL_LIMITS.tensorRank ||
    shape.some((dim) => dim < 0) ||
    elements > MODEL_LIMITS.tensorElements
  ) {
    throw new FluxError(
      "model_too_large",
      `The constant "${owner}" declares [${shape.join(", ")}] values. Use a smaller layer.`,
      {
        param: owner,
      },
    );
  }
  if (tensor.tensorContent.length > 0) {
    if (tensor.tensorContent.length !== elements * DTYPE_BYTES[dtype]) {
      throw new FluxError(
        "model_invalid",
        `The constant "${owner}" declares [${shape.join(", ")}] ${dtype} but holds ${tensor.tensorContent.length} bytes. Save the model again.`,
        { param: owner },
      );
    }
    return { dtype, tensor: { shape, data: decodeRaw(tensor.tensorContent, dtype) } };
  }
  // One number may stand for a whole tensor: then its size is only bounded here.
  if (elements > MODEL_LIMITS.valueElements) {
    throw new FluxError(
      "model_too_large",
      `The constant "${owner}" repeats a number ${elements} times. Use a smaller layer.`,
      {
        param: owner,
      },
    );
  }
  return { dtype, tensor: { shape, data: repeatLast(listOf(tensor, dtype), elements, dtype) } };
}

function listOf(tensor: TensorProto, dtype: DType): readonly (number | bigint | boolean)[] {
  switch (dtype) {
    case "float32":
      return tensor.floatVal;
    case "float64":
      return tensor.doubleVal;
    case "int64":
      return tensor.int64Val;
    case "bool":
      return tensor.boolVal;
    case "float16":
    case "bfloat16": {
      const bits = Uint16Array.from(tensor.halfVal);
      return [...decodeRaw(new Uint8Array(bits.buffer), dtype)];
    }
    default:
      return tensor.intVal;
  }
}

/** The list's last value stands for all that follow; an empty list is zeros. */
function repeatLast(
  list: readonly (number | bigint | boolean)[],
  elements: number,
  dtype: DType,
): Float32Array | Float64Array {
  const data = dtype === "float32" ? new Float32Array(elements) : new Float64Array(elements);
  for (let i = 0; i < Math.min(elements, list.length); i++) data[i] = Number(list[i]);
  if (list.length > 0) data.fill(Number(list.at(-1)), Math.min(elements, list.length));
  return data;
}
