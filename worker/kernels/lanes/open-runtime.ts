/** Lane runtimes by name. Heavy ones are imported only when asked for: nothing loads before a donor's consent. */

import type { LaneRuntime, LaneRuntimeName } from "#lib/lanes/evaluator.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { MatrixRuntime } from "#worker/runtimes/matrix-runtime.ts";
import { matrixLaneRuntime } from "./matrix-evaluator.ts";
import { findLaneFault } from "./self-test.ts";
import { laneSimdRuntime } from "./simd-evaluator.ts";

const opened = new Map<LaneRuntimeName, Promise<LaneRuntime>>();

/**
 * A runtime that has proved itself on extreme values, once per realm. Throws FluxError("unavailable") if it cannot start on this
 * device or computes a wrong bit: it must then not be used at all. `threads` are those of the ML runtimes, fixed by the first
 * call; lane-simd has one per worker.
 */
export function openLaneRuntime(name: LaneRuntimeName, threads = 1): Promise<LaneRuntime> {
  let opening = opened.get(name);
  if (opening === undefined) {
    opening = openAndTest(name, threads);
    opened.set(name, opening);
  }
  return opening;
}

async function openAndTest(name: LaneRuntimeName, threads: number): Promise<LaneRuntime> {
  let fault: string | undefined;
  try {
    const runtime = name === "lane-simd" ? laneSimdRuntime : matrixLaneRuntime(await openMatrixRuntime(name, threads));
    fault = await findLaneFault(runtime);
    if (fault === undefined) return runtime;
  } catch (cause) {
    throw new FluxError("unavailable", `The ${name} runtime does not start on this device. Use another one.`, {
      cause,
    });
  }
  throw new FluxError(
    "unavailable",
    `The ${name} runtime computes wrongly on this device (${fault}). Use another one.`,
  );
}

async function openMatrixRuntime(name: Exclude<LaneRuntimeName, "lane-simd">, threads: number): Promise<MatrixRuntime> {
  switch (name) {
    case "ort-wasm":
      return (await import("#worker/runtimes/ort-matmul.ts")).openOrtWasm(threads);
    case "ort-webgpu":
      return (await import("#worker/runtimes/ort-matmul.ts")).openOrtWebGpu(threads);
    case "tfjs-wasm":
      return (await import("#worker/runtimes/tfjs-matmul.ts")).openTfjsMatMul("wasm");
    case "tfjs-webgpu":
      return (await import("#worker/runtimes/tfjs-matmul.ts")).openTfjsMatMul("webgpu");
  }
}
