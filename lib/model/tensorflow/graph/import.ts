/**
 * TensorFlow graph → Graph. Only what the outputs need is imported, in topological order; calls of functions (as
 * SavedModel has them) are inlined, bounded in depth and in the number of nodes.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { GraphBuilder } from "../../builder.ts";
import { BATCH, type Dim, type Graph } from "../../graph.ts";
import { removeTransposes } from "../../layout.ts";
import { invalid, unsupported } from "../../shapes.ts";
import { type TfFunction, type TfGraph, type TfNode, type TfPort, TfReader, type TfValue } from "./nodes.ts";
import { TF_OPERATORS } from "./operators.ts";

type Outputs = readonly (TfValue | undefined)[];

/** The nodes of the graph or of one function call, and what has been made of them. */
interface Scope {
  readonly nodes: ReadonlyMap<string, TfNode>;
  readonly made: Map<string, Outputs>;
  readonly depth: number;
}

const CALLS: ReadonlySet<string> = new Set(["StatefulPartitionedCall", "PartitionedCall"]);

/** Throws FluxError `model_unsupported`, `model_invalid` or `model_too_large`, naming the node. */
export function importTfGraph(graph: TfGraph): Graph {
  return removeTransposes(new Importer(graph).run());
}

class Importer {
  readonly #graph: TfGraph;
  readonly #builder: GraphBuilder;
  #imported = 0;

  constructor(graph: TfGraph) {
    this.#graph = graph;
    this.#builder = new GraphBuilder(graph.name);
  }

  run(): Graph {
    const scope: Scope = { nodes: byName(this.#graph.nodes), made: new Map(), depth: 0 };
    for (const input of this.#graph.inputs ?? placeholders(this.#graph.nodes)) {
      scope.made.set(nodeOf(input.tensor), [{ kind: "value", id: this.#input(input, scope) }]);
    }
    for (const output of this.#graph.outputs ?? leaves(this.#graph.nodes)) {
      const value = this.#resolve(scope, output.tensor);
      if (value.kind !== "value")
        throw unsupported(namedPort(output), "is not a result per record", "Output the prediction only.");
      this.#builder.output(output.name, value.id);
    }
    return this.#builder.build();
  }

  #input(port: TfPort, scope: Scope) {
    const node = scope.nodes.get(nodeOf(port.tensor));
    const placeholder = node && new TfReader(this.#builder, node, []);
    const declared = port.shape ?? shapeAttribute(node);
    const dtype = port.dtype ?? placeholder?.dtype("dtype") ?? "float32";
    if (!declared || declared.length === 0) {
      throw unsupported(
        namedPort(port),
        "has no shape",
        "Save the model with an input signature that has a fixed shape.",
      );
    }
    const [batch, ...rest] = declared;
    if (batch !== -1 && batch !== 1) {
      throw unsupported(namedPort(port), `fixes the batch to ${batch}`, "Save the model with an open batch axis.");
    }
    const shape = rest.map((dim, index): Dim => {
      if (dim > 0) return dim;
      throw unsupported(
        namedPort(port),
        `has shape [${declared.map((entry) => (entry < 0 ? "?" : entry)).join(", ")}]: axis ${index + 1} is open, and only the batch axis may be`,
        `Save the model with a fixed length for axis ${index + 1}.`,
      );
    });
    return this.#builder.input(port.name, [BATCH, ...shape], dtype);
  }

  /** What a reference stands for; imports all that it needs first, without recursion over the graph's length. */
  #resolve(scope: Scope, reference: string): TfValue {
    const stack = [nodeOf(reference)];
    const waiting = new Set<string>();
    while (stack.length > 0) {
      const name = stack.at(-1)!;
      if (scope.made.has(name)) {
        stack.pop();
        continue;
      }
      const node = scope.nodes.get(name);
      if (!node)
        throw new FluxError("model_invalid", `The graph reads "${name}", which it does not have. Save it again.`);
      const missing = node.inputs.map(nodeOf).filter((input) => !scope.made.has(input));
      if (missing.length > 0) {
        if (waiting.has(name)) throw unsupported(named(node), "is part of a loop", "Use layers without recurrence.");
        waiting.add(name);
        stack.push(...missing);
        continue;
      }
      scope.made.set(name, this.#node(scope, node));
      stack.pop();
    }
    return this.#output(scope, reference);
  }

  #output(scope: Scope, reference: string): TfValue {
    const name = nodeOf(reference);
    const outputs = scope.made.get(name) ?? [];
    const node = scope.nodes.get(name);
    // `node:2`; in functions `node:output:2`, where only the first output of a batch normalization is called y.
    const [, label, position] = reference.split(":");
    const isNumber = label !== undefined && /^\d+$/.test(label);
    const index = isNumber ? Number(label) : Number(position ?? 0);
    const statistics = node?.op.startsWith("FusedBatchNorm") && label !== undefined && !isNumber && label !== "y";
    const value = statistics ? undefined : outputs[index];
    if (value) return value;
    throw unsupported(
      node ? named(node) : { name, source: "Argument" },
      `its output "${reference}" is not supported here`,
      "Save the model for inference only.",
    );
  }

  #node(scope: Scope, node: TfNode): Outputs {
    this.#imported++;
    if (this.#imported > MODEL_LIMITS.graphNodes) {
      throw new FluxError(
        "model_too_large",
        `The model has more than ${MODEL_LIMITS.graphNodes} nodes, functions included.`,
      );
    }
    const values = node.inputs.map((input) => this.#output(scope, input));
    const reader = new TfReader(this.#builder, node, values);
    if (node.op === "Const") return [this.#constant(reader)];
    if (CALLS.has(node.op)) return this.#call(scope, reader, values);
    if (node.op === "VarHandleOp" || node.op === "VariableV2") return [this.#handle(reader)];
    if (node.op === "ReadVariableOp") return [this.#read(reader)];
    const importOperator = Object.hasOwn(TF_OPERATORS, node.op) ? TF_OPERATORS[node.op] : undefined;
    if (!importOperator) {
      throw reader.unsupported(
        `the operator ${node.op} is not supported here`,
        'Replace it in the model, or, for data that is public anyway, submit with privacy "public".',
      );
    }
    const imported = importOperator(reader);
    const list = Array.isArray(imported) ? imported : [imported];
    return list.map((entry) => (typeof entry === "string" ? { kind: "value", id: entry } : entry));
  }

  #constant(reader: TfReader): TfValue {
    const stored = this.#graph.weights.get(reader.name);
    const literal = stored ? { dtype: reader.dtype("dtype"), tensor: stored } : reader.literal("value");
    if (!literal) throw reader.invalid("has no value among the weights");
    return { kind: "value", id: this.#builder.constant(reader.name, literal.tensor, literal.dtype) };
  }

  /** A resource variable is a handle that is read later; a TensorFlow 1 variable is its value. */
  #handle(reader: TfReader): TfValue {
    if (reader.node.op === "VariableV2") return this.#variable(reader, reader.name);
    const shared = reader.text("shared_name", "");
    return { kind: "variable", name: shared === "" ? reader.name : shared };
  }

  #read(reader: TfReader): TfValue {
    const handle = reader.any(0);
    return handle.kind === "variable" ? this.#variable(reader, handle.name) : handle;
  }

  #variable(reader: TfReader, name: string): TfValue {
    const tensor = this.#graph.variable(name);
    if (!tensor) throw reader.invalid(`the variable "${name}" is not in the checkpoint`);
    return { kind: "value", id: this.#builder.constant(name, tensor) };
  }

  #call(scope: Scope, reader: TfReader, values: readonly TfValue[]): Outputs {
    const name = reader.functionName("f") ?? "";
    const fn = this.#graph.functions.get(name);
    if (!fn) throw reader.invalid(`calls "${name}", which the model does not have`);
    if (scope.depth >= MODEL_LIMITS.functionDepth) {
      throw new FluxError(
        "model_too_large",
        `Functions call each other deeper than ${MODEL_LIMITS.functionDepth} levels.`,
      );
    }
    if (fn.arguments.length !== values.length) throw reader.invalid(`passes ${values.length} arguments to "${name}"`);
    const made = new Map(fn.arguments.map((argument, index): [string, Outputs] => [argument, [values[index]!]]));
    const inner: Scope = { nodes: functionNodes(fn), made, depth: scope.depth + 1 };
    return fn.results.map((result) => this.#resolve(inner, result));
  }
}

// ---------------------------------------------------------------- helpers

/** `node:1` and `node:output:1` → `node`. */
function nodeOf(reference: string): string {
  const colon = reference.indexOf(":");
  return colon < 0 ? reference : reference.slice(0, colon);
}

function byName(nodes: readonly TfNode[]): ReadonlyMap<string, TfNode> {
  const map = new Map<string, TfNode>();
  for (const node of nodes) {
    if (map.has(node.name)) throw invalid(named(node), "appears twice");
    map.set(node.name, node);
  }
  return map;
}

const functionNodeMaps = new WeakMap<TfFunction, ReadonlyMap<string, TfNode>>();
function functionNodes(fn: TfFunction): ReadonlyMap<string, TfNode> {
  let nodes = functionNodeMaps.get(fn);
  if (!nodes) {
    nodes = byName(fn.nodes);
    functionNodeMaps.set(fn, nodes);
  }
  return nodes;
}

function placeholders(nodes: readonly TfNode[]): readonly TfPort[] {
  const found = nodes.filter((node) => node.op === "Placeholder");
  if (found.length === 0) {
    throw new FluxError(
      "model_unsupported",
      "The graph has no Placeholder, so no data can go through it. Save it again.",
    );
  }
  return found.map((node) => ({ name: node.name, tensor: `${node.name}:0`, dtype: undefined, shape: undefined }));
}

/** Nodes that nothing reads, in the order of the file. */
function leaves(nodes: readonly TfNode[]): readonly TfPort[] {
  const read = new Set(nodes.flatMap((node) => node.inputs.map(nodeOf)));
  return nodes
    .filter((node) => !read.has(node.name) && node.op !== "Const" && node.op !== "Placeholder" && node.op !== "NoOp")
    .map((node) => ({ name: node.name, tensor: `${node.name}:0`, dtype: undefined, shape: undefined }));
}

function shapeAttribute(node: TfNode | undefined): readonly number[] | undefined {
  const shape = node?.attributes.get("shape");
  return shape?.kind === "shape" ? shape.value : undefined;
}

function named(node: TfNode) {
  return { name: node.name, source: node.op };
}

function namedPort(port: TfPort) {
  return { name: port.name, source: "Signature" };
}
