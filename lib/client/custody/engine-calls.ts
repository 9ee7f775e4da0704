/** What is said between whoever runs a sealed job (a page, the command line) and the thread that holds keys and plain records. */

import type { Piece } from "#lib/aggregation/pieces.ts";
import type { MeasuredFidelity } from "#lib/protocol/api/jobs.ts";
import type { TensorInfo } from "#lib/protocol/api/uploads.ts";
import type {
  ColumnMapping,
  DatasetDescription,
  DatasetFormat,
  Preprocessing,
  SegmentSpec,
} from "#lib/protocol/datasets.ts";
import type { RecordTensor } from "#lib/protocol/tensors.ts";

/** How to read the dataset: what POST /datasets takes in the coordinator's custody. */
export interface IngestSettings {
  readonly format?: DatasetFormat;
  readonly columns?: readonly string[];
  readonly labelColumn?: string;
  readonly idColumn?: string;
  readonly preprocessing?: Preprocessing;
}

export interface NamedFile {
  readonly name: string;
  readonly content: Blob;
  /** Where it is on this machine: Node's file-backed blobs do not go to another thread, which opens it itself. In a browser left out. */
  readonly path?: string;
}

/** A file as it goes to the engine's thread. */
export interface SentFile {
  readonly name: string;
  readonly content: Blob | { readonly path: string };
}

export function sentFile({ name, content, path }: NamedFile): SentFile {
  return { name, content: path === undefined ? content : { path } };
}

export interface OpenRequest {
  readonly models: readonly SentFile[];
  readonly dataset: SentFile;
  readonly ingest: IngestSettings;
  readonly inputs: ColumnMapping["inputs"];
  /** Cuts every record into windows or tiles, which the models read. */
  readonly segments?: SegmentSpec;
}

export interface OpenedInputs {
  /** Of the whole records. */
  readonly description: DatasetDescription;
  /** What every record is cut into: a batch's rows are pieces, record after record. */
  readonly pieces: readonly Piece[];
  readonly models: readonly { readonly name: string; readonly inputs: TensorInfo[]; readonly outputs: TensorInfo[] }[];
}

/** One lane program, and the members (by position) that it computes. */
export interface ProgramFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  readonly members: readonly number[];
}

export interface LocalPlan {
  /** The key-holder's half (lib/lanes/plan.ts): stays here. */
  readonly plan: unknown;
  readonly programs: readonly ProgramFile[];
  /** Outputs of every member, as results hold them. */
  readonly members: readonly (readonly RecordTensor[])[];
  readonly recordsPerBatch: number;
  readonly fidelity: {
    readonly records: number;
    readonly same_answer_rate: number;
    readonly largest_error: number;
    readonly mean_error: number;
  };
  readonly keyHolderMsPerRecord: number;
  readonly plainModelMsPerRecord: number;
  /** Words of the refusal where it is less faithful than wanted; null otherwise. */
  readonly refusal: string | null;
}

export interface EncryptedLanes {
  /** The batch's public mask seed, hex: drawn for these lanes and never used again. */
  readonly seed: string;
  /** The batch's blob `[prime][lane]` (lib/lanes/block.ts). */
  readonly lanes: Uint8Array<ArrayBuffer>;
  readonly clippedValues: number;
}

export type OpenedResults =
  | { readonly verdict: "noise" }
  | {
      readonly verdict: "sane";
      readonly fidelity: MeasuredFidelity;
      /** Records with an output beyond twice the calibrated maximum. */
      readonly outliers: number;
      /** Per member of the program, and per output of it: FP32 `[records, …shape]`. */
      readonly outputs: readonly { readonly member: number; readonly values: readonly Float32Array<ArrayBuffer>[] }[];
    };

export type EngineCalls = {
  /** Reads models and dataset. First. */
  open: { request: OpenRequest; answer: OpenedInputs };
  /** Compiles, and rehearses with a key that is thrown away. */
  plan: { request: { readonly minFidelity: number }; answer: LocalPlan };
  /** Takes up a plan that was made before, after a restart. */
  take: { request: Pick<LocalPlan, "plan" | "programs">; answer: null };
  makeKey: { request: null; answer: Uint8Array<ArrayBuffer> };
  encrypt: {
    request: { readonly batch: number; readonly secret: Uint8Array };
    answer: EncryptedLanes;
  };
  decrypt: {
    request: {
      readonly batch: number;
      readonly program: number;
      readonly secret: Uint8Array;
      /** Lane results one after another, as they were fetched. */
      readonly results: Uint8Array;
    };
    answer: OpenedResults;
  };
  /** The label column of some records, NaN where it is empty; null where there is none. */
  labels: { request: { readonly start: number; readonly count: number }; answer: Float64Array | null };
  /** The id column of some records; null where there is none. */
  ids: { request: { readonly start: number; readonly count: number }; answer: string[] | null };
};

/** Told unasked: how far a long call is, 0..1. */
export interface EngineNotice {
  readonly doing: "encrypting";
  readonly batch: number;
  readonly share: number;
}
