/**
 * Fits the meta-model's parameters to labelled records: cross-entropy or squared error over all of them (minimize.ts), with quadratic
 * penalties that pull the shared part to its prior and the job's own part to zero.
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
import { minimize } from "./minimize.ts";
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
  /** Of loss and gradient, at most. @default 60 */
  readonly evaluations?: number;
  readonly penalties?: Penalties;
}

/** How strongly each part is pulled to its start, in units of labelled records; infinite: it stays there. */
export interface Penalties {
  /** Scorer and mix of pools, to the prior. */
  readonly shared: number;
  /** τ, β and κ, to the prior. */
  readonly calibration: number;
  readonly trust: number;
  readonly bias: number;
  readonly evidence: number;
}

export const USUAL_PENALTIES: Penalties = {
  shared: 0.5,
  calibration: 0.5,
  trust: 0.25,
  bias: 2,
  evidence: Number.POSITIVE_INFINITY,
};

export const FRESH = "fresh";

/** Even weights and a half-and-half pool: small random features of the scorer, no opinion yet. */
export function freshPrior(seed = 1): Prior {
  const shared = new Float64Array(SHARED_PARAMETERS);
  const at = layoutOf(0, 0);
  const random = seeded(seed);
  for (let i = 0; i < FEATURE_COUNT * HIDDEN; i++) shared[at.w1 + i] = normal(random) / Math.sqrt(FEATURE_COUNT);
  return { version: FRESH, shared };
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
  const { penalties = USUAL_PENALTIES, evaluations = 60 } = options;
  const { deviation, set: data, targets: goal } = inTargetUnits(set, targets);

  const model = modelFromPrior(options.prior, data);
  const at = layoutOf(data.members, data.classes);
  const start = model.parameters.slice();
  const penaltyOf = start.map((_, i) => {
    if (i >= at.evidence) return penalties.evidence;
    if (i >= at.bias) return penalties.bias;
    if (i >= at.trust) return penalties.trust;
    return i >= at.logTau ? penalties.calibration : penalties.shared;
  });
  const free = Int32Array.from(start.keys()).filter((i) => penaltyOf[i] !== Number.POSITIVE_INFINITY);
  const x = Float64Array.from(free, (i) => model.parameters[i]!);
  const prepared = prepareSet(data);
  const scratch = scratchFor(data);
  const whole = new Float64Array(start.length);
  const evaluate = (at: Float64Array, gradient: Float64Array): number => {
    free.forEach((i, k) => {
      model.parameters[i] = at[k]!;
    });
    let loss = lossAndGradient(model, prepared, goal, whole, scratch);
    free.forEach((i, k) => {
      const pull = penaltyOf[i]! / data.records;
      const away = at[k]! - start[i]!;
      loss += 0.5 * pull * away * away;
      gradient[k] = whole[i]! + pull * away;
    });
    return loss;
  };
  minimize(x, evaluate, { evaluations });
  free.forEach((i, k) => {
    model.parameters[i] = x[k]!;
  });
  for (let c = 0; c < data.classes; c++) model.parameters[at.bias + c]! *= deviation;
  return model;
}

/** Regression trains in units of the targets' deviation; one common scale keeps the weights as they are. Classes stay what they are. */
export function inTargetUnits(
  set: AggregationSet,
  targets: ArrayLike<number>,
): { readonly deviation: number; readonly set: AggregationSet; readonly targets: ArrayLike<number> } {
  if (set.task === "classification") return { deviation: 1, set, targets };
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
