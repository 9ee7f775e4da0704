/**
 * Learning to combine across jobs: the scorer's starting point is moved towards where training on earlier jobs ended
 * (Reptile: Nichol, Achiam & Schulman, arXiv 1803.02999), so that few labels are enough on the next one.
 */
import { type AggregationSet, selectRecords } from "./aggregation-set.ts";
import { SHARED_PARAMETERS } from "./meta-model.ts";
import { type Random, shuffled } from "./random.ts";
import { gatherRows } from "./rows.ts";
import { type Penalties, type Prior, trainMetaModel } from "./train.ts";

/** An earlier job's labelled records. All of `set`'s records are labelled. */
export interface EarlierJob {
  readonly set: AggregationSet;
  readonly targets: Float64Array;
}

export interface ReptileOptions {
  readonly iterations?: number;
  /** Labels that a task is trained with. Measured: ends of tasks with 64 labels scatter so much that the start is worse for it. */
  readonly labelsPerTask?: number;
  readonly stepSize?: number;
  /** Of loss and gradient: a few, so that the start goes where all jobs pull it and not to where one of them ends. */
  readonly innerEvaluations?: number;
}

/**
 * No pull to the start inside a task: the outer step is what keeps it close to all of them. What is the job's own is held
 * instead, as it is when few labels are fitted: what it would explain, the start could not learn.
 */
const INNER: Penalties = { shared: 0.02, calibration: 0.02, trust: 20, bias: 50, evidence: Number.POSITIVE_INFINITY };

/**
 * @param version name of the new prior, stored with every job that starts from it
 * @param random seeded; which job and records each iteration sees
 */
export function metaLearn(
  jobs: readonly EarlierJob[],
  start: Prior,
  version: string,
  random: Random,
  options: ReptileOptions = {},
): Prior {
  const { iterations = 400, labelsPerTask = 200, stepSize = 0.3, innerEvaluations = 10 } = options;
  const shared = start.shared.slice();
  for (let i = 0; i < iterations && jobs.length > 0; i++) {
    const job = jobs[Math.floor(random() * jobs.length)]!;
    const width = job.set.task === "classification" ? 1 : job.set.classes;
    const chosen = shuffled(job.set.records, random).subarray(0, labelsPerTask);
    const targets = gatherRows(job.targets, chosen, width);
    const trained = trainMetaModel(selectRecords(job.set, chosen), targets, {
      prior: { version, shared },
      evaluations: innerEvaluations,
      penalties: INNER,
    });
    const epsilon = stepSize * (1 - i / iterations);
    for (let p = 0; p < SHARED_PARAMETERS; p++) shared[p]! += epsilon * (trained.parameters[p]! - shared[p]!);
  }
  return { version, shared };
}
