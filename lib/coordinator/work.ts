/**
 * Where jobs and dispatching meet. The job services plan stages and hand them to the dispatcher through `WorkQueue`, which tells
 * what became of them by its events.
 */
import type { JobId } from "#lib/protocol/ids.ts";
import type { Standing } from "#lib/scheduling/explain.ts";
import type { BatchRecord, StageRecord } from "#lib/storage/records.ts";
import type { JobProgress } from "#lib/storage/store.ts";

/** What the job services use of the dispatcher (dispatch/dispatcher.ts). */
export interface WorkQueue {
  /** Stores a stage with its first batches and lets donors have it. */
  openStage(stage: StageRecord, specBytes: number, batches: readonly BatchRecord[]): Promise<void>;
  /** The job was cancelled or failed: its open stages are closed and their leases revoked. */
  closeJob(jobId: JobId): Promise<void>;
  /** Live counts of a job that has open stages; undefined otherwise (ask the store then). */
  progress(jobId: JobId): LiveWork | undefined;
  readonly donorsOnline: number;
}

/** Counts of a job while the dispatcher holds it. */
export interface LiveWork extends JobProgress {
  readonly microtasksPending: number;
  readonly microtasksLeased: number;
  /** Over the last seconds. */
  readonly unitsPerSecond: number;
  /** What the scheduler says of its furthest stage: why it waits, or how it stands. */
  readonly standing: Standing;
  readonly why: string;
}
