/**
 * Keras' own files → Graph.
 *
 * `.h5` (Keras 1 to 3, "legacy"): the root attribute `model_config` is the configuration as JSON; the group
 * `model_weights` has one group per layer, whose attribute `weight_names` lists its datasets.
 *
 * `.keras` (Keras 3, and Keras 2.12 onwards): a zip of config.json, metadata.json and model.weights.h5. In the latter a
 * layer's variables are `layers/<class in snake case, numbered>/vars/<0, 1, …>` in the order in which the layer creates
 * them; models inside models nest as `layers/functional/layers/…`. Keras 2.13 wrote `_layer_checkpoint_dependencies` for
 * `layers`.
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import type { ModelFiles } from "../../archive.ts";
import type { Graph, Tensor } from "../../graph.ts";
import { parseModelJson } from "../json.ts";
import { type KerasModel, readKerasConfig } from "./config.ts";
import { type Hdf5Visit, visitHdf5 } from "./hdf5.ts";
import { importKerasModel, type LayerPath, type VariableSource } from "./import.ts";
import { KERAS_CONFIG, KERAS_WEIGHTS } from "./signature.ts";
import { byWeightName } from "./variables.ts";

/** Throws FluxError `model_unreadable`, `model_unsupported`, `model_invalid` or `model_too_large`. */
export async function importKerasArchive(files: ModelFiles): Promise<Graph> {
  const config = files.get(KERAS_CONFIG);
  const weights = files.get(KERAS_WEIGHTS);
  if (!config || !weights) {
    throw new FluxError(
      "model_unreadable",
      `A .keras file holds ${KERAS_CONFIG} and ${KERAS_WEIGHTS}; one of them is missing. Save the model again with model.save("model.keras").`,
    );
  }
  const model = readKerasConfig(parseModelJson(config, KERAS_CONFIG));
  const metadata = files.get("metadata.json");
  const version = metadata ? versionOf(parseModelJson(metadata, "metadata.json")) : 3;
  return visitHdf5(weights, (file) => importKerasModel(model, byPosition(file), version));
}

export async function importKerasH5(bytes: Uint8Array): Promise<Graph> {
  return visitHdf5(bytes, (file) => {
    const [config] = file.texts("", "model_config") ?? [];
    if (config === undefined) {
      throw new FluxError(
        "model_unreadable",
        "The HDF5 file holds weights but no model (it has no model_config). Save the whole model with model.save(), not save_weights().",
      );
    }
    const model = readKerasConfig(parseModelJson(new TextEncoder().encode(config), "model_config"));
    const [version] = file.texts("", "keras_version") ?? [];
    return importKerasModel(model, byWeightName(legacyWeights(file)), Number.parseInt(version ?? "2", 10) || 2);
  });
}

function versionOf(metadata: unknown): number {
  const { data } = z.looseObject({ keras_version: z.string() }).safeParse(metadata);
  return Number.parseInt(data?.keras_version ?? "3", 10) || 3;
}

// ---------------------------------------------------------------- .h5

/** All variables by `layer/…/variable`. */
function legacyWeights(file: Hdf5Visit): ReadonlyMap<string, Tensor> {
  const weights = new Map<string, Tensor>();
  const root = file.has("model_weights") ? "model_weights" : "";
  for (const layer of file.members(root)) {
    const group = root === "" ? layer : `${root}/${layer}`;
    const names = chunkedTexts(file, group, "weight_names");
    const last = names.map((name) => name.slice(name.lastIndexOf("/") + 1));
    for (const [index, name] of names.entries()) {
      const tensor = file.tensor(`${group}/${name}`);
      weights.set(name, tensor);
      // A layer that was renamed after its variables were made is only found by its group.
      if (last.filter((other) => other === last[index]).length === 1) weights.set(`${layer}/${last[index]}`, tensor);
    }
  }
  return weights;
}

/** Long lists are split over `name0`, `name1`, …: HDF5 attributes hold 64 KB. */
function chunkedTexts(file: Hdf5Visit, path: string, attribute: string): readonly string[] {
  const whole = file.texts(path, attribute);
  if (whole) return whole;
  const parts: string[] = [];
  for (let part = 0; ; part++) {
    const texts = file.texts(path, `${attribute}${part}`);
    if (!texts) return parts;
    parts.push(...texts);
  }
}

// ---------------------------------------------------------------- .keras

function byPosition(file: Hdf5Visit): VariableSource {
  return (path, names) => {
    const folder = ["layers", "_layer_checkpoint_dependencies"]
      .flatMap((container) => [
        path.map((step) => `${container}/${numberedClass(step.model, step.layer)}`).join("/"),
        path.map((step) => `${container}/${step.layer.name}`).join("/"),
      ])
      .find((candidate) => file.has(`${candidate}/vars`));
    if (folder === undefined) return names.map(() => undefined);
    return names.map((_, index) =>
      file.has(`${folder}/vars/${index}`) ? file.tensor(`${folder}/vars/${index}`) : undefined,
    );
  };
}

/** `dense`, `dense_1`, …: the layer's class, numbered in the model's order. */
function numberedClass(model: KerasModel, layer: LayerPath[number]["layer"]): string {
  const same = model.layers.filter((other) => snakeClass(other.className) === snakeClass(layer.className));
  const position = same.indexOf(layer);
  return position === 0 ? snakeClass(layer.className) : `${snakeClass(layer.className)}_${position}`;
}

/** BatchNormalization → batch_normalization, Conv2D → conv2d, PReLU → p_re_lu. */
export function snakeClass(className: string): string {
  return className
    .replaceAll(/\W+/g, "")
    .replaceAll(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
