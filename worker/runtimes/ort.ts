/**
 * The one file that imports onnxruntime-web. Two builds of it: WASM alone (small), and the one with WebGPU, which is loaded only
 * where there is an adapter. Files come from this origin: /wasm (`npm run assets`).
 */
import type * as OrtModule from "onnxruntime-web/wasm";
import type { Dtype } from "#lib/protocol/tensors.ts";

export type Ort = typeof OrtModule;
export type OrtBuild = "wasm" | "webgpu";

export interface OrtOptions {
  /** Threads of the WASM backend; more than one needs shared memory. Fixed by the first load of a build. */
  threads: number;
  /** Where the WASM files lie; a folder's URL path. */
  wasmPath?: string;
}

const loaded = new Map<OrtBuild, Promise<Ort>>();

/** Loads a build once a realm. */
export function loadOrt(build: OrtBuild, options: OrtOptions): Promise<Ort> {
  const already = loaded.get(build);
  if (already) return already;
  const loading = importOrt(build, options);
  loaded.set(build, loading);
  return loading;
}

async function importOrt(build: OrtBuild, { threads, wasmPath = "/wasm/" }: OrtOptions): Promise<Ort> {
  const ort: Ort = build === "wasm" ? await import("onnxruntime-web/wasm") : await import("onnxruntime-web/webgpu");
  // Node finds the files in the package.
  if (globalThis.location !== undefined) ort.env.wasm.wasmPaths = new URL(wasmPath, globalThis.location.href).href;
  ort.env.wasm.numThreads = threads;
  // This realm is the worker already; a proxy would only copy everything once more.
  ort.env.wasm.proxy = false;
  ort.env.logLevel = "error";
  return ort;
}

/** Our dtype names → onnxruntime's. */
export const ORT_TYPE = {
  FP32: "float32",
  FP64: "float64",
  INT8: "int8",
  UINT8: "uint8",
  INT16: "int16",
  UINT16: "uint16",
  INT32: "int32",
  UINT32: "uint32",
  INT64: "int64",
  BOOL: "bool",
} as const satisfies Record<Dtype, keyof OrtModule.Tensor.DataTypeMap>;
