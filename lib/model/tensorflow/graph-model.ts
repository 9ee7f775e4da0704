/** TensorFlow.js graph models (model.json with a GraphDef as JSON) → Graph. */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import type { Graph } from "../graph.ts";
import { importTfGraph } from "./graph/import.ts";
import { TF_DTYPE_NAMES, type TfAttribute, type TfNode, type TfPort } from "./graph/nodes.ts";
import type { TfjsModel } from "./model-json.ts";

/** 64-bit integers are written as text. */
const Integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d{1,18}$/)
    .transform(Number),
]);
/** Bytes are base64, or a list of character codes in old files. */
const Text = z.union([
  z.string().transform((base64, context) => {
    try {
      return atob(base64);
    } catch {
      context.addIssue({ code: "custom", message: "is not base64" });
      return z.NEVER;
    }
  }),
  z.array(z.int().min(0).max(255)).transform((codes) => String.fromCharCode(...codes.slice(0, MODEL_LIMITS.nameChars))),
]);
const ShapeJson = z.object({
  dim: z.array(z.object({ size: Integer.default(0) })).nullish(),
  unknownRank: z.boolean().nullish(),
});
const AttributeJson = z.looseObject({
  type: z.union([z.string(), z.number()]).nullish(),
  i: Integer.nullish(),
  f: z.number().nullish(),
  b: z.boolean().nullish(),
  s: Text.nullish(),
  shape: ShapeJson.nullish(),
  list: z.looseObject({ i: z.array(Integer).nullish(), s: z.array(Text).nullish() }).nullish(),
  func: z.looseObject({ name: z.string() }).nullish(),
});
const NodeJson = z.looseObject({
  name: z.string().max(MODEL_LIMITS.nameChars),
  op: z.string().max(MODEL_LIMITS.nameChars),
  input: z.array(z.string()).nullish(),
  attr: z.record(z.string(), AttributeJson).nullish(),
});
const TopologyJson = z.looseObject({ node: z.array(NodeJson).max(MODEL_LIMITS.graphNodes) });
const PortJson = z.looseObject({
  name: z.string(),
  dtype: z.string().nullish(),
  tensorShape: ShapeJson.nullish(),
});
const SignatureJson = z.looseObject({
  inputs: z.record(z.string(), PortJson),
  outputs: z.record(z.string(), PortJson),
});

export function importGraphModel(model: TfjsModel): Graph {
  const topology = TopologyJson.safeParse(model.topology);
  if (!topology.success) {
    const [issue] = topology.error.issues;
    throw new FluxError(
      "model_unreadable",
      `The graph in model.json is malformed: ${issue?.path.join(".")} ${issue?.message}. Convert the model again with tensorflowjs_converter.`,
    );
  }
  const signature = SignatureJson.safeParse(model.signature).data;
  return importTfGraph({
    name: "graph-model",
    nodes: topology.data.node.map(nodeOf),
    functions: new Map(),
    // An empty signature, as old converters write it, says nothing.
    inputs:
      signature && Object.keys(signature.inputs).length > 0 ? Object.entries(signature.inputs).map(portOf) : undefined,
    outputs:
      signature && Object.keys(signature.outputs).length > 0
        ? Object.entries(signature.outputs).map(portOf)
        : undefined,
    weights: model.weights,
    variable: () => undefined,
  });
}

function portOf([name, port]: [string, z.infer<typeof PortJson>]): TfPort {
  return { name, tensor: port.name, dtype: TF_DTYPE_NAMES.get(port.dtype ?? ""), shape: shapeOf(port.tensorShape) };
}

function shapeOf(shape: z.infer<typeof ShapeJson> | null | undefined): readonly number[] | undefined {
  if (!shape || shape.unknownRank === true) return undefined;
  return (shape.dim ?? []).map(({ size }) => size);
}

function nodeOf(node: z.infer<typeof NodeJson>): TfNode {
  const attributes = new Map<string, TfAttribute>();
  for (const [name, json] of Object.entries(node.attr ?? {})) {
    const attribute = attributeOf(json);
    if (attribute) attributes.set(name, attribute);
  }
  return {
    name: node.name,
    op: node.op,
    inputs: (node.input ?? []).filter((input) => !input.startsWith("^")),
    attributes,
  };
}

function attributeOf(json: z.infer<typeof AttributeJson>): TfAttribute | undefined {
  if (json.type !== undefined && json.type !== null) {
    return { kind: "dtype", value: typeof json.type === "string" ? TF_DTYPE_NAMES.get(json.type) : undefined };
  }
  if (json.i !== undefined && json.i !== null) return { kind: "int", value: json.i };
  if (json.f !== undefined && json.f !== null) return { kind: "float", value: json.f };
  if (json.b !== undefined && json.b !== null) return { kind: "bool", value: json.b };
  if (json.s !== undefined && json.s !== null) return { kind: "text", value: json.s };
  if (json.shape) return { kind: "shape", value: shapeOf(json.shape) };
  if (json.func) return { kind: "function", value: json.func.name };
  if (json.list?.s && json.list.s.length > 0) return { kind: "texts", value: json.list.s };
  if (json.list) return { kind: "ints", value: json.list.i ?? [] };
  return undefined;
}
