/**
 * Learning to combine across jobs: the scorer's starting point is moved towards where training on earlier jobs ended
 * (Reptile: Nichol, Achiam & Schulman, arXiv 1803.02999), so that few labels are enough on the next one.
 */
import { type AggregationSet, selectRecords } from "./aggregation-set.ts";
import { SHARED_PARAMETERS } from "./meta-model.ts";
import { type Random, shuffled } from "./random.ts";
import { gatherRows } from "./rows.ts";
import { type Prior, trainMetaModel, USUAL_PENALTIES } from "./train.ts";

/** An earlier job's labelled records. All of `set`'s records are labelled. */
export interface EarlierJob {
  readonly set: AggregationSet;
  readonly targets: Float64Array;
}

export interface ReptileOptions {
  readonly iterations?: number;
  /** Labels that a task is trained with, as few as a later job will have. */
  readonly labelsPerTask?: number;
  readonly stepSize?: number;
  /** Of loss and gradient: training on one task stops early. */
  readonly innerEvaluations?: number;
}

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
  const { iterations = 150, labelsPerTask = 64, stepSize = 0.5, innerEvaluations = 25 } = options;
  const shared = start.shared.slice();
  for (let i = 0; i < iterations && jobs.length > 0; i++) {
    const job = jobs[Math.floor(random() * jobs.length)]!;
    const width = job.set.task === "classification" ? 1 : job.set.classes;
    const chosen = shuffled(job.set.records, random).subarray(0, labelsPerTask);
    const targets = gatherRows(job.targets, chosen, width);
    // No pull to the prior inside a task: the outer step is what keeps the start close to all of them.
    const trained = trainMetaModel(selectRecords(job.set, chosen), targets, {
      prior: { version, shared },
      evaluations: innerEvaluations,
      penalties: { ...USUAL_PENALTIES, shared: 0.02, temperature: 0.02 },
    });
    const epsilon = stepSize * (1 - i / iterations);
    for (let p = 0; p < SHARED_PARAMETERS; p++) shared[p]! += epsilon * (trained.parameters[p]! - shared[p]!);
  }
  return { version, shared };
}
