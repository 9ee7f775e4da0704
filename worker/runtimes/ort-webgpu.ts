/**
 * onnxruntime-web on WebGPU: float32 MatMul. The one file that imports this build of it.
 * There is no WebGPU kernel for MatMulInteger: asking for one runs on the CPU without a word.
 */
import * as ort from "onnxruntime-web/webgpu";
import type { MatrixRuntime, RuntimeFiles } from "./matrix-runtime.ts";
import { floatMatMulModel, MATMUL } from "./onnx-matmul.ts";

export async function openOrtWebGpu({ wasmBaseUrl }: RuntimeFiles = {}): Promise<MatrixRuntime> {
  ort.env.wasm.numThreads = 1;
  if (wasmBaseUrl) ort.env.wasm.wasmPaths = wasmBaseUrl;
  const session = await ort.InferenceSession.create(floatMatMulModel(), { executionProviders: ["webgpu"] });
  return {
    name: "ort-webgpu",
    exactBelow: 2 ** 24,
    async prepare(weights, k, m) {
      const right = new ort.Tensor("float32", Float32Array.from(weights), [k, m]);
      return {
        async multiply(bytes, rows) {
          const left = new ort.Tensor("float32", Float32Array.from(bytes), [rows, k]);
          const results = await session.run({ [MATMUL.left]: left, [MATMUL.weights]: right });
          const data = results[MATMUL.output]?.data;
          if (!(data instanceof Float32Array)) throw new Error("MatMul did not give float32");
          return data;
        },
        dispose: () => right.dispose(),
      };
    },
  };
}
