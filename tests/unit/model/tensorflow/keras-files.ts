/** Writes Keras files to the layout of Keras' own writers, out of a TensorFlow.js model's configuration and weights. */
import { zipSync } from "fflate";
import { File, type Group, ready } from "h5wasm";
import type { Tensor } from "#lib/model/graph.ts";
import { snakeClass } from "#lib/model/tensorflow/keras/files.ts";
import { readTfjsModel } from "#lib/model/tensorflow/model-json.ts";
import { savedFiles, type tfl } from "./tfjs.ts";

interface LayerJson {
  class_name: string;
  name?: string;
  config: Record<string, unknown> & { name?: string; layers?: LayerJson[] };
  inbound_nodes?: unknown[];
}

/**
 * Which HDF5 structures a file is made of: `earliest` is what h5py, and so Keras, writes (superblock 0, symbol tables, B-trees,
 * no checksums), `latest` what h5py writes with libver="latest" (checksummed headers).
 */
export type Libver = "earliest" | "latest";

/** Writes an HDF5 file by path → dataset, and path → attribute → text. */
export async function hdf5File(
  datasets: ReadonlyMap<string, Tensor>,
  texts: readonly { readonly path: string; readonly name: string; readonly value: string | readonly string[] }[] = [],
  libver: Libver = "earliest",
): Promise<Uint8Array> {
  const { FS } = await ready;
  const file = new File("/written.h5", "w", { libver: [libver, "latest"] });
  const groupAt = (path: string): Group => {
    let group: Group = file;
    for (const part of path.split("/").filter((name) => name !== "")) {
      group = (group.get(part) as Group | null) ?? group.create_group(part);
    }
    return group;
  };
  for (const [path, { shape, data }] of datasets) {
    const cut = path.lastIndexOf("/");
    const name = path.slice(cut + 1);
    groupAt(path.slice(0, Math.max(0, cut))).create_dataset({
      name,
      data: Float32Array.from(data),
      shape: [...shape],
      dtype: "<f4",
    });
  }
  for (const { path, name, value } of texts) {
    groupAt(path).create_attribute(name, typeof value === "string" ? value : [...value]);
  }
  file.close();
  const bytes = FS!.readFile("/written.h5");
  FS!.unlink("/written.h5");
  return bytes as Uint8Array;
}

async function configAndWeights(model: tfl.LayersModel) {
  const files = await savedFiles(model);
  const { weights } = readTfjsModel(files);
  const json = JSON.parse(new TextDecoder().decode(files.get("model.json")));
  return { config: json.modelTopology as LayerJson, weights };
}

/** `model.save("model.h5")` of Keras 2. */
export async function legacyH5(model: tfl.LayersModel, libver?: Libver): Promise<Uint8Array> {
  const { config, weights } = await configAndWeights(model);
  const datasets = new Map<string, Tensor>();
  const texts: { path: string; name: string; value: string | readonly string[] }[] = [
    { path: "", name: "model_config", value: JSON.stringify(config) },
    { path: "", name: "keras_version", value: "2.11.0" },
  ];
  for (const layer of config.config.layers ?? []) {
    const name = layer.name ?? layer.config.name ?? "";
    const own = namesInside(layer);
    const mine = [...weights].filter(([weight]) => own.includes(weight.split("/").at(-2) ?? ""));
    for (const [weight, tensor] of mine) datasets.set(`model_weights/${name}/${weight}:0`, tensor);
    if (mine.length > 0) {
      texts.push({ path: `model_weights/${name}`, name: "weight_names", value: mine.map(([weight]) => `${weight}:0`) });
    }
  }
  return hdf5File(datasets, texts, libver);
}

function namesInside(layer: LayerJson): string[] {
  const inner = layer.config.layers ?? [];
  return inner.length > 0 ? inner.flatMap(namesInside) : [layer.name ?? layer.config.name ?? ""];
}

/** `model.save("model.keras")` of Keras 3. */
export async function kerasArchive(model: tfl.LayersModel, libver?: Libver): Promise<Uint8Array> {
  const { config, weights } = await configAndWeights(model);
  const datasets = new Map<string, Tensor>();
  placeVariables(config, weights, "", datasets);
  const text = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
  return zipSync({
    "metadata.json": text({ keras_version: "2.15.0", date_saved: "2024-01-01@00:00:00" }),
    "config.json": text(modernConfig(config)),
    "model.weights.h5": await hdf5File(datasets, [], libver),
  });
}

function placeVariables(
  model: LayerJson,
  weights: ReadonlyMap<string, Tensor>,
  folder: string,
  datasets: Map<string, Tensor>,
): void {
  const used = new Map<string, number>();
  for (const layer of model.config.layers ?? []) {
    const base = snakeClass(layer.class_name === "Model" ? "Functional" : layer.class_name);
    const count = used.get(base) ?? 0;
    used.set(base, count + 1);
    const place = `${folder}layers/${base}${count === 0 ? "" : `_${count}`}`;
    if (layer.config.layers) placeVariables(layer, weights, `${place}/`, datasets);
    else {
      const name = layer.name ?? layer.config.name;
      const mine = [...weights].filter(([weight]) => weight.split("/").at(-2) === name);
      for (const [index, [, tensor]] of mine.entries()) datasets.set(`${place}/vars/${index}`, tensor);
    }
  }
}

/** Keras 3 spelling: batch_shape, Functional, and calls with tensors as arguments. */
function modernConfig(layer: LayerJson): Record<string, unknown> {
  const { batch_input_shape, layers, ...rest } = layer.config;
  const config: Record<string, unknown> = { ...rest };
  if (batch_input_shape) config.batch_shape = batch_input_shape;
  if (layers) config.layers = layers.map(modernConfig);
  for (const key of ["input_layers", "output_layers"]) {
    const refs = config[key];
    // One input is written without the outer list.
    if (Array.isArray(refs) && refs.length === 1) config[key] = refs[0];
  }
  return {
    module: "keras.layers",
    class_name: layer.class_name === "Model" ? "Functional" : layer.class_name,
    config,
    registered_name: null,
    name: layer.name,
    inbound_nodes: (layer.inbound_nodes ?? []).map((node) => {
      const tensors = (node as [string, number, number][]).map(([name, call, tensor]) => ({
        class_name: "__keras_tensor__",
        config: { shape: [null], dtype: "float32", keras_history: [name, call, tensor] },
      }));
      return { args: tensors.length === 1 ? tensors : [tensors], kwargs: {} };
    }),
  };
}
