/**
 * Aggregation of the jobs whose outputs are here: once when a job's microtasks are done, and again whenever its labels change. Versions
 * of one job are made one after another; fitting itself happens in a thread (isolated/aggregate.ts).
 */
import { z } from "zod";
import { mergeFeedback } from "#lib/dataset/merge-feedback.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { AggregationReport, type Feedback, type FeedbackAnswer, type Reducer } from "#lib/protocol/api/aggregation.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { DatasetRecord, JobRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";
import { objectSections } from "../dataset-sections.ts";
import { Turns } from "../encrypted/turns.ts";
import type { AggregateInput } from "../isolated/aggregate.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import { readVersions, type VersionEntry, writeResults } from "../jobs/results.ts";
import { readFeedback, writeFeedback } from "./feedback.ts";
import type { AggregationMemory } from "./memory.ts";
import { Gap } from "./raw-outputs.ts";

export interface JobAggregationOptions {
  readonly store: Store;
  readonly objects: ObjectStore;
  /** The disk object store's folder, which the thread opens itself. */
  readonly objectsFolder: string;
  readonly memory: AggregationMemory;
  readonly now: () => number;
}

const AGGREGATE = new URL("../isolated/aggregate.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 600_000,
  heapMiB: 2048,
  onLimit: {
    code: "unavailable",
    detail: "Aggregating took too long or too much memory. Ask for a simple reducer (mean).",
  },
};
/** Two fits at once leave the rest of the machine to requests. */
const TOGETHER = 2;

const Aggregated = z.object({
  records: z.int().nonnegative(),
  outputs: z.array(RecordTensor),
  parts: z.array(ObjectName),
  missing: z.array(Gap),
  report: AggregationReport,
  feedbackChanges: z.int().nonnegative(),
  lesson: z.instanceof(Uint8Array).nullable(),
  trial: z
    .object({
      prior: z.string(),
      records: z.number(),
      gain: z.number(),
      gainStandardError: z.number(),
      accuracyGain: z.number(),
    })
    .nullable(),
});

export class JobAggregation {
  readonly #options: JobAggregationOptions;
  readonly #fitting = new Turns(TOGETHER);
  /** The last thing that was asked for of each job. */
  readonly #last = new Map<JobId, Promise<void>>();

  constructor(options: JobAggregationOptions) {
    this.#options = options;
  }

  /** The job's microtasks are done and its raw outputs are written: its first results. Done again after a restart. */
  async first(job: JobRecord): Promise<void> {
    await this.#inTurn(job.id, () => this.#make(job, job.request.aggregation, 1));
  }

  /**
   * A new version, where the labels or the reducer have changed since the newest one.
   * @returns the newest version
   */
  async again(job: JobRecord, reducer?: Reducer): Promise<number> {
    return this.#inTurn(job.id, async () => {
      const newest = (await readVersions(this.#options.objects, job.id)).at(-1);
      if (!newest) throw new FluxError("conflict", "The job has no results yet that could be aggregated again.");
      const { changes } = await readFeedback(this.#options.objects, job.id);
      const wanted = reducer ?? job.request.aggregation;
      if (newest.feedback === changes && (reducer === undefined || newest.reducer === wanted)) return newest.version;
      await this.#make(job, wanted, newest.version + 1);
      return newest.version + 1;
    });
  }

  /** Keeps labels and ratings, whole or not at all. Fits nothing: call `again`. */
  async feedback(job: JobRecord, sent: Feedback): Promise<z.input<typeof FeedbackAnswer>> {
    const { objects, now } = this.#options;
    return this.#inTurn(job.id, async () => {
      const dataset = await this.#datasetOf(job);
      const reader = openDataset(dataset.description, objectSections(objects, dataset.objectName));
      const merged = await mergeFeedback(sent, await readFeedback(objects, job.id), reader, now());
      await writeFeedback(objects, job.id, merged.feedback);
      return {
        object: "feedback",
        labels: merged.labels,
        ratings: merged.ratings,
        labels_total: merged.feedback.labels.length,
        ratings_total: merged.feedback.ratings.length,
        refit: merged.labels > 0 && job.status === "completed",
      };
    });
  }

  async #make(job: JobRecord, reducer: Reducer, version: number): Promise<void> {
    const { objects, objectsFolder, memory, now } = this.#options;
    const dataset = await this.#datasetOf(job);
    const { prior, proven } = await memory.prior();
    const input: AggregateInput = {
      objectsFolder,
      jobId: job.id,
      version,
      dataset: { objectName: dataset.objectName, description: dataset.description },
      reducer,
      task: job.request.task ?? null,
      prior: { version: prior.version, shared: Float64Array.from(prior.shared) },
      priorProven: proven,
    };
    const made = Aggregated.parse(await this.#fitting.run(() => runIsolated(AGGREGATE, input, LIMITS)));
    const createdAtMs = now();
    const entry: VersionEntry = {
      version,
      createdAtMs,
      reducer: made.report.reducer,
      labels: made.report.labels,
      feedback: made.feedbackChanges,
    };
    const { records, outputs, parts, missing, report } = made;
    await writeResults(objects, job.id, { version, records, outputs, parts, missing, report, createdAtMs }, entry);
    if (made.lesson && job.request.contribute && job.custody === "coordinator") {
      await memory.contribute(job.id, made.lesson, made.trial);
    }
  }

  async #datasetOf({ id, datasetId }: JobRecord): Promise<DatasetRecord> {
    if (datasetId === null) throw new Error(`${id} has no dataset here`);
    return this.#options.store.datasets.get(SYSTEM, datasetId);
  }

  /** What is done for one job waits for what was asked before. */
  async #inTurn<Result>(jobId: JobId, task: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(jobId) ?? Promise.resolve();
    const result = before.then(task);
    const ended = result.then(
      () => {},
      () => {},
    );
    this.#last.set(jobId, ended);
    try {
      return await result;
    } finally {
      if (this.#last.get(jobId) === ended) this.#last.delete(jobId);
    }
  }
}
