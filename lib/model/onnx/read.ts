/**
 * Reads an ONNX file and checks everything about its form: size, nesting, names, that each tensor holds what it
 * declares, that no weights live in other files. What the operators mean is for import.ts.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { decodeProtobuf } from "../protobuf.ts";
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
} from "./generated/onnx_pb.ts";
import { checkTensor } from "./tensors.ts";

export interface OnnxFile {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  /** Version of the default operator set (domain ""); 0 when the model imports none. */
  readonly opset: number;
  /** Bytes of all weights: initializers and tensors in attributes, subgraphs included. */
  readonly weightsBytes: number;
}

/** Throws FluxError `model_unreadable`, `model_external_data`, `model_too_large` or `model_invalid`. */
export function readOnnx(bytes: Uint8Array): OnnxFile {
  const model = decodeProtobuf(ModelProtoSchema, bytes, "an ONNX model");
  if (!model.graph || model.irVersion <= 0n) {
    throw new FluxError(
      "model_unreadable",
      "This is not an ONNX model: it has no graph or no IR version. Upload the .onnx file itself, not an archive or a checkpoint.",
    );
  }
  if (model.graph.output.length === 0) {
    throw new FluxError("model_invalid", "The ONNX model has no outputs. Export it again.");
  }
  const checker = new FileChecker();
  checker.graph(model.graph, 0);
  for (const fn of model.functions) checker.nodes(fn.node, 0);
  const defaultOpsets = model.opsetImport.filter((entry) => isDefaultDomain(entry.domain));
  const opset = Math.max(0, ...defaultOpsets.map((entry) => Number(entry.version)));
  return { model, graph: model.graph, opset, weightsBytes: checker.weightsBytes };
}

export function isDefaultDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

/** Walks graphs, nodes and attributes, subgraphs included. */
class FileChecker {
  weightsBytes = 0;
  #nodes = 0;

  graph(graph: GraphProto, depth: number): void {
    if (depth > MODEL_LIMITS.nesting) {
      throw new FluxError(
        "model_too_large",
        `Subgraphs (If, Loop, Scan) nest deeper than ${MODEL_LIMITS.nesting} levels. Export the model without control flow.`,
      );
    }
    for (const tensor of graph.initializer) {
      this.#name(tensor.name);
      this.weightsBytes += checkTensor(tensor, `initializer "${tensor.name}"`);
    }
    for (const sparse of graph.sparseInitializer) {
      for (const part of [sparse.values, sparse.indices]) {
        if (part) this.weightsBytes += checkTensor(part, `sparse initializer "${part.name}"`);
      }
    }
    for (const port of [...graph.input, ...graph.output, ...graph.valueInfo]) this.#name(port.name);
    this.nodes(graph.node, depth);
  }

  nodes(nodes: readonly NodeProto[], depth: number): void {
    this.#nodes += nodes.length;
    if (this.#nodes > MODEL_LIMITS.graphNodes) {
      throw new FluxError(
        "model_too_large",
        `The model has more than ${MODEL_LIMITS.graphNodes} nodes. Simplify it (onnxsim) or split it into several models.`,
      );
    }
    for (const node of nodes) {
      for (const name of [node.name, node.opType, node.domain, ...node.input, ...node.output]) this.#name(name);
      for (const attribute of node.attribute) this.#attribute(node, attribute, depth);
    }
  }

  #attribute(node: NodeProto, attribute: AttributeProto, depth: number): void {
    const owner = `attribute "${attribute.name}" of ${node.opType} "${node.name}"`;
    const sparse = attribute.sparseTensor ? [attribute.sparseTensor.values, attribute.sparseTensor.indices] : [];
    for (const tensor of [attribute.t, ...attribute.tensors, ...sparse]) {
      if (tensor) this.weightsBytes += checkTensor(tensor, owner);
    }
    for (const graph of [attribute.g, ...attribute.graphs]) if (graph) this.graph(graph, depth + 1);
  }

  #name(name: string): void {
    if (name.length <= MODEL_LIMITS.nameChars) return;
    throw new FluxError(
      "model_too_large",
      `A name in the model has ${name.length} characters ("${name.slice(0, 40)}…"); the limit is ${MODEL_LIMITS.nameChars}. Rename it and export again.`,
    );
  }
}
