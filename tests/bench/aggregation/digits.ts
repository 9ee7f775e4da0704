/** The shared handwritten digits as arrays, and small networks trained on parts of them (tfjs, seeded). */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-cpu";

export const SIDE = 28;
export const CLASSES = 10;

export interface Digits {
  /** `[count, 28·28]`, 0..1 */
  readonly images: Float32Array;
  readonly labels: Float64Array;
  readonly count: number;
}

const folder = resolve(import.meta.dirname, "../../../../shared/data/mnist");

/** Null when the shared data is not there. */
export function readDigits(): Digits | null {
  try {
    const pixels = npyBody(readFileSync(resolve(folder, "images.npy")));
    const labels = npyBody(readFileSync(resolve(folder, "labels.npy")));
    return {
      images: Float32Array.from(pixels, (value) => value / 255),
      labels: Float64Array.from(labels),
      count: labels.length,
    };
  } catch {
    return null;
  }
}

/** The bytes after the header of a version 1 NPY file of uint8. */
function npyBody(file: Buffer): Uint8Array {
  return file.subarray(10 + file.readUInt16LE(8));
}

/** Cuts the same square out of every image. @returns `[count, size·size]` */
export function cutTiles(
  digits: Digits,
  top: number,
  left: number,
  size: number,
  from: number,
  to: number,
): Float32Array {
  const tiles = new Float32Array((to - from) * size * size);
  for (let i = from; i < to; i++) {
    for (let y = 0; y < size; y++) {
      const start = i * SIDE * SIDE + (top + y) * SIDE + left;
      tiles.set(digits.images.subarray(start, start + size), ((i - from) * size + y) * size);
    }
  }
  return tiles;
}

export type Classifier = (inputs: Float32Array, count: number) => Float32Array;

/** Trains inputs → 32 ReLU → softmax(10). Deterministic for a seed on one machine: no shuffling, seeded initial weights. */
export async function trainClassifier(
  inputs: Float32Array,
  labels: Float64Array,
  width: number,
  epochs: number,
  seed: number,
): Promise<Classifier> {
  await tf.setBackend("cpu");
  const initializer = (offset: number) => layers.initializers.glorotUniform({ seed: seed + offset });
  const model = layers.sequential({
    layers: [
      layers.layers.dense({ units: 32, activation: "relu", inputShape: [width], kernelInitializer: initializer(0) }),
      layers.layers.dense({ units: CLASSES, activation: "softmax", kernelInitializer: initializer(1) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.003), loss: "categoricalCrossentropy" });
  const x = tf.tensor2d(inputs, [labels.length, width]);
  const y = tf.oneHot(tf.tensor1d(Int32Array.from(labels), "int32"), CLASSES);
  await model.fit(x, y, { epochs, batchSize: 64, shuffle: false, verbose: 0 });
  tf.dispose([x, y]);
  return (samples, count) =>
    tf.tidy(() => {
      const answer = model.predict(tf.tensor2d(samples, [count, width]), { batchSize: 1024 });
      if (Array.isArray(answer)) throw new Error("one output was expected");
      return Float32Array.from(answer.dataSync());
    });
}
