/**
 * A job's life, and its one writer.
 *
 * `planning`: the plan is being made (encrypted jobs compile first); no stage exists. Leaves to `queued` with the plan,
 * or to `failed`.
 * `queued`: its stages are opened one by one; nothing was leased yet. Leaves to `running` at the first lease.
 * `running`: donors compute. Leaves to `aggregating` when every stage is completed.
 * `aggregating`: accepted results are put together, in dataset order. Leaves to `completed` with a results version, or to
 * `failed`.
 * `completed`, `failed`, `canceled`: ended. Results of a completed job may get newer versions, its status stays.
 * From every state but the ended ones, its submitter may cancel it and an error may fail it.
 *
 * Every transition is one compare-and-set in the store, so two events that race leave the job in one of their states,
 * never between. After a restart `resume` goes on where the store says.
 */
import type { JobStatus } from "#lib/protocol/api/jobs.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { JobRecord, StageRecord } from "#lib/storage/records.ts";
import { type JobChange, type Store, SYSTEM } from "#lib/storage/store.ts";
import type { Log } from "../log.ts";
import type { WorkQueue } from "../work.ts";
import type { PlannedStage } from "./plan-public.ts";

const UNFINISHED: readonly JobStatus[] = ["planning", "queued", "running", "aggregating"];

export function isEnded(status: JobStatus): boolean {
  return !UNFINISHED.includes(status);
}

export interface LifecycleOptions {
  readonly store: Store;
  readonly queue: Pick<WorkQueue, "openStage" | "closeJob">;
  /** Puts a job's accepted results together as its next results version; answers what was measured while it ran. */
  readonly aggregate: (job: JobRecord) => Promise<JobRecord["report"]>;
  /** Plans a job again whose planning or queueing was cut off by a restart, and queues it. */
  readonly replan: (job: JobRecord) => Promise<void>;
  /** Goes on with a job whose stages exist, after a restart. */
  readonly restart: (job: JobRecord) => Promise<void>;
  /** The job has ended: what only its work needed can go. */
  readonly ended: (job: JobRecord) => Promise<void>;
  /** Its status is another one now, durably: webhooks hear of it. */
  readonly changed: (job: JobRecord) => void;
  readonly log: Log;
  readonly now: () => number;
}

export class JobLifecycle {
  readonly #options: LifecycleOptions;
  /** Jobs known to run: the first lease of each is written once. */
  readonly #running = new Set<JobId>();
  readonly #listeners = new Map<JobId, Set<() => void>>();
  readonly #work = new Set<Promise<void>>();

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Goes on with every unfinished job of the store. The dispatcher has taken up the open stages by itself. */
  async resume(): Promise<void> {
    for (const job of await this.#options.store.jobs.unfinished()) {
      this.background(job.id, async () => {
        if (job.status === "aggregating") await this.#aggregate(job);
        else if (job.status === "planning" || !(await this.#allStagesExist(job))) await this.#options.replan(job);
        else {
          await this.#options.restart(job);
          await this.#finishIfDone(job.id);
        }
      });
    }
  }

  /** The plan is made: the job is queued, then donors may have its work, stage after stage. */
  async queue(jobId: JobId, plan: JobRecord["plan"], stages: readonly PlannedStage[]): Promise<void> {
    const { store, queue } = this.#options;
    await this.#change(jobId, ["planning"], { status: "queued", plan });
    const existing = new Set((await store.stages.ofJob(jobId)).map(({ member }) => member));
    for (const { stage, specBytes, batches } of stages) {
      // A restart may have come between two of them.
      if (!existing.has(stage.member)) await queue.openStage(stage, specBytes, batches);
    }
    // Cancelled in between: what was opened after that is closed again.
    if (isEnded((await store.jobs.get(SYSTEM, jobId)).status)) await queue.closeJob(jobId);
  }

  /** The plan is made, but worse than its submitter wants: the job ends with the plan to look at. */
  async refuse(jobId: JobId, plan: JobRecord["plan"], error: unknown): Promise<void> {
    await this.#options.store.jobs.change(jobId, ["planning"], { plan }, this.#options.now());
    await this.fail(jobId, error);
  }

  /** A lease of the job was granted. */
  leased(jobId: JobId): void {
    this.touch(jobId);
    if (this.#running.has(jobId)) return;
    this.#running.add(jobId);
    this.background(jobId, async () => {
      await this.#change(jobId, ["queued"], { status: "running", startedAtMs: this.#options.now() });
    });
  }

  /** Every unit of a stage has a result or was given up. */
  stageCompleted(jobId: JobId): void {
    this.background(jobId, () => this.#finishIfDone(jobId));
  }

  /** @throws FluxError conflict when it has ended already */
  async cancel(job: JobRecord): Promise<JobRecord> {
    const changed = await this.#change(job.id, UNFINISHED, {
      status: "canceled",
      completedAtMs: this.#options.now(),
    });
    if (!changed) {
      throw new FluxError(
        "conflict",
        `The job is ${job.status} already; only a job that has not ended can be cancelled.`,
      );
    }
    await this.#options.queue.closeJob(job.id);
    return changed;
  }

  async fail(jobId: JobId, error: unknown): Promise<void> {
    const { log, now } = this.#options;
    const known = isFluxError(error);
    if (!known) log.error({ err: error, jobId }, "job failed");
    const changed = await this.#change(jobId, UNFINISHED, {
      status: "failed",
      completedAtMs: now(),
      error: known
        ? { code: error.code, detail: error.detail }
        : { code: "internal", detail: "Something broke on our side; it was logged. Submit the job again." },
    });
    if (changed) await this.#options.queue.closeJob(jobId);
  }

  /** Calls `listener` when anything about the job may have changed. @returns the function that stops it */
  watch(jobId: JobId, listener: () => void): () => void {
    const listeners = this.#listeners.get(jobId) ?? new Set();
    this.#listeners.set(jobId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(jobId) === listeners) this.#listeners.delete(jobId);
    };
  }

  touch(jobId: JobId): void {
    for (const listener of this.#listeners.get(jobId) ?? []) listener();
  }

  /** Resolves when no transition is under way. */
  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  async #finishIfDone(jobId: JobId): Promise<void> {
    const stages = await this.#options.store.stages.ofJob(jobId);
    if (!areAllThere(stages) || stages.some((stage) => stage.state !== "completed")) return;
    const job = await this.#change(jobId, ["queued", "running"], { status: "aggregating" });
    if (job) await this.#aggregate(job);
  }

  async #allStagesExist(job: JobRecord): Promise<boolean> {
    return areAllThere(await this.#options.store.stages.ofJob(job.id));
  }

  async #aggregate(job: JobRecord): Promise<void> {
    const report = await this.#options.aggregate(job);
    await this.#change(job.id, ["aggregating"], { status: "completed", report, completedAtMs: this.#options.now() });
  }

  async #change(jobId: JobId, from: readonly JobStatus[], change: JobChange): Promise<JobRecord | undefined> {
    const { store, now } = this.#options;
    const changed = await store.jobs.change(jobId, from, change, now());
    if (!changed) return undefined;
    this.touch(jobId);
    this.#options.changed(changed);
    if (isEnded(changed.status)) {
      this.#running.delete(jobId);
      this.background(jobId, () => this.#options.ended(changed));
    }
    return changed;
  }

  /** Does something for a job that has ended, which nobody waits for; an error is logged and leaves the job as it is. */
  apart(jobId: JobId, run: () => Promise<void>): void {
    const work = run()
      .catch((error: unknown) => this.#options.log.error({ err: error, jobId }, "work after the job's end failed"))
      .finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  /** Does something for a job that nobody waits for; an error fails the job. */
  background(jobId: JobId, run: () => Promise<void>): void {
    const work = run()
      .catch((error: unknown) => this.fail(jobId, error))
      .catch((error: unknown) => this.#options.log.error({ err: error, jobId }, "a failed job could not be marked so"))
      .finally(() => this.#work.delete(work));
    this.#work.add(work);
  }
}

/** A job's stages are opened one by one; each says how many there will be. */
function areAllThere(stages: readonly StageRecord[]): boolean {
  return stages.length > 0 && stages.length >= (stages[0]?.definition.stages ?? 1);
}
