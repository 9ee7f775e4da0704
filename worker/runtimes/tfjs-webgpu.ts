/** TensorFlow.js on WebGPU. The one file that imports this backend. */
import "@tensorflow/tfjs-backend-webgpu";
import type { MatrixRuntime } from "./matrix-runtime.ts";
import { openTfjs } from "./tfjs-matmul.ts";

export function openTfjsWebGpu(): Promise<MatrixRuntime> {
  return openTfjs("tfjs-webgpu", "webgpu");
}
