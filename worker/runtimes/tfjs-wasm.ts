/** TensorFlow.js on WebAssembly. The one file that imports this backend. */
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { MatrixRuntime, RuntimeFiles } from "./matrix-runtime.ts";
import { openTfjs } from "./tfjs-matmul.ts";

export function openTfjsWasm({ wasmBaseUrl }: RuntimeFiles = {}): Promise<MatrixRuntime> {
  if (wasmBaseUrl) setWasmPaths(wasmBaseUrl);
  return openTfjs("tfjs-wasm", "wasm");
}
