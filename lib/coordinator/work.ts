/**
 * Where jobs and dispatching meet. The job services plan stages and hand them to the dispatcher through `WorkQueue`; the
 * dispatcher tells what became of them through `WorkEvents`; a model is tried once through `ModelProbe`. Nothing else
 * passes between the two.
 */
import type { JobId, StageId } from "#lib/protocol/ids.ts";
import type { StageSpec } from "#lib/protocol/stage.ts";
import type { RecordTensor } from "#lib/protocol/tensors.ts";

/** Implemented by the dispatcher. */
export interface WorkQueue {
  /** A stage that is `open` in the store now has work; asked again for the same stage it changes nothing. */
  openStage(stageId: StageId): Promise<void>;
  /** A batch was added to an open stage (encrypted jobs make batches while donors compute). */
  openBatch(stageId: StageId, batch: number): Promise<void>;
  /** The job was cancelled or failed: leases are revoked, late results refused. The caller sets the stage's state. */
  closeStage(stageId: StageId): Promise<void>;
  donorsOnline(): number;
  live(jobId: JobId): LiveWork;
}

/** What only memory knows of a job's work. */
export interface LiveWork {
  readonly microtasksLeased: number;
  /** Donors that hold a lease of it now. */
  readonly donorsComputing: number;
  /** Why nothing is leased, in words; null while something is. */
  readonly waitingFor: string | null;
}

/** Implemented by the job services. Calls are cheap and never throw. */
export interface WorkEvents {
  /** The first lease of a stage was granted. */
  stageStarted(stageId: StageId): void;
  /** A result was committed. */
  resultAccepted(stageId: StageId, units: number): void;
  /** Every unit of the batch has a committed result or is quarantined. */
  batchCompleted(stageId: StageId, batch: number): void;
  /** So have all batches of the stage; its state in the store is `completed`. */
  stageCompleted(stageId: StageId): void;
}

/** Runs a model once on the coordinator, in its own thread, before a public job is accepted. */
export interface ModelProbe {
  /**
   * @param spec without outputs and batch size, which the probe finds
   * @param payload stored bytes of `records` records, as a donor would get them
   * @throws FluxError model_unsupported or dataset_mismatch with the runtime's reason
   */
  probe(spec: ProbeSpec, payload: Uint8Array, records: number): Promise<ProbeReport>;
}

/** The part of a public stage's spec that is known before the model has run. */
export type ProbeSpec = Pick<Extract<StageSpec, { kernel: "onnx" }>, "model" | "inputs"> & {
  readonly kernel: "onnx" | "tfjs";
};

export interface ProbeReport {
  /** One record's outputs, without the batch axis. */
  readonly outputs: readonly RecordTensor[];
  /** Largest batch that the model takes and that is worth while; 1 where its batch axis is fixed to one. */
  readonly batchRecords: number;
  /** On one thread of this machine, warm. */
  readonly msPerRecord: number;
}
