/** What the checking pool and its threads say to each other. All of it is our own code of one build. */
import type { OnnxStageSpec, TfjsStageSpec } from "#lib/protocol/stage.ts";

/** Sampled records of one result, packed like a payload and a result of just these records. */
export interface CheckTask {
  readonly id: number;
  readonly modelPath: string;
  readonly spec: OnnxStageSpec | TfjsStageSpec;
  readonly records: number;
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly result: Uint8Array<ArrayBuffer>;
}

export interface Found {
  /** Positions of the records that differ. */
  readonly wrongRecords: readonly number[];
  /** How far the others lie from the reference: lib/integrity/tolerance.ts. */
  readonly drift: number;
}

export type CheckReply =
  | { readonly id: number; readonly ok: true; readonly found: Found }
  | { readonly id: number; readonly ok: false; readonly error: string };
