/**
 * What the scorer knows of a segment. None of it depends on the number of classes or segments, so that a scorer learned
 * on one job can be used on the next.
 */
import { type AggregationSet, logSumExp } from "./aggregation-set.ts";
import { LEAST_STANDING } from "./job-profile.ts";
import { roundingOf } from "./precision.ts";
import { argmax } from "./simple-reducers.ts";

export const SEGMENT_FEATURES = [
  "position across",
  "position down",
  "distance from the centre",
  "coverage",
  "top probability",
  "margin",
  "entropy",
  "divergence from the segments' mean",
  "agrees with the segments' mean",
  "rounding",
  "agreement over the whole job",
] as const;

export const FEATURE_COUNT = SEGMENT_FEATURES.length;

/**
 * @returns `[segments, FEATURE_COUNT]`, each roughly within −2..2. Regression has no distribution: there the divergence
 * is the distance from the segments' mean over their spread, and the features of certainty are 0.
 */
export function segmentFeatures(set: AggregationSet): Float64Array {
  const features = new Float64Array(set.member.length * FEATURE_COUNT);
  const mean = new Float64Array(set.classes);
  for (let r = 0; r < set.records; r++) {
    const first = set.offsets[r]!;
    const last = set.offsets[r + 1]!;
    const spread = meanOfSegments(set, first, last, mean);
    for (let s = first; s < last; s++) {
      const row = set.outputs.subarray(s * set.classes, (s + 1) * set.classes);
      const across = set.position[s * 2]!;
      const down = set.position[s * 2 + 1]!;
      const certainty = set.task === "regression" ? distance(row, mean, spread) : certaintyOf(row, mean);
      features.set(
        [
          across,
          down,
          Math.hypot(across, down),
          set.coverage[s]!,
          ...certainty,
          roundingOf(set.precisionClass[s]!),
          Math.log(weightOf(set, s)) / 2,
        ],
        s * FEATURE_COUNT,
      );
    }
  }
  return features;
}

/** A segment counts in its record's mean as far as its member keeps its word. */
function weightOf(set: AggregationSet, segment: number): number {
  return set.profile ? Math.min(1, set.profile.standing[set.member[segment]!]! + LEAST_STANDING) : 1;
}

/** Writes the segments' mean (log of mean probability, or mean value) into `mean`; returns the spread (regression). */
function meanOfSegments(set: AggregationSet, first: number, last: number, mean: Float64Array): number {
  const count = last - first;
  let total = 0;
  for (let s = first; s < last; s++) total += weightOf(set, s);
  let squares = 0;
  for (let c = 0; c < set.classes; c++) {
    const values = Array.from({ length: count }, (_, i) => set.outputs[(first + i) * set.classes + c]!);
    if (set.task === "classification") {
      mean[c] = logSumExp(values.map((value, i) => value + Math.log(weightOf(set, first + i)))) - Math.log(total);
    } else {
      const average = values.reduce((sum, value) => sum + value, 0) / count;
      mean[c] = average;
      for (const value of values) squares += (value - average) ** 2;
    }
  }
  return Math.sqrt(squares / (count * set.classes));
}

function certaintyOf(row: Float64Array, mean: Float64Array): number[] {
  const top = argmax(row);
  let second = Number.NEGATIVE_INFINITY;
  let entropy = 0;
  let divergence = 0;
  for (let c = 0; c < row.length; c++) {
    if (c !== top) second = Math.max(second, row[c]!);
    const p = Math.exp(row[c]!);
    entropy -= p * row[c]!;
    divergence += p * (row[c]! - mean[c]!);
  }
  const topProbability = Math.exp(row[top]!);
  return [
    topProbability,
    topProbability - Math.exp(second),
    entropy / Math.log(Math.max(2, row.length)),
    Math.tanh(divergence),
    top === argmax(mean) ? 1 : 0,
  ];
}

function distance(row: Float64Array, mean: Float64Array, spread: number): number[] {
  let squares = 0;
  for (let c = 0; c < row.length; c++) squares += (row[c]! - mean[c]!) ** 2;
  const relative = spread > 0 ? Math.sqrt(squares / row.length) / spread : 0;
  return [0, 0, 0, Math.tanh(relative), relative < 1 ? 1 : 0];
}
