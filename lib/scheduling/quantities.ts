/**
 * What the cost model estimates one by one, each relative to a baseline that the donor's benchmark gives, and what is believed of
 * each before anything was seen.
 */
import type { KernelKind, RuntimeId } from "#lib/protocol/stage.ts";
import type { Prior } from "./shrinkage.ts";
import type { DonorView, StageDefinition } from "./types.ts";

const KERNELS: readonly KernelKind[] = ["onnx", "tfjs", "lanes"];
const RUNTIMES: readonly RuntimeId[] = ["lane-simd", "ort-wasm", "ort-webgpu", "tfjs-wasm", "tfjs-webgpu"];

/** Quantities: compute per (kernel, runtime, visible or hidden), then the two directions of the link, then overhead. */
export const DOWN = KERNELS.length * RUNTIMES.length * 2;
export const UP = DOWN + 1;
export const OVERHEAD = DOWN + 2;
export const QUANTITIES = DOWN + 3;

/** Beliefs before anything was seen: standard deviations in log space, squared. */
const COMPUTE_START: Prior = { mean: 0, between: 0.5 ** 2, within: 0.2 ** 2 };
const LINK_START: Prior = { mean: 0, between: 0.6 ** 2, within: 0.3 ** 2 };
const OVERHEAD_START: Prior = { mean: 0, between: 0.5 ** 2, within: 0.4 ** 2 };

/** Where the benchmark took no download: a modest line. */
const FALLBACK_DOWN_BYTES_PER_SECOND = 1.25e6;
/** Home links send slower than they receive. */
export const UP_OF_DOWN = 0.4;
export const OVERHEAD_BASE_MS = 8;
/** Browsers give hidden tabs about a tenth; learnt per class like everything else. */
const HIDDEN_SLOWDOWN = 10;

export function computeQuantity(kernel: KernelKind, runtime: RuntimeId, visible: boolean): number {
  return (KERNELS.indexOf(kernel) * RUNTIMES.length + RUNTIMES.indexOf(runtime)) * 2 + (visible ? 0 : 1);
}

export function quantityName(quantity: number): string {
  if (quantity === DOWN) return "download";
  if (quantity === UP) return "upload";
  if (quantity === OVERHEAD) return "overhead";
  const kernel = KERNELS[Math.floor(quantity / (RUNTIMES.length * 2))];
  const runtime = RUNTIMES[Math.floor(quantity / 2) % RUNTIMES.length];
  return `${kernel} on ${runtime}${quantity % 2 === 0 ? "" : ", hidden tab"}`;
}

export function startOf(quantity: number): Prior {
  if (quantity === DOWN || quantity === UP) return LINK_START;
  return quantity === OVERHEAD ? OVERHEAD_START : COMPUTE_START;
}

export function missingBytes(donor: DonorView, stage: StageDefinition): number {
  let missing = 0;
  for (const { digest, bytes } of stage.artefacts) if (!donor.cached.has(digest)) missing += bytes;
  return missing;
}

/** What the benchmark promises for one unit at the donor's present share. */
export function computeBaselineMs(
  donor: DonorView,
  stage: StageDefinition,
  runtime: RuntimeId,
  macsPerSecond: number,
): number {
  const share = runtime.endsWith("webgpu") ? donor.gpuShare : donor.cpuShare;
  const slowdown = donor.visible ? 1 : HIDDEN_SLOWDOWN;
  return (1000 * Math.max(1, stage.unitMacs) * slowdown) / (macsPerSecond * Math.max(0.01, share));
}

export function baselineDown(donor: DonorView): number {
  return donor.benchmarkDownBytesPerSecond > 0 ? donor.benchmarkDownBytesPerSecond : FALLBACK_DOWN_BYTES_PER_SECOND;
}
