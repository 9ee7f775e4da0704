/** onnxruntime-web on WebAssembly: MatMulInteger with constant weights. The one file that imports this build of it. */
import * as ort from "onnxruntime-web/wasm";
import type { MatrixRuntime, RuntimeFiles } from "./matrix-runtime.ts";
import { integerMatMulModel, MATMUL } from "./onnx-matmul.ts";

export function openOrtWasm({ wasmBaseUrl }: RuntimeFiles = {}): MatrixRuntime {
  // One thread per worker: lanes are split across workers, which needs no shared memory.
  ort.env.wasm.numThreads = 1;
  if (wasmBaseUrl) ort.env.wasm.wasmPaths = wasmBaseUrl;
  return {
    name: "ort-wasm",
    exactBelow: 2 ** 29,
    async prepare(weights, k, m) {
      const session = await ort.InferenceSession.create(integerMatMulModel(weights, k, m), {
        executionProviders: ["wasm"],
      });
      return {
        async multiply(bytes, rows) {
          const results = await session.run({ [MATMUL.left]: new ort.Tensor("uint8", bytes, [rows, k]) });
          const data = results[MATMUL.output]?.data;
          if (!(data instanceof Int32Array)) throw new Error("MatMulInteger did not give int32");
          return data;
        },
        dispose: () => session.release(),
      };
    },
  };
}
