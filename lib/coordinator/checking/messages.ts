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

export type CheckReply =
  | { readonly id: number; readonly ok: true; readonly wrongRecords: readonly number[] }
  | { readonly id: number; readonly ok: false; readonly error: string };
