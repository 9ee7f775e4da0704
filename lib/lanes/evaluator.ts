/**
 * The port that every lane runtime implements: a lane program, made ready on one device, applied to runs of lanes.
 *
 * All implementations return the same bits (tests/contract/lane-evaluator). An evaluator takes `concurrency` chunks at a time.
 */
import type { MaskStreams } from "./mask.ts";
import type { LaneProgram } from "./program.ts";

/** Names of lane runtimes, fastest first where all are there; docs and benchmarks use the same. */
export const LANE_RUNTIMES = ["lane-simd", "ort-wasm", "tfjs-wasm", "ort-webgpu", "tfjs-webgpu"] as const;
export type LaneRuntimeName = (typeof LANE_RUNTIMES)[number];

export interface LaneRuntime {
  readonly name: LaneRuntimeName;
  /** Makes a program ready: packs weights, makes sessions. Dear; do it once per program digest. */
  prepare(program: LaneProgram): Promise<LaneEvaluator>;
}

/** A run of lanes of one prime, as a donor has it before any arithmetic. */
export interface LaneChunk {
  readonly primeIndex: number;
  readonly laneCount: number;
  /** Polynomial 0: packed lanes of a payload's body (lib/lanes/block.ts). */
  readonly packed: Uint8Array;
  /** Polynomial 1: its key streams (lib/lanes/mask.ts). An evaluator may overwrite them. */
  readonly mask: MaskStreams;
}

export interface LaneEvaluator {
  /** Lanes that one `evaluate` takes at most. Callers cut longer runs. */
  readonly maxLanes: number;
  /** Chunks that may be under way at once; 1 if absent. */
  readonly concurrency?: number;
  /** Runs the program on a chunk. Returns canonical residues `[lane][poly][output]`. */
  evaluate(chunk: LaneChunk): Promise<Uint32Array<ArrayBuffer>> | Uint32Array<ArrayBuffer>;
  /** Frees sessions and device memory. */
  dispose(): Promise<void> | void;
}
