/**
 * Fits the meta-model's parameters to labelled records: full-batch Adam (Kingma & Ba, ICLR 2015) on cross-entropy or
 * squared error, with quadratic penalties that pull the shared part to its prior and the job's own part to zero.
 */
import type { AggregationSet } from "./aggregation-set.ts";
import {
  HIDDEN,
  layoutOf,
  lossAndGradient,
  type MetaModel,
  prepareSet,
  SHARED_PARAMETERS,
  scratchFor,
} from "./meta-model.ts";
import { normal, seeded } from "./random.ts";
import { FEATURE_COUNT } from "./segment-features.ts";

/** Where the shared part starts: made by meta-learn.ts from earlier jobs, or `freshPrior`. */
export interface Prior {
  readonly version: string;
  /** `[SHARED_PARAMETERS]` */
  readonly shared: Float64Array;
}

export interface TrainOptions {
  readonly prior: Prior;
  readonly steps?: number;
  readonly learningRate?: number;
  readonly penalties?: Penalties;
}

/** How strongly each part is pulled to its start, in units of labelled records; infinite: it stays there. */
export interface Penalties {
  /** Scorer and pool, to the prior. */
  readonly shared: number;
  /** Temperature, to the prior. */
  readonly temperature: number;
  readonly trust: number;
  readonly bias: number;
  readonly evidence: number;
}

export const USUAL_PENALTIES: Penalties = {
  shared: 0.5,
  temperature: 0.5,
  trust: 0.25,
  bias: 2,
  evidence: Number.POSITIVE_INFINITY,
};

/** Even weights and a half-and-half pool: small random features of the scorer, no opinion yet. */
export function freshPrior(seed = 1): Prior {
  const shared = new Float64Array(SHARED_PARAMETERS);
  const at = layoutOf(0, 0);
  const random = seeded(seed);
  for (let i = 0; i < FEATURE_COUNT * HIDDEN; i++) shared[at.w1 + i] = normal(random) / Math.sqrt(FEATURE_COUNT);
  return { version: "fresh", shared };
}

/** The untrained model that a prior stands for: its scorer, and no opinion about members or classes. */
export function modelFromPrior(prior: Prior, set: Pick<AggregationSet, "task" | "members" | "classes">): MetaModel {
  const parameters = new Float64Array(layoutOf(set.members, set.classes).total);
  parameters.set(prior.shared);
  return { task: set.task, members: set.members, classes: set.classes, parameters };
}

/**
 * Trains on every record of the set. @param targets as in `lossAndGradient`
 */
export function trainMetaModel(set: AggregationSet, targets: ArrayLike<number>, options: TrainOptions): MetaModel {
  const { steps = 200, learningRate = 0.05, penalties = USUAL_PENALTIES } = options;
  const scaled = set.task === "regression" ? scaleFor(set, targets) : null;
  const data = scaled?.set ?? set;
  const goal = scaled?.targets ?? targets;

  const model = modelFromPrior(options.prior, data);
  const { parameters } = model;
  const at = layoutOf(data.members, data.classes);
  const prepared = prepareSet(data);
  const scratch = scratchFor(data);
  const gradient = new Float64Array(parameters.length);
  const first = new Float64Array(parameters.length);
  const second = new Float64Array(parameters.length);
  const penaltyOf = Float64Array.from(parameters, (_, i) => {
    if (i >= at.evidence) return penalties.evidence;
    if (i >= at.bias) return penalties.bias;
    if (i >= at.trust) return penalties.trust;
    return i === at.logTau ? penalties.temperature : penalties.shared;
  });

  for (let step = 1; step <= steps; step++) {
    lossAndGradient(model, prepared, goal, gradient, scratch);
    const rate = learningRate * (0.02 + 0.98 * 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
    for (let i = 0; i < parameters.length; i++) {
      const penalty = penaltyOf[i]!;
      if (penalty === Number.POSITIVE_INFINITY) continue;
      const centre = i < SHARED_PARAMETERS ? options.prior.shared[i]! : 0;
      const g = gradient[i]! + (penalty / data.records) * (parameters[i]! - centre);
      first[i] = 0.9 * first[i]! + 0.1 * g;
      second[i] = 0.999 * second[i]! + 0.001 * g * g;
      parameters[i]! -= (rate * first[i]!) / (1 - 0.9 ** step) / (Math.sqrt(second[i]! / (1 - 0.999 ** step)) + 1e-8);
    }
  }
  if (scaled) for (let c = 0; c < data.classes; c++) parameters[at.bias + c]! *= scaled.deviation;
  return model;
}

/** Regression trains in units of the targets' deviation; one common scale keeps the weights as they are. */
function scaleFor(set: AggregationSet, targets: ArrayLike<number>) {
  let sum = 0;
  for (let i = 0; i < targets.length; i++) sum += targets[i]!;
  const mean = sum / targets.length;
  let squares = 0;
  for (let i = 0; i < targets.length; i++) squares += (targets[i]! - mean) ** 2;
  const deviation = Math.sqrt(squares / targets.length) || 1;
  return {
    deviation,
    set: { ...set, outputs: set.outputs.map((value) => (value - mean) / deviation) },
    targets: Float64Array.from({ length: targets.length }, (_, i) => (targets[i]! - mean) / deviation),
  };
}
