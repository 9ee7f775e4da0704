/**
 * Aggregates a job: reads its labelled records, decides on a reducer, and applies it to all records. The same on the
 * coordinator (in a thread) and at a submitter who keeps the key.
 */
import type { AggregationReport, Reducer, UsedReducer } from "#lib/protocol/api/aggregation.ts";
import { type AggregationSet, type JobProfile, selectRecords, type Task } from "./aggregation-set.ts";
import {
  applyFitted,
  type CandidateScore,
  chooseReducer,
  type FittedAggregation,
  LABELS_MIN,
  scoreAsIs,
} from "./choose-reducer.ts";
import { trustInWords } from "./in-words.ts";
import { type JobOutputs, joinSets, type Reading, readingOf, readSet, segmentNames } from "./job-outputs.ts";
import { jobProfile } from "./job-profile.ts";
import { applyMetaModel } from "./meta-model.ts";
import { logLosses, meanOf, scoreClassification, standardError } from "./metrics.ts";
import { seeded, shuffled } from "./random.ts";
import { reduceSimple } from "./simple-reducers.ts";
import { FRESH, modelFromPrior, type Prior } from "./train.ts";

export interface JobAggregationOptions {
  readonly reducer: Reducer;
  readonly task?: Task | undefined;
  /** `[records]` a class index, or a value for regression; NaN where nothing is known. */
  readonly labels: Float64Array;
  /** Some of them came as feedback: even a plain job may then be corrected. */
  readonly feedback: boolean;
  readonly prior: Prior;
  /** The prior beat the mean on this operator's earlier jobs: it may be used where labels are missing. */
  readonly priorProven: boolean;
  readonly ratings: { readonly count: number; readonly mean: number | null };
}

/** How the prior does on a job that it has not seen, before anything is fitted to it. */
export interface PriorTrial {
  readonly prior: string;
  readonly records: number;
  /** Mean log loss of the mean less that of the prior, and its standard error. */
  readonly gain: number;
  readonly gainStandardError: number;
  readonly accuracyGain: number;
}

export interface AggregatedJob {
  readonly report: AggregationReport;
  /** True: the outputs are what the model gave, segment by segment. */
  readonly asTheyAre: boolean;
  /** Answers of records `start … start+count−1`: `[count, width]` probabilities or values; NaN rows where nothing is known. */
  readonly apply: (start: number, count: number) => Promise<Float32Array>;
  /** Labelled records that later jobs may learn from; null where there is nothing to learn. */
  readonly lesson: { readonly set: AggregationSet; readonly targets: Float64Array } | null;
  readonly trial: PriorTrial | null;
}

/** Records that reducers are fitted to and judged on: more would cost minutes and hardly change them. */
const FIT_RECORDS = 2_000;
const CHUNK_RECORDS = 4_096;
/** What is learned without labels settles with some thousand records. */
const PROFILE_CHUNKS = 16;
const PROFILE_CHUNK_RECORDS = 256;
/** Of one job, for the start of later ones. */
const LESSON_RECORDS = 500;
const SEED = 1;

export async function aggregateJob(outputs: JobOutputs, options: JobAggregationOptions): Promise<AggregatedJob> {
  const notes: string[] = [];
  const task = options.task ?? guessTask(outputs.width, options.labels);
  const reading = await readingOf(outputs, task);
  const usable = usableLabels(options.labels, outputs.width, task, notes);
  const sample = await readSample(outputs, reading);
  const profile = jobProfile(
    sample,
    Float64Array.from(usable, (r) => options.labels[r]!),
  );
  const known = await readLabelled(outputs, reading, options.labels, usable, profile);
  const decision = decide(outputs, options, known);
  const names = segmentNames(outputs);
  const { fitted } = decision;
  const trust =
    fitted.chosen === "learned" && fitted.model
      ? trustInWords(fitted.model, known?.set ?? (await firstSet(outputs, reading, profile)), names)
      : null;
  return {
    report: {
      task,
      reducer: fitted.chosen,
      because: decision.because,
      members: outputs.members.length,
      segments_per_record: outputs.pieces.length,
      labels: usable.length,
      labels_used: known?.set.records ?? 0,
      folds: fitted.report.folds,
      prior: fitted.report.prior,
      candidates: fitted.report.candidates.map(candidateReport),
      weights: trust ? names.map((name, m) => ({ name, weight: trust.memberWeights[m] ?? 0 })) : [],
      trust: [...(trust?.sentences ?? [])],
      ratings: { ...options.ratings },
      notes,
    },
    asTheyAre: fitted.chosen === "concat",
    apply: (start, count) => apply(outputs, reading, profile, fitted, start, count),
    lesson: known && names.length > 1 && known.set.records >= LABELS_MIN ? lessonOf(known) : null,
    trial: known && names.length > 1 && known.set.records >= LABELS_MIN ? trialOf(options.prior, known, sample) : null,
  };
}

interface Known {
  readonly set: AggregationSet;
  readonly targets: Float64Array;
}

interface Decision {
  readonly fitted: FittedAggregation;
  readonly because: string;
}

function decide(outputs: JobOutputs, options: JobAggregationOptions, known: Known | null): Decision {
  const { reducer, prior } = options;
  const plain = outputs.members.length * outputs.pieces.length === 1;
  const labelled = known?.set.records ?? 0;
  if (plain && reducer !== "learned" && !(reducer === "auto" && options.feedback)) {
    const because = "each record has one segment: its output is the answer";
    return {
      because,
      fitted: simple("concat", because, prior, known ? [scoreAsIs(known.set, known.targets)] : [], labelled),
    };
  }
  if (reducer === "concat") {
    const because = "it was asked for: every segment's output, one after the other";
    return { because, fitted: simple("concat", because, prior, [], labelled) };
  }
  const records = Int32Array.from({ length: labelled }, (_, i) => i);
  const fitted =
    known && labelled >= LABELS_MIN ? chooseReducer(known.set, { records, targets: known.targets }, prior, SEED) : null;
  if (reducer !== "auto" && reducer !== "learned") {
    const because = "it was asked for";
    return {
      because,
      fitted: simple(reducer, because, prior, fitted?.report.candidates ?? [], labelled, fitted?.report.folds),
    };
  }
  if (fitted) return { fitted, because: fitted.report.because };
  if (plain) {
    const because = `${labelled} labels: at least ${LABELS_MIN} are needed to correct the model's outputs`;
    return { because, fitted: simple("concat", because, prior, [], labelled) };
  }
  if (options.priorProven) {
    const because = `${labelled} labels; what was learned over earlier jobs (${prior.version}) beat the mean there`;
    const model = modelFromPrior(prior, {
      task: "classification",
      members: outputs.members.length * outputs.pieces.length,
      classes: outputs.width,
    });
    return { because, fitted: { ...simple("learned", because, prior, [], labelled), model } };
  }
  const because = `${labelled} labels: at least ${LABELS_MIN} are needed to prove a better reducer`;
  return { because, fitted: simple("mean", because, prior, [], labelled) };
}

function simple(
  chosen: UsedReducer,
  because: string,
  prior: Prior,
  candidates: readonly CandidateScore[],
  labelled: number,
  folds = 0,
): FittedAggregation {
  const report = { labelled, folds, prior: prior.version, chosen, because, candidates };
  return { chosen, member: 0, model: null, report };
}

/** Whole-number labels below the width, or no labels and several outputs: classes. Otherwise values. */
function guessTask(width: number, labels: Float64Array): Task {
  if (width < 2) return "regression";
  const known = labels.filter(Number.isFinite);
  return known.every((label) => Number.isInteger(label) && label >= 0) ? "classification" : "regression";
}

function usableLabels(labels: Float64Array, width: number, task: Task, notes: string[]): Int32Array {
  const known = Int32Array.from(labels.keys()).filter((r) => Number.isFinite(labels[r]!));
  if (task === "regression") {
    if (width === 1) return known;
    if (known.length > 0)
      notes.push(`The labels are single numbers, an answer has ${width} values: they are not used.`);
    return new Int32Array(0);
  }
  const usable = known.filter((r) => Number.isInteger(labels[r]!) && labels[r]! >= 0 && labels[r]! < width);
  if (usable.length < known.length) {
    const wrong = known.length - usable.length;
    notes.push(`${wrong} labels are not among the classes 0 to ${width - 1} of the model and are not used.`);
  }
  return usable;
}

/** The set of the labelled records, or of a random part of them; null where there are none. */
async function readLabelled(
  outputs: JobOutputs,
  reading: Reading,
  labels: Float64Array,
  usable: Int32Array,
  profile: JobProfile,
): Promise<Known | null> {
  const chosen = shuffled(usable.length, seeded(SEED))
    .subarray(0, FIT_RECORDS)
    .map((i) => usable[i]!)
    .sort();
  const sets: AggregationSet[] = [];
  const targets: number[] = [];
  for (let from = 0; from < chosen.length; ) {
    const start = chosen[from]!;
    let to = from;
    while (to < chosen.length && chosen[to]! < start + CHUNK_RECORDS) to++;
    const { set, present } = await readSet(outputs, reading, start, chosen[to - 1]! - start + 1);
    const place = new Map([...present].map((record, at) => [record, at]));
    const found = [...chosen.subarray(from, to)].filter((record) => place.has(record - start));
    sets.push(
      selectRecords(
        set,
        found.map((record) => place.get(record - start)!),
      ),
    );
    targets.push(...found.map((record) => labels[record]!));
    from = to;
  }
  return targets.length === 0 ? null : { set: { ...joinSets(sets), profile }, targets: Float64Array.from(targets) };
}

/** Records from all over the job, labelled or not. */
async function readSample(outputs: JobOutputs, reading: Reading): Promise<AggregationSet> {
  const stride = Math.max(PROFILE_CHUNK_RECORDS, Math.ceil(outputs.records / PROFILE_CHUNKS));
  const sets: AggregationSet[] = [];
  for (let start = 0; start < outputs.records; start += stride) {
    const count = Math.min(PROFILE_CHUNK_RECORDS, outputs.records - start);
    sets.push((await readSet(outputs, reading, start, count)).set);
  }
  return joinSets(sets);
}

async function firstSet(outputs: JobOutputs, reading: Reading, profile: JobProfile): Promise<AggregationSet> {
  return { ...(await readSet(outputs, reading, 0, Math.min(1_000, outputs.records))).set, profile };
}

async function apply(
  outputs: JobOutputs,
  reading: Reading,
  profile: JobProfile,
  fitted: FittedAggregation,
  start: number,
  count: number,
): Promise<Float32Array> {
  const { width } = outputs;
  const answers = new Float32Array(count * width).fill(Number.NaN);
  const { set, present } = await readSet(outputs, reading, start, count);
  if (set.records === 0) return answers;
  const reduced = applyFitted(fitted, { ...set, profile });
  present.forEach((record, r) => {
    for (let c = 0; c < width; c++) {
      const value = reduced[r * width + c]!;
      answers[record * width + c] = reading.task === "classification" ? Math.exp(value) : value;
    }
  });
  return answers;
}

function candidateReport(candidate: CandidateScore): AggregationReport["candidates"][number] {
  const { classification } = candidate;
  return {
    reducer: candidate.reducer,
    loss: candidate.loss,
    loss_standard_error: candidate.lossStandardError,
    accuracy: classification?.accuracy ?? null,
    accuracy_interval: classification ? [...classification.accuracyInterval] : null,
    calibration_error: classification?.calibrationError ?? null,
    reliability: classification ? classification.reliability.map((bin) => ({ ...bin })) : [],
  };
}

function lessonOf({ set, targets }: Known): AggregatedJob["lesson"] {
  const chosen = shuffled(set.records, seeded(SEED + 1)).subarray(0, LESSON_RECORDS);
  return { set: selectRecords(set, chosen), targets: Float64Array.from(chosen, (r) => targets[r]!) };
}

/** Labels judge here and do nothing else: the profile is the one that the job would have had without them. */
function trialOf(prior: Prior, known: Known, sample: AggregationSet): PriorTrial | null {
  if (known.set.task !== "classification" || prior.version === FRESH) return null;
  const { targets } = known;
  const set = { ...known.set, profile: jobProfile(sample) };
  const own = applyMetaModel(modelFromPrior(prior, set), set).outputs;
  const mean = reduceSimple(set, "mean");
  const meanLosses = logLosses(mean, set.classes, targets);
  const gains = logLosses(own, set.classes, targets).map((loss, r) => meanLosses[r]! - loss);
  const accuracy = (answers: Float64Array) => scoreClassification(answers, set.classes, targets).accuracy;
  return {
    prior: prior.version,
    records: set.records,
    gain: meanOf(gains),
    gainStandardError: standardError(gains),
    accuracyGain: accuracy(own) - accuracy(mean),
  };
}
