/**
 * TensorFlow.js models as files: model.json (topology and weight manifest) and binary shards. Layers models hold a Keras
 * configuration, graph models a TensorFlow graph. Format: https://js.tensorflow.org (io.WeightsManifestConfig).
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { writeTfjsArtefact } from "#lib/protocol/tfjs-artefact.ts";
import type { ModelFiles } from "../archive.ts";
import { elementCount, type Tensor } from "../graph.ts";
import { decodeRaw } from "../onnx/tensors.ts";
import { parseModelJson } from "./json.ts";

const Weight = z.object({
  name: z.string().max(MODEL_LIMITS.nameChars),
  shape: z.array(z.int().nonnegative()).max(MODEL_LIMITS.tensorRank),
  dtype: z.string(),
  quantization: z
    .object({ dtype: z.enum(["uint8", "uint16", "float16"]), scale: z.number().optional(), min: z.number().optional() })
    .optional(),
});
type Weight = z.infer<typeof Weight>;

const ModelJson = z.object({
  format: z.string().nullish(),
  modelTopology: z.looseObject({}),
  weightsManifest: z.array(z.object({ paths: z.array(z.string()), weights: z.array(Weight) })),
  signature: z.unknown().optional(),
});

export interface TfjsModel {
  readonly format: "layers-model" | "graph-model";
  readonly topology: Readonly<Record<string, unknown>>;
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Graph models: their named inputs and outputs. */
  readonly signature: unknown;
  readonly weightsBytes: number;
  /** The same model as one file, weights as they were stored: what the tfjs kernel opens (lib/protocol/tfjs-artefact.ts). */
  readonly artefact: () => Uint8Array<ArrayBuffer>;
}

/** Throws FluxError `model_unreadable`, `model_unsupported`, `model_invalid` or `model_too_large`. */
export function readTfjsModel(files: ModelFiles): TfjsModel {
  const [name, bytes] = findModelJson(files);
  const parsed = ModelJson.safeParse(parseModelJson(bytes, name));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new FluxError(
      "model_unreadable",
      `${name} is not a TensorFlow.js model: ${issue?.path.join(".")} ${issue?.message}. Save it again with model.save() or tensorflowjs_converter.`,
    );
  }
  const { modelTopology, weightsManifest, signature } = parsed.data;
  const weights = new Map<string, Tensor>();
  const groups: Uint8Array[] = [];
  let weightsBytes = 0;
  for (const group of weightsManifest) {
    const data = joinShards(group.paths, files);
    groups.push(data);
    let offset = 0;
    for (const weight of group.weights) {
      if (weights.has(weight.name)) throw manifestError(`names "${weight.name}" twice`);
      const size = storedBytes(weight);
      if (offset + size > data.length) {
        throw manifestError(`needs ${offset + size} bytes up to "${weight.name}", but the shards hold ${data.length}`);
      }
      weights.set(weight.name, decodeWeight(weight, data.subarray(offset, offset + size)));
      offset += size;
    }
    if (offset !== data.length) throw manifestError(`describes ${offset} bytes, but the shards hold ${data.length}`);
    weightsBytes += offset;
  }
  const format = Array.isArray(modelTopology.node) ? "graph-model" : "layers-model";
  const weightSpecs = weightsManifest.flatMap((group) => group.weights.map(weightSpec));
  return {
    format,
    topology: modelTopology,
    weights,
    signature,
    weightsBytes,
    artefact: () => {
      const topology = format === "graph-model" ? { versions: UNKNOWN_VERSIONS, ...modelTopology } : modelTopology;
      return writeTfjsArtefact(
        { modelTopology: topology, weightSpecs, ...(signature ? { signature } : {}) },
        joined(groups),
      );
    },
  };
}

/** TensorFlow.js reads them from every graph; converters before 1.0 did not write them. */
const UNKNOWN_VERSIONS = { producer: 0, minConsumer: 0 };

function weightSpec(weight: Weight) {
  const { name, shape, quantization } = weight;
  const dtype = isStored(weight.dtype) ? weight.dtype : ("float32" as const);
  return { name, shape, dtype, ...(quantization ? { quantization } : {}) };
}

function findModelJson(files: ModelFiles): readonly [string, Uint8Array] {
  const candidates = [...files].filter(
    ([name]) => name.endsWith(".json") && !/(^|\/)(metadata|package)\.json$/.test(name),
  );
  const found = candidates.find(([name]) => /(^|\/)model\.json$/.test(name)) ?? candidates[0];
  if (found) return found;
  throw new FluxError(
    "model_unreadable",
    "There is no model.json among the files. Upload model.json together with its .bin shards, or all of them in one zip.",
  );
}

/** All shards of a group in one piece; a weight may cross from one shard into the next. */
function joinShards(paths: readonly string[], files: ModelFiles): Uint8Array {
  return joined(paths.map((path) => findShard(path, files)));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** By its path as written, or by its last part: an archive may have put everything in a folder. */
function findShard(path: string, files: ModelFiles): Uint8Array {
  const exact = files.get(path);
  if (exact) return exact;
  const last = path.slice(path.lastIndexOf("/") + 1);
  for (const [name, bytes] of files) if (name.slice(name.lastIndexOf("/") + 1) === last) return bytes;
  throw new FluxError(
    "model_unreadable",
    `model.json names the weight file "${path}", which was not uploaded. Upload every .bin shard together with model.json.`,
    { param: path },
  );
}

// ---------------------------------------------------------------- weights

function manifestError(what: string): FluxError {
  return new FluxError("model_invalid", `The weight manifest ${what}. Save the model again and upload all its files.`);
}

const STORED = { float32: 4, int32: 4, bool: 1 } as const;
const QUANTIZED = { uint8: 1, uint16: 2, float16: 2 } as const;

function isStored(dtype: string): dtype is keyof typeof STORED {
  return Object.hasOwn(STORED, dtype);
}

function storedBytes(weight: Weight): number {
  const elements = elementCount(weight.shape);
  if (elements > MODEL_LIMITS.tensorElements) {
    throw new FluxError(
      "model_too_large",
      `The weight "${weight.name}" declares ${elements} values; the limit is ${MODEL_LIMITS.tensorElements}.`,
      { param: weight.name },
    );
  }
  if (!isStored(weight.dtype)) {
    throw new FluxError(
      "model_unsupported",
      `The weight "${weight.name}" has ${weight.dtype} values. Save it as float32.`,
      {
        param: weight.name,
      },
    );
  }
  return elements * (weight.quantization ? QUANTIZED[weight.quantization.dtype] : STORED[weight.dtype]);
}

/** Affine quantization: value = scale · q + min; integers are rounded. */
function decodeWeight(weight: Weight, bytes: Uint8Array): Tensor {
  const { shape, quantization } = weight;
  if (quantization?.dtype === "float16") return { shape, data: Float32Array.from(decodeRaw(bytes, "float16")) };
  if (quantization) {
    const { scale, min } = quantization;
    if (scale === undefined || min === undefined)
      throw manifestError(`quantizes "${weight.name}" without scale and min`);
    const real = decodeRaw(bytes, quantization.dtype).map((q) => q * scale + min);
    return { shape, data: weight.dtype === "int32" ? real.map(Math.round) : Float32Array.from(real) };
  }
  return { shape, data: decodeRaw(bytes, isStored(weight.dtype) ? weight.dtype : "float32") };
}
