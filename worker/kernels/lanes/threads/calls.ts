/** What a lane thread is asked. */
import type { LaneChunk } from "#lib/lanes/evaluator.ts";
import type { Wire } from "#worker/peer.ts";

export type LaneThreadCalls = {
  /** Makes a lane program ready (its bytes, lib/lanes/program-codec.ts). Once, before the first chunk. */
  prepare: { request: { program: Uint8Array }; answer: null };
  /** Residues `[lane][poly][output]` of a chunk. */
  evaluate: { request: LaneChunk; answer: Uint32Array<ArrayBuffer> };
};

/** A lane thread from outside: the wire, how it ends and how it is ended. */
export interface LaneThread extends Wire {
  onCrash(listener: (detail: string) => void): void;
  terminate(): void;
}
