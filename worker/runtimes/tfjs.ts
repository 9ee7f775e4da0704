/**
 * The one file that imports TensorFlow.js. Backends register themselves when imported, so each is loaded only when it is
 * wanted. WASM files come from this origin: /wasm (`npm run assets`).
 */
import type * as Converter from "@tensorflow/tfjs-converter";
import type * as Core from "@tensorflow/tfjs-core";
import type * as Layers from "@tensorflow/tfjs-layers";

export type Tfjs = typeof Core;
export type TfjsLayers = typeof Layers;
export type TfjsConverter = typeof Converter;
export type TfjsBackend = "wasm" | "webgpu";

const WASM_PATH = "/wasm/";

/**
 * Core with one backend made current. Throws when the browser does not offer the backend.
 *
 * WASM runs on one thread: the threaded build starts its threads from a blob: script, which the workers' policy
 * (script-src 'self') refuses, and then waits for them for ever.
 */
export function loadTfjs(backend: TfjsBackend): Promise<Tfjs> {
  const loading = previous.then(() => load(backend));
  previous = loading.catch(() => undefined);
  return loading;
}

/** One after the other: a backend that is asked for while it starts is said to be impossible. */
let previous: Promise<unknown> = Promise.resolve();

async function load(backend: TfjsBackend): Promise<Tfjs> {
  const core = await import("@tensorflow/tfjs-core");
  if (backend === "wasm") {
    const wasm = await import("@tensorflow/tfjs-backend-wasm");
    // Node finds the files in the package.
    if (globalThis.location !== undefined) wasm.setWasmPaths(new URL(WASM_PATH, globalThis.location.href).href);
    core.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  } else {
    await import("@tensorflow/tfjs-backend-webgpu");
  }
  if (!(await core.setBackend(backend))) throw new Error(`TensorFlow.js cannot use ${backend} in this browser`);
  await core.ready();
  return core;
}

export const loadTfjsLayers = (): Promise<TfjsLayers> => import("@tensorflow/tfjs-layers");
export const loadTfjsConverter = (): Promise<TfjsConverter> => import("@tensorflow/tfjs-converter");
