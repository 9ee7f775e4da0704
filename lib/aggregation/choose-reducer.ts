/**
 * Fits the learned reducer and decides whether it may be used.
 *
 * Every candidate is judged on records it was not fitted to (k-fold). The learned reducer is used only if, over the held-out
 * records, (1) its loss is lower than the best simple reducer's by more than one standard error of the paired difference,
 * (2) it is not less accurate by more than one standard error, and (3) it beats knowing only how often each class occurs by three
 * standard errors — so that labels which are noise, where recalibrating alone would look like a gain, never choose it.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { type AggregationSet, selectRecords } from "./aggregation-set.ts";
import { fitLearned } from "./fit-learned.ts";
import { applyMetaModel, type MetaModel } from "./meta-model.ts";
import {
  type ClassificationScore,
  logLosses,
  meanOf,
  scoreClassification,
  squaredErrors,
  standardError,
} from "./metrics.ts";
import { seeded, shuffled } from "./random.ts";
import { gatherRows, scatterRows } from "./rows.ts";
import { argmax, reduceSimple, type SimpleReducer, singleMember } from "./simple-reducers.ts";
import type { Prior } from "./train.ts";

export type ReducerName = SimpleReducer | "best-single" | "learned";

/** Labels of some records. Classification: a class index each; regression: `classes` values each. */
export interface Labels {
  /** `[labelled]` record indices, each once. */
  readonly records: Int32Array;
  /** `[labelled]` or `[labelled, classes]` */
  readonly targets: Float64Array;
}

export interface CandidateScore {
  readonly reducer: ReducerName;
  /** Held-out mean log loss, or mean squared error. */
  readonly loss: number;
  readonly lossStandardError: number;
  /** Classification only. */
  readonly classification: ClassificationScore | null;
}

export interface AggregationReport {
  readonly labelled: number;
  readonly folds: number;
  readonly prior: string;
  readonly chosen: ReducerName;
  /** Why, in words. */
  readonly because: string;
  readonly candidates: readonly CandidateScore[];
}

export interface FittedAggregation {
  readonly chosen: ReducerName;
  /** For `best-single`. */
  readonly member: number;
  /** For `learned`: fitted to all labels. */
  readonly model: MetaModel | null;
  readonly report: AggregationReport;
}

/** Fewer than this and folds say nothing. */
export const LABELS_MIN = 16;

/** Of a single segment all of them are the same. */
const SIMPLE: readonly SimpleReducer[] = ["mean", "vote", "max"];
const ONLY_SEGMENT: readonly SimpleReducer[] = ["concat"];

/**
 * @param seed of the folds
 * @throws FluxError invalid_request for labels out of range or given twice
 */
export function chooseReducer(
  set: AggregationSet,
  labels: Labels,
  prior: Prior,
  seed = 1,
  folds = 5,
): FittedAggregation {
  checkLabels(set, labels);
  const labelled = labels.records.length;
  if (labelled < LABELS_MIN) {
    return simpleWithoutProof(
      `${labelled} labels: at least ${LABELS_MIN} are needed to prove a better one`,
      labelled,
      prior,
    );
  }
  const known = selectRecords(set, labels.records);
  const several = set.members > 1;
  const heldOut = new Map<ReducerName, Float64Array>(
    (several ? SIMPLE : ONLY_SEGMENT).map((reducer) => [reducer, reduceSimple(known, reducer)]),
  );
  if (several) heldOut.set("best-single", new Float64Array(labelled * set.classes));
  heldOut.set("learned", new Float64Array(labelled * set.classes));
  const baseline = new Float64Array(labelled);

  const order = shuffled(labelled, seeded(seed));
  for (let fold = 0; fold < folds; fold++) {
    const test = order.filter((_, i) => i % folds === fold);
    const train = order.filter((_, i) => i % folds !== fold);
    const trainSet = selectRecords(known, train);
    const trainTargets = gatherRows(labels.targets, train, targetWidth(set));
    const testSet = selectRecords(known, test);
    const { model } = fitLearned(trainSet, trainTargets, prior, seed + fold);
    scatterRows(applyMetaModel(model, testSet).outputs, test, set.classes, heldOut.get("learned")!);
    const single = heldOut.get("best-single");
    if (single) scatterRows(singleMember(testSet, bestMember(trainSet, trainTargets)), test, set.classes, single);
    scatterRows(
      baselineLosses(set, trainTargets, gatherRows(labels.targets, test, targetWidth(set))),
      test,
      1,
      baseline,
    );
  }

  const losses = new Map([...heldOut].map(([name, outputs]) => [name, lossesOf(set, outputs, labels.targets)]));
  const candidates = [...heldOut].map(([reducer, outputs]) => scoreOf(reducer, set, outputs, labels.targets));
  const simple = candidates
    .filter((candidate) => candidate.reducer !== "learned")
    .reduce((best, candidate) => (isBetterSimple(candidate, best) ? candidate : best));
  const verdict = judge(set, heldOut, losses, baseline, labels.targets, simple.reducer);
  const chosen = verdict.learnedWins ? "learned" : simple.reducer;
  const fitted = chosen === "learned" ? fitLearned(known, labels.targets, prior, seed) : null;
  return {
    chosen,
    member: chosen === "best-single" ? bestMember(known, labels.targets) : 0,
    model: fitted?.model ?? null,
    report: { labelled, folds, prior: fitted?.prior ?? prior.version, chosen, because: verdict.because, candidates },
  };
}

/** How good the outputs of single segments are as they are: nothing was fitted, so every label judges. */
export function scoreAsIs(set: AggregationSet, targets: Float64Array): CandidateScore {
  return scoreOf("concat", set, reduceSimple(set, "concat"), targets);
}

function scoreOf(
  reducer: ReducerName,
  set: AggregationSet,
  outputs: Float64Array,
  targets: Float64Array,
): CandidateScore {
  const loss = lossesOf(set, outputs, targets);
  return {
    reducer,
    loss: meanOf(loss),
    lossStandardError: standardError(loss),
    classification: set.task === "classification" ? scoreClassification(outputs, set.classes, targets) : null,
  };
}

/** Applies what was chosen to every record. @returns `[records, classes]` */
export function applyFitted(fitted: FittedAggregation, set: AggregationSet): Float64Array {
  switch (fitted.chosen) {
    case "learned":
      return fitted.model ? applyMetaModel(fitted.model, set).outputs : reduceSimple(set, "mean");
    case "best-single":
      return singleMember(set, fitted.member);
    default:
      return reduceSimple(set, fitted.chosen);
  }
}

function judge(
  set: AggregationSet,
  heldOut: ReadonlyMap<ReducerName, Float64Array>,
  losses: ReadonlyMap<ReducerName, Float64Array>,
  baseline: Float64Array,
  targets: Float64Array,
  simple: ReducerName,
): { learnedWins: boolean; because: string } {
  const learned = losses.get("learned")!;
  const gain = paired(losses.get(simple)!, learned);
  const knowsNothing = [baseline];
  // Frequencies that were counted are a little off: of labels that are noise, an even guess is better still.
  if (set.task === "classification") knowsNothing.push(new Float64Array(learned.length).fill(Math.log(set.classes)));
  if (knowsNothing.map((losses) => paired(losses, learned)).some(({ mean, error }) => mean <= 3 * error)) {
    return {
      learnedWins: false,
      because: "the labels do not follow from the outputs: nothing beats knowing how often each answer occurs",
    };
  }
  if (gain.mean <= gain.error) {
    return {
      learnedWins: false,
      because: `the learned reducer did not beat ${simple} by more than one standard error`,
    };
  }
  if (set.task === "classification") {
    const right = (name: ReducerName) => correct(heldOut.get(name)!, set.classes, targets);
    const accuracy = paired(right("learned"), right(simple));
    if (accuracy.mean < -accuracy.error) {
      return {
        learnedWins: false,
        because: `the learned reducer was less accurate than ${simple} on held-out records`,
      };
    }
  }
  return {
    learnedWins: true,
    because: `on held-out records its loss was ${gain.mean.toFixed(3)} ± ${gain.error.toFixed(3)} lower than ${simple}'s`,
  };
}

/** Mean and standard error of a − b, record by record. */
function paired(a: Float64Array, b: Float64Array): { mean: number; error: number } {
  const difference = a.map((value, i) => value - b[i]!);
  return { mean: meanOf(difference), error: standardError(difference) };
}

function correct(outputs: Float64Array, classes: number, targets: Float64Array): Float64Array {
  return targets.map((label, r) => (argmax(outputs.subarray(r * classes, (r + 1) * classes)) === label ? 1 : 0));
}

/** Simple reducers are compared by accuracy first: their probabilities are not calibrated, and log loss would reward hedging. */
function isBetterSimple(a: CandidateScore, b: CandidateScore): boolean {
  if (!a.classification || !b.classification) return a.loss < b.loss;
  const gain = a.classification.accuracy - b.classification.accuracy;
  return gain !== 0 ? gain > 0 : a.loss < b.loss;
}

function lossesOf(set: AggregationSet, outputs: Float64Array, targets: Float64Array): Float64Array {
  return set.task === "classification"
    ? logLosses(outputs, set.classes, targets)
    : squaredErrors(outputs, set.classes, targets);
}

/** Loss of always answering the training labels' frequencies (classification) or mean (regression). */
function baselineLosses(set: AggregationSet, train: Float64Array, test: Float64Array): Float64Array {
  if (set.task === "classification") {
    const counts = new Float64Array(set.classes).fill(1);
    for (const label of train) counts[label]! += 1;
    return test.map((label) => -Math.log(counts[label]! / (train.length + set.classes)));
  }
  const rows = test.length / set.classes;
  const means = Float64Array.from({ length: set.classes }, (_, c) =>
    meanOf(train.filter((_value, i) => i % set.classes === c)),
  );
  const answer = Float64Array.from({ length: test.length }, (_, i) => means[i % set.classes]!);
  return rows > 0 ? squaredErrors(answer, set.classes, test) : new Float64Array(0);
}

function bestMember(set: AggregationSet, targets: Float64Array): number {
  let best = 0;
  let bestLoss = Number.POSITIVE_INFINITY;
  for (let member = 0; member < set.members; member++) {
    const loss = meanOf(lossesOf(set, singleMember(set, member), targets));
    if (loss < bestLoss) [best, bestLoss] = [member, loss];
  }
  return best;
}

function simpleWithoutProof(because: string, labelled: number, prior: Prior): FittedAggregation {
  return {
    chosen: "mean",
    member: 0,
    model: null,
    report: { labelled, folds: 0, prior: prior.version, chosen: "mean", because, candidates: [] },
  };
}

function checkLabels(set: AggregationSet, labels: Labels): void {
  const width = targetWidth(set);
  if (labels.targets.length !== labels.records.length * width) {
    throw new FluxError("invalid_request", `Each labelled record needs ${width} target value(s).`, { param: "labels" });
  }
  const seen = new Set<number>();
  for (const record of labels.records) {
    if (record < 0 || record >= set.records || seen.has(record)) {
      throw new FluxError("invalid_request", `Record ${record} is unknown or labelled twice.`, { param: "labels" });
    }
    seen.add(record);
  }
  if (set.task === "classification") {
    for (const label of labels.targets) {
      if (!Number.isInteger(label) || label < 0 || label >= set.classes) {
        throw new FluxError("invalid_request", `Label ${label} is not a class: give 0 to ${set.classes - 1}.`, {
          param: "labels",
        });
      }
    }
  }
}

function targetWidth(set: AggregationSet): number {
  return set.task === "classification" ? 1 : set.classes;
}
