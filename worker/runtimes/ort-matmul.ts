/**
 * Exact products on onnxruntime-web. On WASM: MatMulInteger with constant weights, one session per matrix. On WebGPU: float32
 * MatMul with the weights as an input, one session for all (there is no WebGPU kernel for MatMulInteger: asking for one runs on the
 * CPU without a word).
 */
import type { MatrixRuntime } from "./matrix-runtime.ts";
import { floatMatMulModel, integerMatMulModel, MATMUL } from "./onnx-matmul.ts";
import { loadOrt } from "./ort.ts";

export async function openOrtWasm(threads: number): Promise<MatrixRuntime> {
  const ort = await loadOrt("wasm", { threads });
  return {
    name: "ort-wasm",
    exactBelow: 2 ** 29,
    async prepare(weights, k, m) {
      const model = integerMatMulModel(weights, k, m);
      const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
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

export async function openOrtWebGpu(threads: number): Promise<MatrixRuntime> {
  const ort = await loadOrt("webgpu", { threads });
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
