/** TensorFlow.js as the tests' yardstick, on its CPU backend: exact enough, and no files to load. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import type { ModelFiles } from "#lib/model/archive.ts";

export { tf, tfl };

export async function startTfjs(): Promise<void> {
  await tf.setBackend("cpu");
  await tf.ready();
}

/** The files that `model.save()` would write, weights split over two shards. */
export async function savedFiles(model: tfl.LayersModel): Promise<ModelFiles> {
  let files: ModelFiles = new Map();
  await model.save({
    save: async (artifacts) => {
      const weights = new Uint8Array(artifacts.weightData as ArrayBuffer);
      const cut = Math.floor(weights.length / 2);
      const json = {
        format: artifacts.format,
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths: ["group1-shard1of2.bin", "group1-shard2of2.bin"], weights: artifacts.weightSpecs }],
      };
      files = new Map([
        ["model.json", new TextEncoder().encode(JSON.stringify(json))],
        ["group1-shard1of2.bin", weights.slice(0, cut)],
        ["group1-shard2of2.bin", weights.slice(cut)],
      ]);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" as const } };
    },
  });
  return files;
}

/** Every weight of the model gets the values of one wave: initial zeros and ones would hide mistakes. */
export function fillWeights(model: tfl.LayersModel): void {
  let phase = 0;
  const weights = model.getWeights().map((weight) => {
    phase++;
    const values = Float32Array.from({ length: weight.size }, (_, i) => 0.4 * Math.sin(1.3 * i + phase) + 0.1);
    // Variances must be positive; every fourth tensor of a batch normalization is one, so all get a square added.
    return tf.tensor(
      model.weights[phase - 1]!.name.includes("variance") ? values.map((v) => v * v + 0.2) : values,
      weight.shape,
    );
  });
  model.setWeights(weights);
}
