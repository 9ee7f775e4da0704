/**
 * The ONNX project's own operator test vectors (Debian: `apt-get install libonnx-testdata`), as far as they can be asked
 * of a graph whose axis 0 is the batch: the vectors fix every length and pass weights as inputs. A case is tried with all
 * inputs as data, axis 0 made symbolic, and with all but the first input turned to constants.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { clone, create, fromBinary } from "@bufbuild/protobuf";
import { evaluate } from "#lib/model/evaluate.ts";
import type { Graph, Tensor } from "#lib/model/graph.ts";
import {
  type ModelProto,
  ModelProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
} from "#lib/model/onnx/generated/onnx_pb.ts";
import { importOnnxFile } from "#lib/model/onnx/import.ts";
import { isDefaultDomain } from "#lib/model/onnx/read.ts";
import { checkTensor, readTensor } from "#lib/model/onnx/tensors.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

export const VECTOR_FOLDERS = ["node", "pytorch-operator", "pytorch-converted", "simple"] as const;

export interface Vector {
  readonly name: string;
  readonly model: ModelProto;
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

export type Outcome =
  | { readonly kind: "equal" }
  | { readonly kind: "different"; readonly error: number }
  /** Import refused both variants; `reason` is the first refusal. */
  | { readonly kind: "refused"; readonly code: string; readonly reason: string }
  /** Not a question for this importer: no numeric input, sequences, … */
  | { readonly kind: "skipped" };

export function listVectors(root: string): readonly string[] {
  return VECTOR_FOLDERS.flatMap((folder) => {
    const path = join(root, folder);
    return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
  }).filter((path) => existsSync(join(path, "model.onnx")) && existsSync(join(path, "test_data_set_0")));
}

export function readVector(path: string): Vector {
  const data = join(path, "test_data_set_0");
  const files = (prefix: string) =>
    readdirSync(data)
      .filter((name) => name.startsWith(prefix))
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
      .map((name) => readFileSync(join(data, name)));
  return {
    name: path.split("/").slice(-2).join("/"),
    model: fromBinary(ModelProtoSchema, readFileSync(join(path, "model.onnx"))),
    inputs: files("input_"),
    outputs: files("output_"),
  };
}

export function operatorsOf(vector: Vector): readonly string[] {
  return (vector.model.graph?.node ?? []).map((node) =>
    isDefaultDomain(node.domain) ? node.opType : `${node.domain}::${node.opType}`,
  );
}

export function runVector(vector: Vector): Outcome {
  const tensors = vector.inputs.map(decode);
  const expected = vector.outputs.map(decode);
  if (tensors.length === 0 || [...tensors, ...expected].some((tensor) => tensor === undefined))
    return { kind: "skipped" };
  let refusal: Outcome = { kind: "skipped" };
  for (const constants of [0, tensors.length - 1]) {
    if (constants === 0 || tensors.length > 1) {
      const outcome = runVariant(vector, tensors as readonly Tensor[], expected as readonly Tensor[], constants);
      if (outcome.kind === "equal" || outcome.kind === "different") return outcome;
      if (refusal.kind === "skipped") refusal = outcome;
    }
  }
  return refusal;
}

/** The last `constants` inputs become initializers; the others are data. */
function runVariant(
  vector: Vector,
  tensors: readonly Tensor[],
  expected: readonly Tensor[],
  constants: number,
): Outcome {
  const model = clone(ModelProtoSchema, vector.model);
  const graph = model.graph;
  if (!graph) return { kind: "skipped" };
  const dataInputs = graph.input.length - constants;
  for (const [index, input] of graph.input.entries()) {
    if (index >= dataInputs) {
      const bytes = vector.inputs[index];
      if (!bytes) return { kind: "skipped" };
      const proto = fromBinary(TensorProtoSchema, bytes);
      proto.name = input.name;
      graph.initializer.push(proto);
    } else if (input.type?.value.case === "tensorType") {
      const dim = input.type.value.value.shape?.dim;
      if (dim?.[0]) dim[0] = create(TensorShapeProto_DimensionSchema, { value: { case: "dimParam", value: "n" } });
    }
  }
  const data = tensors.slice(0, dataInputs);
  const records = data[0]?.shape[0];
  if (records === undefined || data.some((tensor) => tensor.shape[0] !== records)) return { kind: "skipped" };
  let imported: Graph;
  try {
    const opset = Math.max(
      0,
      ...model.opsetImport.filter((entry) => isDefaultDomain(entry.domain)).map((entry) => Number(entry.version)),
    );
    imported = importOnnxFile({ model, graph, opset, weightsBytes: 0 });
  } catch (error) {
    if (isFluxError(error)) return { kind: "refused", code: error.code, reason: error.detail };
    throw error;
  }
  const inputs = new Map(imported.inputs.map((port, index) => [port.name, data[index]!.data]));
  const actual = [...evaluate(imported, { records, inputs }).values()];
  let worst = 0;
  for (const [index, tensor] of expected.entries()) worst = Math.max(worst, difference(actual[index], tensor));
  return worst <= 1e-4 ? { kind: "equal" } : { kind: "different", error: worst };
}

function decode(bytes: Uint8Array): Tensor | undefined {
  try {
    const proto = fromBinary(TensorProtoSchema, bytes);
    checkTensor(proto, "vector");
    return readTensor(proto, "vector").tensor;
  } catch {
    return undefined;
  }
}

function difference(actual: { shape: readonly number[]; data: Float64Array } | undefined, expected: Tensor): number {
  if (!actual || actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let scale = 1;
  for (const [i, value] of expected.data.entries()) {
    const other = actual.data[i]!;
    if (Object.is(value, other) || value === other) continue;
    if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
    const gap = Math.abs(value - other);
    worst = Math.max(worst, Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap);
  }
  return worst / scale;
}
