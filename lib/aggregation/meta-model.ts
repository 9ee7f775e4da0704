/**
 * The learned reducer. A small shared network scores each segment from its features; a softmax over the record's
 * segments turns the scores into weights; the weighted segments are pooled, calibrated, and give one distribution.
 *
 *     score_i  = w2·tanh(W1·f_i + b1) + trust[member_i]
 *     a        = softmax(score)
 *     u_c      = λ·Σ a_i·log p_ic + (1−λ)·log Σ a_i·p_ic        logarithmic and linear opinion pools, mixed
 *     v_c      = Σ_i Σ_k p_ik·evidence[member_i][k][c]           what a member's "k" says about class c, beyond what it claims
 *     log p_c  = log softmax(τ·u + β·balance + κ·d + bias + v)_c
 *
 * `balance` (class-balance.ts) evens out which classes the job's answers neglect; β says how far. `d` is the job's own
 * discriminant (discriminant.ts); κ says how far it counts.
 *
 * With even weights, λ = 0, τ = 1, β = κ = 0, no bias and no evidence this is the mean: the learned reducer contains the simple one. It does
 * not depend on the order of segments, and nothing in the shared part depends on the number of classes, so that part transfers
 * between jobs; trust, bias and evidence are the job's own. Evidence is what repairs a member whose classes are numbered
 * differently, or a tile that takes every 9 for a 4. Regression: y_c = Σ a_i·v_ic + bias_c.
 *
 * Sources: opinion pools — Genest & Zidek, Statistical Science 1986; attention pooling — Ilse et al., ICML 2018;
 * temperature — Guo et al., ICML 2017; evidence — stacked generalization, Wolpert, Neural Networks 1992.
 */
import { type AggregationSet, logSumExp, type Task } from "./aggregation-set.ts";
import { discriminantAnswers } from "./discriminant.ts";
import { FEATURE_COUNT, segmentFeatures } from "./segment-features.ts";

export const HIDDEN = 8;

/** Where each parameter lies in the flat vector. The shared part comes first. */
export function layoutOf(members: number, classes: number) {
  const w1 = 0;
  const b1 = w1 + FEATURE_COUNT * HIDDEN;
  const w2 = b1 + HIDDEN;
  const mix = w2 + HIDDEN;
  const logTau = mix + 1;
  const balance = logTau + 1;
  const kappa = balance + 1;
  const trust = kappa + 1;
  const bias = trust + members;
  const evidence = bias + classes;
  return {
    w1,
    b1,
    w2,
    mix,
    logTau,
    balance,
    kappa,
    trust,
    bias,
    evidence,
    total: evidence + evidenceSize(members, classes),
  };
}

/** More than this and no number of labels would fill it: very many classes or positions go without. */
const EVIDENCE_MAX = 40_000;

/** `[members, classes, classes]`, or nothing. */
function evidenceSize(members: number, classes: number): number {
  const size = members * classes * classes;
  return size <= EVIDENCE_MAX ? size : 0;
}

/** Probabilities below it move nothing that could be seen; skipping them halves the work. */
const LEAST_EVIDENCE = 1e-3;

/** Parameters that transfer between jobs: the scorer, λ, τ, β and κ. */
export const SHARED_PARAMETERS = layoutOf(0, 0).trust;

/** Counts up when a shared parameter comes to mean something else: a start that was learned before is not used any more. */
export const SHARED_MEANING = 2;

export interface MetaModel {
  readonly task: Task;
  readonly members: number;
  readonly classes: number;
  /** Flat, as `layoutOf` says. */
  readonly parameters: Float64Array;
}

/** A set with what every pass over it needs, computed once: an exponential per output and step was half of training. */
export interface PreparedSet {
  readonly set: AggregationSet;
  /** `[segments, FEATURE_COUNT]` */
  readonly features: Float64Array;
  /** `[segments, classes]`; empty for regression */
  readonly probabilities: Float64Array;
  /** `[records, classes]` what the job's discriminant answers; all 0 where it has none */
  readonly discriminant: Float64Array;
  /** `[classes]` what evens the job's answers out; all 0 where nothing is known of the classes' shares */
  readonly balance: Float64Array;
}

export function prepareSet(set: AggregationSet): PreparedSet {
  return {
    set,
    features: segmentFeatures(set),
    probabilities: set.task === "classification" ? set.outputs.map(Math.exp) : new Float64Array(0),
    discriminant: discriminantAnswers(set, set.profile?.discriminant ?? null),
    balance: set.profile?.balance ?? new Float64Array(set.classes),
  };
}

/** Scratch memory of one forward pass, kept so that training allocates nothing per record. */
interface Forward {
  /** `[segments, HIDDEN]` */
  readonly hidden: Float64Array;
  /** `[segments]` */
  readonly weights: Float64Array;
  /** `[classes]` */
  readonly geometric: Float64Array;
  readonly arithmetic: Float64Array;
  readonly pooled: Float64Array;
  readonly answer: Float64Array;
}

/**
 * Applies the model. @returns `[records, classes]` log-probabilities (values for regression) and `[segments]` weights
 */
export function applyMetaModel(
  model: MetaModel,
  set: AggregationSet,
): { outputs: Float64Array; weights: Float64Array } {
  const prepared = prepareSet(set);
  const outputs = new Float64Array(set.records * set.classes);
  const weights = new Float64Array(set.member.length);
  const scratch = scratchFor(set);
  for (let r = 0; r < set.records; r++) {
    forward(model, prepared, r, scratch);
    outputs.set(scratch.answer, r * set.classes);
    const first = set.offsets[r]!;
    weights.set(scratch.weights.subarray(0, set.offsets[r + 1]! - first), first);
  }
  return { outputs, weights };
}

/**
 * Mean loss over some records (cross-entropy, or half squared error over `classes` values) and its gradient.
 * @param targets classification: `[records]` class indices; regression: `[records, classes]` values
 * @param gradient written to; same length as the parameters
 */
export function lossAndGradient(
  model: MetaModel,
  prepared: PreparedSet,
  targets: ArrayLike<number>,
  gradient: Float64Array,
  scratch = scratchFor(prepared.set),
): number {
  const { set } = prepared;
  gradient.fill(0);
  const outputGradient = new Float64Array(set.classes);
  let loss = 0;
  for (let r = 0; r < set.records; r++) {
    forward(model, prepared, r, scratch);
    loss += lossOf(model.task, scratch.answer, targets, r, outputGradient);
    backward(model, prepared, r, scratch, outputGradient, gradient);
  }
  for (let i = 0; i < gradient.length; i++) gradient[i]! /= set.records;
  return loss / set.records;
}

export function scratchFor(set: AggregationSet): Forward {
  let most = 0;
  for (let r = 0; r < set.records; r++) most = Math.max(most, set.offsets[r + 1]! - set.offsets[r]!);
  return {
    hidden: new Float64Array(most * HIDDEN),
    weights: new Float64Array(most),
    geometric: new Float64Array(set.classes),
    arithmetic: new Float64Array(set.classes),
    pooled: new Float64Array(set.classes),
    answer: new Float64Array(set.classes),
  };
}

function forward(model: MetaModel, prepared: PreparedSet, record: number, scratch: Forward): void {
  const { set, features, probabilities } = prepared;
  const { parameters, classes } = model;
  const at = layoutOf(model.members, classes);
  const first = set.offsets[record]!;
  const count = set.offsets[record + 1]! - first;
  const { hidden, weights, geometric, arithmetic, pooled, answer } = scratch;

  for (let i = 0; i < count; i++) {
    let score = parameters[at.trust + set.member[first + i]!]!;
    const unit = i * HIDDEN;
    for (let h = 0; h < HIDDEN; h++) hidden[unit + h] = parameters[at.b1 + h]!;
    for (let f = 0; f < FEATURE_COUNT; f++) {
      const feature = features[(first + i) * FEATURE_COUNT + f]!;
      const row = at.w1 + f * HIDDEN;
      for (let h = 0; h < HIDDEN; h++) hidden[unit + h]! += parameters[row + h]! * feature;
    }
    for (let h = 0; h < HIDDEN; h++) {
      const activation = Math.tanh(hidden[unit + h]!);
      hidden[unit + h] = activation;
      score += parameters[at.w2 + h]! * activation;
    }
    weights[i] = score;
  }
  const normaliser = logSumExp(weights.subarray(0, count));
  for (let i = 0; i < count; i++) weights[i] = Math.exp(weights[i]! - normaliser);

  geometric.fill(0);
  arithmetic.fill(0);
  for (let i = 0; i < count; i++) {
    const row = (first + i) * classes;
    for (let c = 0; c < classes; c++) {
      geometric[c]! += weights[i]! * set.outputs[row + c]!;
      if (model.task === "classification") arithmetic[c]! += weights[i]! * probabilities[row + c]!;
    }
  }
  if (model.task === "regression") {
    for (let c = 0; c < classes; c++) answer[c] = geometric[c]! + parameters[at.bias + c]!;
    return;
  }
  const lambda = sigmoid(parameters[at.mix]!);
  const tau = Math.exp(parameters[at.logTau]!);
  for (let c = 0; c < classes; c++) {
    pooled[c] = lambda * geometric[c]! + (1 - lambda) * Math.log(arithmetic[c]!);
    answer[c] = tau * pooled[c]! + parameters[at.balance]! * prepared.balance[c]! + parameters[at.bias + c]!;
    answer[c]! += parameters[at.kappa]! * prepared.discriminant[record * classes + c]!;
  }
  if (at.total > at.evidence) {
    for (let i = 0; i < count; i++) {
      const own = at.evidence + set.member[first + i]! * classes * classes;
      for (let k = 0; k < classes; k++) {
        const p = probabilities[(first + i) * classes + k]!;
        if (p < LEAST_EVIDENCE) continue;
        const row = own + k * classes;
        for (let c = 0; c < classes; c++) answer[c]! += p * parameters[row + c]!;
      }
    }
  }
  const total = logSumExp(answer);
  for (let c = 0; c < classes; c++) answer[c]! -= total;
}

/** Loss of one record; writes dLoss/d(answer before normalising) into `gradient`. */
function lossOf(
  task: Task,
  answer: Float64Array,
  targets: ArrayLike<number>,
  record: number,
  gradient: Float64Array,
): number {
  const classes = answer.length;
  if (task === "classification") {
    const label = targets[record]!;
    for (let c = 0; c < classes; c++) gradient[c] = Math.exp(answer[c]!) - (c === label ? 1 : 0);
    return -answer[label]!;
  }
  let loss = 0;
  for (let c = 0; c < classes; c++) {
    const error = answer[c]! - targets[record * classes + c]!;
    gradient[c] = error / classes;
    loss += (error * error) / (2 * classes);
  }
  return loss;
}

function backward(
  model: MetaModel,
  prepared: PreparedSet,
  record: number,
  scratch: Forward,
  answerGradient: Float64Array,
  gradient: Float64Array,
): void {
  const { set, features, probabilities } = prepared;
  const { parameters, classes } = model;
  const at = layoutOf(model.members, classes);
  const first = set.offsets[record]!;
  const count = set.offsets[record + 1]! - first;
  const { hidden, weights, geometric, arithmetic, pooled } = scratch;

  const classification = model.task === "classification";
  const lambda = classification ? sigmoid(parameters[at.mix]!) : 1;
  const tau = classification ? Math.exp(parameters[at.logTau]!) : 1;
  for (let c = 0; c < classes; c++) {
    const d = answerGradient[c]!;
    gradient[at.bias + c]! += d;
    if (classification) {
      gradient[at.logTau]! += d * tau * pooled[c]!;
      gradient[at.balance]! += d * prepared.balance[c]!;
      gradient[at.kappa]! += d * prepared.discriminant[record * classes + c]!;
      gradient[at.mix]! += d * tau * (geometric[c]! - Math.log(arithmetic[c]!)) * lambda * (1 - lambda);
    }
  }

  if (classification && at.total > at.evidence) {
    for (let i = 0; i < count; i++) {
      const own = at.evidence + set.member[first + i]! * classes * classes;
      for (let k = 0; k < classes; k++) {
        const p = probabilities[(first + i) * classes + k]!;
        if (p < LEAST_EVIDENCE) continue;
        const row = own + k * classes;
        for (let c = 0; c < classes; c++) gradient[row + c]! += p * answerGradient[c]!;
      }
    }
  }

  const unitGradient = new Float64Array(HIDDEN);
  const weightGradient = new Float64Array(count);
  let weighted = 0;
  for (let i = 0; i < count; i++) {
    const row = (first + i) * classes;
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      const value = set.outputs[row + c]!;
      const linear = classification ? ((1 - lambda) * probabilities[row + c]!) / arithmetic[c]! : 0;
      sum += answerGradient[c]! * tau * (lambda * value + linear);
    }
    weightGradient[i] = sum;
    weighted += weights[i]! * sum;
  }
  for (let i = 0; i < count; i++) {
    const scoreGradient = weights[i]! * (weightGradient[i]! - weighted);
    gradient[at.trust + set.member[first + i]!]! += scoreGradient;
    for (let h = 0; h < HIDDEN; h++) {
      const activation = hidden[i * HIDDEN + h]!;
      gradient[at.w2 + h]! += scoreGradient * activation;
      const d = scoreGradient * parameters[at.w2 + h]! * (1 - activation * activation);
      gradient[at.b1 + h]! += d;
      unitGradient[h] = d;
    }
    for (let f = 0; f < FEATURE_COUNT; f++) {
      const feature = features[(first + i) * FEATURE_COUNT + f]!;
      const row = at.w1 + f * HIDDEN;
      for (let h = 0; h < HIDDEN; h++) gradient[row + h]! += unitGradient[h]! * feature;
    }
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
