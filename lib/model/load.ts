/**
 * One way in for every model file: finds out what it is, reads it, says what was understood. TensorFlow models come out
 * as a graph and as ONNX written from it; ONNX stays as it came. TensorFlow.js models also come out as the one file that
 * TensorFlow.js itself opens, so that donors can run them with it.
 */
import { z } from "zod";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { isZip, type ModelFiles, unpackModelFiles } from "./archive.ts";
import type { Graph, GraphPort } from "./graph.ts";
import { DTYPE_BYTES } from "./onnx/dtypes.ts";
import { importOnnxFile } from "./onnx/import.ts";
import { inspectOnnxFile, type OnnxPort } from "./onnx/inspect.ts";
import { readOnnx } from "./onnx/read.ts";
import { writeOnnx } from "./onnx/write.ts";
import { importFrozenGraph } from "./tensorflow/graph-def.ts";
import { importGraphModel } from "./tensorflow/graph-model.ts";
import { isHdf5, isKerasArchive } from "./tensorflow/keras/signature.ts";
import { importLayersModel } from "./tensorflow/layers-model.ts";
import { readTfjsModel, type TfjsModel } from "./tensorflow/model-json.ts";
import { findSavedModel, importSavedModel } from "./tensorflow/saved-model.ts";

export type ModelFormat = "onnx" | "tfjs-layers" | "tfjs-graph" | "keras" | "savedmodel" | "graphdef";

export interface LoadedModel {
  readonly format: ModelFormat;
  /** Null where the format has no operator sets. */
  readonly opset: number | null;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Most frequent first: ONNX operators, Keras layers or TensorFlow operators. */
  readonly operators: readonly { readonly op: string; readonly count: number }[];
  readonly weightsBytes: number;
  /** The graph, or for an ONNX file or TensorFlow.js model with operators that import does not know: why there is none. */
  readonly graph: Graph | FluxError;
  /**
   * What runs the model on plain data with onnxruntime: the uploaded ONNX file, or ONNX written from the graph. Null for a
   * TensorFlow.js model that only TensorFlow.js knows; inputs and outputs are then empty here, TensorFlow.js tells them.
   */
  readonly onnx: Uint8Array | null;
  /** What runs the model with TensorFlow.js (lib/protocol/tfjs-artefact.ts); null where it is no TensorFlow.js model. */
  readonly tfjs: { readonly format: "layers" | "graph"; readonly bytes: Uint8Array } | null;
}

/**
 * Reads one uploaded file. `filename` only helps where the content does not tell (and in errors).
 * Throws FluxError `model_unreadable`, `model_external_data`, `model_too_large`, `model_unsupported` or `model_invalid`.
 */
export async function loadModel(bytes: Uint8Array, filename: string): Promise<LoadedModel> {
  if (isZip(bytes) && /\.(pt|pth|bin)$/i.test(filename)) throw torchCheckpoint(filename);
  if (isZip(bytes)) return loadModelFiles(unpackModelFiles(bytes), filename);
  if (isHdf5(bytes)) return fromGraph("keras", await (await kerasReader()).importKerasH5(bytes));
  refuseOtherFormats(bytes, filename);
  return /\.pb$/i.test(filename) ? loadProtobuf(bytes) : loadOnnx(bytes);
}

/** Reads the files of one model: an unpacked archive, or several uploads. */
export async function loadModelFiles(files: ModelFiles, filename: string): Promise<LoadedModel> {
  if (isKerasArchive(files)) return fromGraph("keras", await (await kerasReader()).importKerasArchive(files));
  if (findSavedModel(files) !== undefined) return fromGraph("savedmodel", importSavedModel(files));
  const names = [...files.keys()];
  if (names.some((name) => /(^|\/)data\.pkl$/.test(name))) throw torchCheckpoint(filename);
  const models = names.filter((name) => /\.(onnx|h5|hdf5|keras|pb)$/i.test(name));
  if (models.length === 1 && !names.some((name) => name.endsWith("model.json"))) {
    const content = files.get(models[0]!)!;
    if (isZip(content)) throw unreadable(filename, "an archive in an archive", `upload ${models[0]} itself`);
    return loadModel(content, models[0]!);
  }
  return fromTfjs(readTfjsModel(files));
}

function fromTfjs(model: TfjsModel): LoadedModel {
  const isGraph = model.format === "graph-model";
  const format = isGraph ? "tfjs-graph" : "tfjs-layers";
  const tfjs = { format: isGraph ? "graph" : "layers", bytes: model.artefact() } as const;
  try {
    return { ...fromGraph(format, isGraph ? importGraphModel(model) : importLayersModel(model)), tfjs };
  } catch (error) {
    if (!isFluxError(error) || error.code !== "model_unsupported") throw error;
    const { weightsBytes } = model;
    const operators = counted(topologyOperators(model.topology));
    return { format, opset: null, inputs: [], outputs: [], operators, weightsBytes, graph: error, onnx: null, tfjs };
  }
}

/** Loaded when a Keras file comes: it brings the HDF5 library along. */
function kerasReader() {
  return import("./tensorflow/keras/files.ts");
}

function loadOnnx(bytes: Uint8Array): LoadedModel {
  const file = readOnnx(bytes);
  const { opset, inputs, outputs, operators, weightsBytes } = inspectOnnxFile(file);
  let graph: LoadedModel["graph"];
  try {
    graph = importOnnxFile(file);
  } catch (error) {
    if (!isFluxError(error)) throw error;
    graph = error;
  }
  return { format: "onnx", opset, inputs, outputs, operators, weightsBytes, graph, onnx: bytes, tfjs: null };
}

/** `.pb` is a frozen graph, or ONNX under another name. */
function loadProtobuf(bytes: Uint8Array): LoadedModel {
  try {
    return fromGraph("graphdef", importFrozenGraph(bytes));
  } catch (error) {
    if (!isFluxError(error) || error.code !== "model_unreadable") throw error;
    return loadOnnx(bytes);
  }
}

const Topology = z.looseObject({
  node: z.array(z.looseObject({ op: z.string() })).optional(),
  model_config: z.unknown().optional(),
  class_name: z.string().optional(),
  config: z.unknown().optional(),
  layers: z.array(z.unknown()).optional(),
});

/** Operators of a graph, or classes of the layers inside a configuration, as they are written there. */
function topologyOperators(topology: unknown, depth = 0): string[] {
  const parsed = Topology.safeParse(topology);
  if (!parsed.success || depth > 2 * MODEL_LIMITS.nesting) return [];
  const { node, model_config, class_name, config, layers } = parsed.data;
  if (node) return node.map(({ op }) => op);
  if (model_config !== undefined) return topologyOperators(model_config, depth + 1);
  if (layers) return layers.flatMap((layer) => topologyOperators(layer, depth + 1));
  const inner = topologyOperators(config, depth + 1);
  return inner.length > 0 ? inner : class_name === undefined ? [] : [class_name];
}

function counted(names: readonly string[]): LoadedModel["operators"] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([op, count]) => ({ op, count })).sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}

function fromGraph(format: ModelFormat, graph: Graph): LoadedModel {
  let weightsBytes = 0;
  for (const [id, { data }] of graph.constants) {
    weightsBytes += data.length * DTYPE_BYTES[graph.values.get(id)?.dtype ?? "float32"];
  }
  return {
    format,
    opset: null,
    inputs: graph.inputs.map(portOf),
    outputs: graph.outputs.map(portOf),
    operators: counted(graph.nodes.map(({ source }) => source)),
    weightsBytes,
    graph,
    onnx: writeOnnx(graph),
    tfjs: null,
  };
}

function portOf({ name, dtype, shape }: GraphPort): OnnxPort {
  return { name, dtype, shape: [...shape] };
}

// ---------------------------------------------------------------- what people often have instead

function refuseOtherFormats(bytes: Uint8Array, filename: string): void {
  const starts = (offset: number, ...magic: number[]) => magic.every((byte, index) => bytes[offset + index] === byte);
  if (starts(0, 0x80) && bytes[1] !== undefined && bytes[1] <= 5) {
    throw unreadable(
      filename,
      "a Python pickle, which is never opened here",
      "export the model as ONNX and upload that",
    );
  }
  if (starts(0, 0x1f, 0x8b))
    throw unreadable(filename, "compressed with gzip", "unpack it, or pack the files as a zip");
  if (starts(4, 0x54, 0x46, 0x4c, 0x33)) {
    throw unreadable(
      filename,
      "a TensorFlow Lite model",
      "convert it with `python -m tf2onnx.convert --tflite model.tflite --output model.onnx` and upload the .onnx file",
    );
  }
  if (starts(0, 0x7b)) {
    throw unreadable(
      filename,
      "JSON without its weights",
      "upload model.json together with its .bin shards in one zip",
    );
  }
}

function torchCheckpoint(filename: string): FluxError {
  return unreadable(
    filename,
    "a PyTorch checkpoint, whose pickles are never opened here",
    "export the model with torch.onnx.export and upload the .onnx file",
  );
}

function unreadable(filename: string, what: string, fix: string): FluxError {
  return new FluxError("model_unreadable", `${filename} is ${what}: ${fix}.`);
}
