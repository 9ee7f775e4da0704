/**
 * What this operator's jobs have taught: the labelled aggregation sets of jobs that contribute (no records, no ids: log-probabilities,
 * classes, and the profile of the members), the scorer's start that was learned over them, version by version, and how each start did on jobs that it had not
 * seen. A start without labels is used only where those trials speak for it.
 */
import { deserialize, serialize } from "node:v8";
import { z } from "zod";
import type { PriorTrial } from "#lib/aggregation/aggregate-job.ts";
import { SHARED_MEANING, SHARED_PARAMETERS } from "#lib/aggregation/meta-model.ts";
import { freshPrior, type Prior } from "#lib/aggregation/train.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { Store } from "#lib/storage/store.ts";
import { Turns } from "../encrypted/turns.ts";
import type { Lesson } from "../isolated/meta-learn.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import type { Log } from "../log.ts";

/** Of the shared parameters when it was written (SHARED_MEANING); not kept at first. */
const Meaning = z.int().default(1);
const Trial = z.object({
  job: JobId,
  prior: z.string(),
  records: z.number(),
  gain: z.number(),
  gainStandardError: z.number(),
  accuracyGain: z.number(),
  meaning: Meaning,
});
const Memory = z.object({
  /** Jobs whose sets are kept, oldest first. */
  lessons: z.array(JobId),
  priors: z.array(
    z.object({
      version: z.string(),
      jobs: z.int().positive(),
      createdAtMs: z.number(),
      shared: z.array(z.number()),
      meaning: Meaning,
    }),
  ),
  trials: z.array(Trial),
});
type Memory = z.infer<typeof Memory>;

const KEY = "aggregation-memory";
/** Older jobs are forgotten: tasks and models change, and learning over more takes longer. */
const LESSONS = 32;
const PRIORS_KEPT = 8;
const TRIALS = 32;
/** Fewer trials than this prove nothing. */
const TRIALS_MIN = 3;

const META_LEARN = new URL("../isolated/meta-learn.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 300_000,
  heapMiB: 1024,
  onLimit: { code: "unavailable", detail: "Learning over earlier jobs took too long." },
};

export interface AggregationMemoryOptions {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly log: Log;
  readonly now: () => number;
}

export class AggregationMemory {
  readonly #options: AggregationMemoryOptions;
  readonly #turns = new Turns(1);
  #learning: Promise<void> = Promise.resolve();

  constructor(options: AggregationMemoryOptions) {
    this.#options = options;
  }

  /** The newest start, and whether it may be used without labels. */
  async prior(): Promise<{ readonly prior: Prior; readonly proven: boolean }> {
    const memory = await this.#read();
    const newest = memory.priors.at(-1);
    const usable = newest?.meaning === SHARED_MEANING && newest.shared.length === SHARED_PARAMETERS;
    if (!usable) return { prior: freshPrior(), proven: false };
    return {
      prior: { version: newest.version, shared: Float64Array.from(newest.shared) },
      proven: isProven(memory.trials.filter(({ meaning }) => meaning === SHARED_MEANING)),
    };
  }

  /** A job's labelled set is kept, and the start is learned anew over all that are. */
  async contribute(jobId: JobId, lesson: Uint8Array, trial: PriorTrial | null): Promise<void> {
    await this.#turns.run(async () => {
      const { objects, store } = this.#options;
      await objects.put(lessonName(jobId), lesson);
      const memory = await this.#read();
      const lessons = [...memory.lessons.filter((other) => other !== jobId), jobId];
      for (const forgotten of lessons.splice(0, Math.max(0, lessons.length - LESSONS))) {
        await objects.remove(lessonName(forgotten));
      }
      // A job is a trial once: after that its own labels have been learned from.
      const isNew = trial !== null && !memory.lessons.includes(jobId);
      const trials = isNew
        ? [...memory.trials, { job: jobId, ...trial, meaning: SHARED_MEANING }].slice(-TRIALS)
        : memory.trials;
      await store.settings.set(KEY, { ...memory, lessons, trials } satisfies Memory);
    });
    this.#learning = this.#learning
      .then(() => this.#turns.run(() => this.#learn()))
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, "learning over earlier jobs failed; their start stays as it was");
      });
  }

  /** Resolves when nothing is being learned. */
  async settled(): Promise<void> {
    await this.#learning;
  }

  async #learn(): Promise<void> {
    const { objects, store, now, log } = this.#options;
    const memory = await this.#read();
    const lessons: Lesson[] = [];
    for (const jobId of memory.lessons) lessons.push(decodeLesson(await objects.read(lessonName(jobId))));
    const number = 1 + Number(memory.priors.at(-1)?.version.split("-")[1] ?? 0);
    const version = `prior-${number}`;
    const shared = z
      .instanceof(Float64Array)
      .parse(await runIsolated(META_LEARN, { lessons, version, seed: number }, LIMITS));
    const prior = { version, jobs: lessons.length, createdAtMs: now(), shared: [...shared], meaning: SHARED_MEANING };
    await store.settings.set(KEY, {
      ...memory,
      priors: [...memory.priors, prior].slice(-PRIORS_KEPT),
    } satisfies Memory);
    log.info({ version, jobs: lessons.length }, "learned a start for aggregation over earlier jobs");
  }

  async #read(): Promise<Memory> {
    const kept = await this.#options.store.settings.get(KEY);
    return kept === undefined || kept === null ? { lessons: [], priors: [], trials: [] } : Memory.parse(kept);
  }
}

/** Over the jobs together the start's loss was lower than the mean's by more than one standard error, and it was as accurate. */
function isProven(trials: Memory["trials"]): boolean {
  if (trials.length < TRIALS_MIN) return false;
  const gains = trials.map(({ gain }) => gain);
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
  const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / (gains.length - 1);
  const accuracy = trials.reduce((sum, { accuracyGain }) => sum + accuracyGain, 0) / trials.length;
  return mean > Math.sqrt(variance / gains.length) && accuracy >= 0;
}

const lessonName = (jobId: JobId): ObjectName => ObjectName.parse(`aggregation/${jobId}`);

export const encodeLesson = (lesson: Lesson): Uint8Array => new Uint8Array(serialize(lesson));

/** Written by encodeLesson on this machine: never a stranger's bytes. */
function decodeLesson(bytes: Uint8Array): Lesson {
  return deserialize(bytes);
}
