/**
 * An aggregation set: what the reducers see. For every record its segments' outputs, with what is known of each segment.
 *
 * Segments are stored flat, ragged: record r owns segments `offsets[r] … offsets[r+1]−1`. Log-probabilities are natural,
 * one row of `classes` values a segment. For regression (`task: "regression"`) the rows hold plain values instead.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { PrecisionClass } from "./precision.ts";
import { gatherRows } from "./rows.ts";

export type Task = "classification" | "regression";

export interface AggregationSet {
  readonly task: Task;
  readonly records: number;
  /** Classes, or output values a record for regression. */
  readonly classes: number;
  /** Distinct members or segment positions: each gets a learned trust of its own. */
  readonly members: number;
  /** `[records + 1]` */
  readonly offsets: Int32Array;
  /** `[segments, classes]`: log-probabilities (classification) or values (regression). */
  readonly outputs: Float64Array;
  /** `[segments]` which member or position made it. */
  readonly member: Int32Array;
  /** `[segments, 2]` centre of the segment relative to its record, −1..1 (0 where it covers all of it). */
  readonly position: Float64Array;
  /** `[segments]` share of the record that it saw, 0..1. */
  readonly coverage: Float64Array;
  /** `[segments]` how it was computed, as precision.ts packs it. */
  readonly precisionClass: Uint8Array;
  /** Of the whole job that these records are of. Without it all members stand alike, and nothing is known of what they neglect. */
  readonly profile?: JobProfile | undefined;
}

/** What a job's outputs say of its members without any label: `jobProfile` in job-profile.ts. */
export interface JobProfile {
  /** `[members]` 1: agrees with the others at least as often as it is sure; 0: no more often than by chance. */
  readonly standing: Float64Array;
  /** `[classes]` what evens out the classes that the answers neglect: class-balance.ts; empty for regression. */
  readonly balance: Float64Array;
  readonly discriminant: Discriminant | null;
}

/** A linear classifier over all that a record's members say, taught by the members themselves: discriminant.ts. */
export interface Discriminant {
  /** `[members, classes]` mean of what members say: a member that is missing counts as saying it. */
  readonly centre: Float64Array;
  /** `[members, classes, classes]`: what member m's k says of class c */
  readonly weights: Float64Array;
  /** `[classes]` */
  readonly bias: Float64Array;
}

/** How raw model outputs become log-probabilities. */
export type OutputKind = "probabilities" | "log-probabilities" | "logits";

/** Below this a probability is not told from zero: one wrong and certain segment must not veto all others. */
const SMALLEST_PROBABILITY = 1e-6;

/** The segments of one member (or position) for all records, in record order: the usual, rectangular case. */
export interface MemberOutputs {
  /** `[records, classes]` as the model gave them. */
  readonly outputs: ArrayLike<number>;
  readonly position?: readonly [number, number];
  readonly coverage?: number;
  readonly precisionClass?: PrecisionClass;
}

/**
 * Builds a set in which every record has one segment from every member.
 * @throws FluxError invalid_request when the members' outputs differ in length
 */
export function fromMembers(
  members: readonly MemberOutputs[],
  records: number,
  classes: number,
  kind: OutputKind | "values",
): AggregationSet {
  const count = members.length;
  const segments = records * count;
  const set = {
    task: kind === "values" ? ("regression" as const) : ("classification" as const),
    records,
    classes,
    members: count,
    offsets: Int32Array.from({ length: records + 1 }, (_, r) => r * count),
    outputs: new Float64Array(segments * classes),
    member: new Int32Array(segments),
    position: new Float64Array(segments * 2),
    coverage: new Float64Array(segments),
    precisionClass: new Uint8Array(segments),
  };
  members.forEach((source, m) => {
    if (source.outputs.length !== records * classes) {
      throw new FluxError(
        "invalid_request",
        `Member ${m} has ${source.outputs.length} output values; ${records} records of ${classes} classes need ${records * classes}.`,
      );
    }
    for (let r = 0; r < records; r++) {
      const segment = r * count + m;
      set.member[segment] = m;
      set.position.set(source.position ?? [0, 0], segment * 2);
      set.coverage[segment] = source.coverage ?? 1;
      set.precisionClass[segment] = source.precisionClass ?? 1;
      for (let c = 0; c < classes; c++) set.outputs[segment * classes + c] = source.outputs[r * classes + c] ?? 0;
    }
  });
  if (kind !== "values") toLogProbabilities(set.outputs, classes, kind);
  return set;
}

/** Guesses what a model's outputs are from some rows of them: probabilities sum to one, log-probabilities are ≤ 0 and their exponentials do. */
export function guessOutputKind(outputs: ArrayLike<number>, classes: number): OutputKind {
  const rows = Math.min(256, Math.floor(outputs.length / classes));
  let probabilities = true;
  let logProbabilities = true;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let sumExp = 0;
    for (let c = 0; c < classes; c++) {
      const value = outputs[row * classes + c] ?? 0;
      if (value < -1e-6) probabilities = false;
      if (value > 1e-6) logProbabilities = false;
      sum += value;
      sumExp += Math.exp(value);
    }
    if (Math.abs(sum - 1) > 1e-3) probabilities = false;
    if (Math.abs(sumExp - 1) > 1e-3) logProbabilities = false;
  }
  return probabilities ? "probabilities" : logProbabilities ? "log-probabilities" : "logits";
}

/** In place, row by row: raw outputs → natural log-probabilities, floored and normalised. */
export function toLogProbabilities(rows: Float64Array, classes: number, kind: OutputKind): void {
  const floor = Math.log(SMALLEST_PROBABILITY);
  for (let start = 0; start < rows.length; start += classes) {
    const row = rows.subarray(start, start + classes);
    if (kind === "probabilities") {
      for (let c = 0; c < classes; c++) row[c] = Math.log(Math.max(row[c]!, SMALLEST_PROBABILITY));
    }
    subtract(row, logSumExp(row));
    for (let c = 0; c < classes; c++) row[c] = Math.max(row[c]!, floor);
    subtract(row, logSumExp(row));
  }
}

/** log Σ exp(x), without overflow. */
export function logSumExp(row: ArrayLike<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, row[i]!);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - largest);
  return largest + Math.log(sum);
}

function subtract(row: Float64Array, value: number): void {
  for (let c = 0; c < row.length; c++) row[c]! -= value;
}

/** The set restricted to some records, in the order given. */
export function selectRecords(set: AggregationSet, chosen: ArrayLike<number>): AggregationSet {
  const segments: number[] = [];
  const offsets = new Int32Array(chosen.length + 1);
  for (let i = 0; i < chosen.length; i++) {
    const record = chosen[i]!;
    for (let s = set.offsets[record]!; s < set.offsets[record + 1]!; s++) segments.push(s);
    offsets[i + 1] = segments.length;
  }
  return {
    task: set.task,
    records: chosen.length,
    classes: set.classes,
    members: set.members,
    offsets,
    outputs: gatherRows(set.outputs, segments, set.classes),
    member: Int32Array.from(segments, (s) => set.member[s]!),
    position: gatherRows(set.position, segments, 2),
    coverage: Float64Array.from(segments, (s) => set.coverage[s]!),
    precisionClass: Uint8Array.from(segments, (s) => set.precisionClass[s]!),
    profile: set.profile,
  };
}
