/** The bucket whose donors share a prior: coarse on purpose, so that each has members to learn from. */
import type { Capability } from "#lib/protocol/donor.ts";
import type { RuntimeRate } from "./types.ts";

/** E.g. "8-cores gpu threads": cores to a power of two, whether a GPU runtime works, whether threads do. */
export function deviceClass(capability: Capability): string {
  const cores = 2 ** Math.round(Math.log2(Math.min(64, Math.max(1, capability.logicalCores))));
  const gpu = capability.runtimes.some(({ runtime, selfTestPassed }) => selfTestPassed && runtime.endsWith("webgpu"));
  return `${cores}-cores${gpu ? " gpu" : ""}${capability.crossOriginIsolated ? " threads" : ""}`;
}

/** The runtimes that may be used: those that passed their self-test. */
export function usableRuntimes(capability: Capability): RuntimeRate[] {
  return capability.runtimes
    .filter((runtime) => runtime.selfTestPassed)
    .map(({ runtime, int8MacsPerSecond, float32MacsPerSecond }) => ({
      runtime,
      int8MacsPerSecond,
      float32MacsPerSecond,
    }));
}
