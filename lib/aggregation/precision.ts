/**
 * How a segment was computed, as one byte that is kept with a job's outputs: by what in the two low bits, and above them how far
 * its donor's results lay from recomputed ones, on the whole stage, as a share of what is allowed.
 */

/** 0 exact lanes, 1 float32 on WASM, 2 float32 on WebGPU. */
export type PrecisionClass = 0 | 1 | 2;

const STEPS = 63;

/** @param drift 0 the same bits as the reference … 1 all that is allowed */
export function packPrecision(kind: PrecisionClass, drift: number): number {
  return kind + 4 * Math.round(STEPS * Math.min(1, Math.max(0, drift)));
}

/** What the scorer sees: 0 exact, 1 float32 that matches its reference, up to 2 at the edge of what is allowed. */
export function roundingOf(packed: number): number {
  return (packed & 3) === 0 ? 0 : 1 + (packed >> 2) / STEPS;
}
