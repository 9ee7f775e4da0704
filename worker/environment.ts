/** What this browser offers, read once in the realm that asks: one frozen object instead of scattered sniffing. */

export interface Environment {
  /** Shared memory and so WASM threads (COOP + COEP, or Document-Isolation-Policy). */
  readonly crossOriginIsolated: boolean;
  readonly logicalCores: number;
  /** WebGPU is there; whether it has an adapter, and computes rightly, is found by asking. */
  readonly webGpu: boolean;
  /** Cache Storage may be used; private windows and third-party frames may refuse it. */
  readonly cacheStorage: boolean;
  /** SHA-256 in the platform: secure contexts only (https, or localhost). */
  readonly subtleCrypto: boolean;
  /** Gigabytes, rounded down by the browser, or null where it does not say. */
  readonly deviceMemoryGiB: number | null;
}

export function readEnvironment(scope: typeof globalThis = globalThis): Environment {
  const navigator: Navigator & { deviceMemory?: number } = scope.navigator;
  return Object.freeze({
    crossOriginIsolated: scope.crossOriginIsolated === true,
    logicalCores: Math.min(1024, Math.max(1, navigator.hardwareConcurrency || 1)),
    webGpu: "gpu" in navigator,
    cacheStorage: "caches" in scope,
    subtleCrypto: scope.crypto?.subtle !== undefined,
    deviceMemoryGiB: navigator.deviceMemory ?? null,
  });
}

/** More threads than this gain little on the small products that models are made of. */
const THREADS_MAX = 8;

/**
 * Threads of the WASM runtimes. One core stays free for the person at the machine, and for the loop and the browser:
 * a pool as wide as the machine waits for its slowest thread whenever anything else runs.
 */
export function wasmThreads(environment: Environment): number {
  return environment.crossOriginIsolated ? Math.min(THREADS_MAX, Math.max(1, environment.logicalCores - 1)) : 1;
}
