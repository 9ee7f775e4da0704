/**
 * ONNX → Graph. Every node becomes one or a few graph nodes; sizes that exporters compute (Shape, Gather, Concat, …) are
 * resolved here, so that the graph has fixed shapes behind its batch axis.
 *
 * Semantics: the ONNX operator specification, opsets 6 to 24 (https://onnx.ai/onnx/operators/).
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { GraphBuilder } from "../builder.ts";
import { BATCH, type Dim, formatShape, type Graph, type Shape, type ValueId } from "../graph.ts";
import type { Operand } from "../operand.ts";
import { describeCode, dtypeOfCode } from "./dtypes.ts";
import type { GraphProto, NodeProto, ValueInfoProto } from "./generated/onnx_pb.ts";
import { NodeReader } from "./node.ts";
import { ELEMENTWISE } from "./operators/elementwise.ts";
import { LINEAR } from "./operators/linear.ts";
import { MOVEMENT } from "./operators/movement.ts";
import { REDUCTIONS } from "./operators/reductions.ts";
import { SIZES } from "./operators/sizes.ts";
import type { Imported, OperatorTable } from "./operators/table.ts";
import { isDefaultDomain, type OnnxFile, readOnnx } from "./read.ts";
import { readTensor } from "./tensors.ts";

const OPSET_MIN = 6;
const OPSET_MAX = 24;

const OPERATORS: ReadonlyMap<string, OperatorTable[string]> = new Map(
  [ELEMENTWISE, LINEAR, MOVEMENT, REDUCTIONS, SIZES].flatMap((table) => Object.entries(table)),
);

/** The operators of the default domain that import understands, sorted. */
export const ONNX_OPERATORS: readonly string[] = [...OPERATORS.keys()].sort();

/** Throws what `readOnnx` throws, and FluxError `model_unsupported` or `model_invalid` naming the node. */
export function importOnnx(bytes: Uint8Array): Graph {
  return importOnnxFile(readOnnx(bytes));
}

export function importOnnxFile(file: OnnxFile): Graph {
  const { graph, opset } = file;
  if (opset < OPSET_MIN || opset > OPSET_MAX) {
    throw new FluxError(
      "model_unsupported",
      `The model uses ONNX opset ${opset}; ${OPSET_MIN} to ${OPSET_MAX} are read. Export with opset 17, or convert with onnx.version_converter.convert_version(model, 17).`,
    );
  }
  const builder = new GraphBuilder(graph.name || "model");
  const operands = new Map<string, Operand>();
  const define = (name: string, operand: Operand): void => {
    if (operands.has(name)) {
      throw new FluxError("model_invalid", `Two parts of the model make the value "${name}". Export the model again.`);
    }
    operands.set(name, operand);
  };
  const fixedBatch = importInputs(graph, builder, define);
  importInitializers(graph, builder, define);
  const scope = { builder, opset, fixedBatch, operands };
  for (const proto of graph.node) {
    const reader = new NodeReader(proto, scope);
    const outputs = importNode(proto, reader);
    for (const [index, name] of proto.output.entries()) {
      const operand = outputs[index];
      if (name !== "" && operand) define(name, operand);
    }
  }
  for (const output of graph.output) builder.output(output.name, outputValue(output, operands));
  return builder.build();
}

// ---------------------------------------------------------------- nodes

function importNode(proto: NodeProto, reader: NodeReader): readonly (Operand | undefined)[] {
  const importOperator = isDefaultDomain(proto.domain) ? OPERATORS.get(proto.opType) : undefined;
  if (!importOperator) {
    const operator = isDefaultDomain(proto.domain) ? proto.opType : `${proto.domain}::${proto.opType}`;
    throw reader.unsupported(`the operator ${operator} is not supported here`, remedyFor(proto.opType));
  }
  const imported = importOperator(reader);
  reader.refuseUnreadAttributes();
  return asOperands(imported);
}

function asOperands(imported: Imported): readonly (Operand | undefined)[] {
  const list: readonly (ValueId | Operand | undefined)[] = Array.isArray(imported) ? imported : [imported];
  return list.map((entry) => (typeof entry === "string" ? { kind: "value", id: entry } : entry));
}

function remedyFor(operator: string): string {
  if (/^(LSTM|GRU|RNN|Scan|Loop|If)$/.test(operator)) {
    return 'Replace recurrence and control flow by convolutions or dense layers, or, for data that is public anyway, submit with privacy "public": donors then run the file as it is.';
  }
  if (/(Quantize|QLinear|Integer)/.test(operator)) return "Export the model before quantization, with float32 weights.";
  return 'Replace it in the model, or, for data that is public anyway, submit with privacy "public": donors then run the file as it is.';
}

// ---------------------------------------------------------------- inputs, weights, outputs

/** Adds the graph's inputs; returns whether the file fixes the batch to 1. */
function importInputs(
  graph: GraphProto,
  builder: GraphBuilder,
  define: (name: string, operand: Operand) => void,
): boolean {
  const initializers = new Set(graph.initializer.map((tensor) => tensor.name));
  const inputs = graph.input.filter((input) => !initializers.has(input.name));
  if (inputs.length === 0) {
    throw new FluxError("model_unsupported", "The model has no inputs, so no data can go through it. Export it again.");
  }
  let fixedBatch = false;
  for (const input of inputs) {
    const { dtype, declared } = inputType(input);
    const shape = recordAxes(input.name, declared);
    fixedBatch ||= declared[0] === 1;
    define(input.name, { kind: "value", id: builder.input(input.name, [BATCH, ...shape], dtype) });
  }
  return fixedBatch;
}

function inputType(input: ValueInfoProto) {
  const type = input.type?.value;
  const dtype = type?.case === "tensorType" ? dtypeOfCode(type.value.elemType) : undefined;
  if (type?.case !== "tensorType" || !dtype || !type.value.shape) {
    const found = type?.case === "tensorType" ? describeCode(type.value.elemType) : (type?.case ?? "no type");
    throw new FluxError(
      "model_unsupported",
      `The model's input "${input.name}" must be a tensor of numbers with a known shape (found: ${found}). Convert text and categories to numbers before the model.`,
      { param: input.name },
    );
  }
  // A length of 0 or less is how some exporters write "unknown"; a symbolic length is null.
  const declared = type.value.shape.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n
      ? Number(value.value)
      : (value.case === "dimParam" && value.value) || null,
  );
  return { dtype, declared };
}

/** The axes behind the batch axis, which must be fixed. */
function recordAxes(name: string, declared: readonly (number | string | null)[]): Shape {
  const shown = `[${declared.map((dim) => dim ?? "?").join(", ")}]`;
  const [first, ...rest] = declared;
  if (first === undefined || (typeof first === "number" && first !== 1)) {
    throw new FluxError(
      "model_unsupported",
      `The model's input "${name}" has shape ${shown}: axis 0 must be the batch axis. Export with a dynamic axis 0 (torch.onnx.export(…, dynamic_axes={"${name}": {0: "batch"}})), or with batch size 1.`,
      { param: name },
    );
  }
  return rest.map((dim, index): Dim => {
    if (typeof dim === "number") return dim;
    throw new FluxError(
      "model_unsupported",
      `The model's input "${name}" has shape ${shown}: axis ${index + 1} is dynamic, and only the batch axis may be. Export with a fixed length for axis ${index + 1}.`,
      { param: name },
    );
  });
}

function importInitializers(
  graph: GraphProto,
  builder: GraphBuilder,
  define: (name: string, operand: Operand) => void,
): void {
  if (graph.sparseInitializer.length > 0) {
    throw new FluxError("model_unsupported", "The model has sparse weights. Export it with dense weights.");
  }
  for (const proto of graph.initializer) {
    const { dtype, tensor } = readTensor(proto, `initializer "${proto.name}"`);
    define(proto.name, { kind: "value", id: builder.constant(proto.name, tensor, dtype) });
  }
}

function outputValue(output: ValueInfoProto, operands: ReadonlyMap<string, Operand>): ValueId {
  const operand = operands.get(output.name);
  if (!operand) {
    throw new FluxError("model_invalid", `Nothing makes the model's output "${output.name}". Export the model again.`, {
      param: output.name,
    });
  }
  if (operand.kind === "value") return operand.id;
  throw new FluxError(
    "model_unsupported",
    `The model's output "${output.name}" is a list of sizes (${formatShape(operand.dims)}), not a result per record. Export only the prediction as output.`,
    { param: output.name },
  );
}
