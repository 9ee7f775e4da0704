/** Exact products on TensorFlow.js: float32 matMul with the weights kept on the device. */
import type { MatrixRuntime } from "./matrix-runtime.ts";
import { loadTfjs, type TfjsBackend } from "./tfjs.ts";

export async function openTfjsMatMul(backend: TfjsBackend): Promise<MatrixRuntime> {
  const tf = await loadTfjs(backend);
  return {
    name: `tfjs-${backend}`,
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
