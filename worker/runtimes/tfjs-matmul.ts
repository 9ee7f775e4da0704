/** TensorFlow.js on any backend: float32 matMul with the weights kept on the device. */
import * as tf from "@tensorflow/tfjs-core";
import type { MatrixRuntime, MatrixRuntimeName } from "./matrix-runtime.ts";

/** The backend must be registered by the caller; throws if it cannot start here. */
export async function openTfjs(name: MatrixRuntimeName, backend: string): Promise<MatrixRuntime> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js cannot start its ${backend} backend here`);
  await tf.ready();
  return {
    name,
    exactBelow: 2 ** 24,
    async prepare(weights, k, m) {
      const right = tf.tensor2d(Float32Array.from(weights), [k, m]);
      return {
        async multiply(bytes, rows) {
          const left = tf.tensor2d(Float32Array.from(bytes), [rows, k]);
          const product = tf.matMul(left, right);
          left.dispose();
          const data = await product.data<"float32">();
          product.dispose();
          return data;
        },
        dispose: () => right.dispose(),
      };
    },
  };
}
