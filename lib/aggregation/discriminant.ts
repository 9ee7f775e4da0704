/**
 * A second opinion that needs no label: Fisher's linear discriminant over everything that a record's members say, every
 * class's log-probability of each, taught on the whole job by the members' own pooled answers (Fisher 1936; a classifier that
 * learns from its own answers: Scudder, IEEE Trans. Inf. Theory 1965).
 *
 * A pool counts members that err alike as often as they speak and looks at each class alone. The discriminant knows from
 * thousands of unlabelled records which answers vary together, and what a third-best class says of the best one. Its
 * certainty is not calibrated: how far it counts (κ) is learned with the rest (meta-model.ts).
 *
 * Measured on tuning networks, with nothing of the labels but equal classes, accuracy in points over the mean (bags, tiles,
 * bags with broken members): pooled and evened out alone 0.9, 1.3, 3.4; with the discriminant at κ = 0.2 to 0.35 and half
 * evened out 1.8, 3.6 to 3.9, 4.7. A second round taught by that is no better (1.6, 3.9, 4.6). Lost, measured in an earlier
 * setting (0.9, 3.7, 2.6): log-probabilities averaged over members first (0.4, 2.1, 2.3), soft instead of hard answers of the
 * teacher (0.5, 2.6, 2.2), a second and third round (0.6, 4.1, 2.6).
 */
import type { AggregationSet, Discriminant } from "./aggregation-set.ts";
import { argmax } from "./simple-reducers.ts";

/** Beyond it the covariance would take more records than are read for it. */
const FEATURES_MAX = 256;
const RECORDS_MIN = 100;
/** Of log-probabilities around their mean: a certain answer is not told from a very certain one. */
const CLIP = 8;
/** Of the variance, added to the diagonal (Friedman, JASA 1989): the more, the fewer records there are for each feature. */
const SHRINKAGE = 0.02;
const SHRINKAGE_PER_FEATURE = 0.3;
/** A class that was answered less often is hardly believed in. */
const ANSWERS_MIN = 10;

/**
 * @param set of some hundred records or more @param teacher `[records, classes]` answers, of which the most probable class counts
 * @returns null where there are too few records or too many features, or a single member
 */
export function fitDiscriminant(set: AggregationSet, teacher: Float64Array): Discriminant | null {
  const { classes, members, records } = set;
  const size = members * classes;
  if (set.task !== "classification" || members < 2 || size > FEATURES_MAX || records < RECORDS_MIN) return null;
  const features = featuresOf(set);
  const centre = centreOf(set, features);
  const rows = rowsOf(set, features, centre);
  const answers = Int32Array.from({ length: records }, (_, r) =>
    argmax(teacher.subarray(r * classes, (r + 1) * classes)),
  );

  const counts = new Float64Array(classes);
  const means = Array.from({ length: classes }, () => new Float64Array(size));
  for (let r = 0; r < records; r++) {
    const answer = answers[r]!;
    counts[answer]!++;
    const mean = means[answer]!;
    for (let i = 0; i < size; i++) mean[i]! += rows[r * size + i]!;
  }
  means.forEach((mean, c) => {
    for (let i = 0; i < size; i++) mean[i]! /= Math.max(1, counts[c]!);
  });
  const covariance = withinClasses(rows, answers, means, size);
  const factor = choleskyOf(covariance, size, Math.max(SHRINKAGE, (SHRINKAGE_PER_FEATURE * size) / records));

  const weights = new Float64Array(size * classes);
  const bias = new Float64Array(classes);
  means.forEach((mean, c) => {
    const solved = solve(factor, size, mean);
    for (let i = 0; i < size; i++) {
      weights[i * classes + c] = solved[i]!;
      bias[c]! -= 0.5 * solved[i]! * mean[i]!;
    }
    bias[c]! += Math.log(Math.min(1, (counts[c]! + 0.1) / ANSWERS_MIN));
  });
  return { centre, weights, bias };
}

/** @returns `[records, classes]` log-odds of the classes around their mean; all 0 without a discriminant */
export function discriminantAnswers(set: AggregationSet, discriminant: Discriminant | null): Float64Array {
  const { classes } = set;
  const answers = new Float64Array(set.records * classes);
  if (!discriminant) return answers;
  const { centre, weights, bias } = discriminant;
  const features = featuresOf(set);
  for (let r = 0; r < set.records; r++) {
    const answer = answers.subarray(r * classes, (r + 1) * classes);
    answer.set(bias);
    for (let s = set.offsets[r]!; s < set.offsets[r + 1]!; s++) {
      const own = set.member[s]! * classes;
      for (let k = 0; k < classes; k++) {
        const feature = features[s * classes + k]! - centre[own + k]!;
        for (let c = 0; c < classes; c++) answer[c]! += feature * weights[(own + k) * classes + c]!;
      }
    }
    const mean = answer.reduce((sum, value) => sum + value, 0) / classes;
    for (let c = 0; c < classes; c++) answer[c]! -= mean;
  }
  return answers;
}

/** `[segments, classes]` log-probabilities around their mean, clipped. */
function featuresOf(set: AggregationSet): Float64Array {
  const { classes } = set;
  const features = new Float64Array(set.outputs.length);
  for (let at = 0; at < features.length; at += classes) {
    let mean = 0;
    for (let c = 0; c < classes; c++) mean += set.outputs[at + c]! / classes;
    for (let c = 0; c < classes; c++) features[at + c] = Math.max(-CLIP, Math.min(CLIP, set.outputs[at + c]! - mean));
  }
  return features;
}

function centreOf(set: AggregationSet, features: Float64Array): Float64Array {
  const { classes } = set;
  const centre = new Float64Array(set.members * classes);
  const seen = new Float64Array(set.members);
  set.member.forEach((m, s) => {
    seen[m]!++;
    for (let c = 0; c < classes; c++) centre[m * classes + c]! += features[s * classes + c]!;
  });
  return centre.map((sum, i) => sum / Math.max(1, seen[Math.floor(i / classes)]!));
}

/** `[records, members · classes]` */
function rowsOf(set: AggregationSet, features: Float64Array, centre: Float64Array): Float64Array {
  const { classes } = set;
  const size = centre.length;
  const rows = new Float64Array(set.records * size);
  for (let r = 0; r < set.records; r++) {
    for (let s = set.offsets[r]!; s < set.offsets[r + 1]!; s++) {
      const own = set.member[s]! * classes;
      for (let c = 0; c < classes; c++) rows[r * size + own + c] = features[s * classes + c]! - centre[own + c]!;
    }
  }
  return rows;
}

/** `[size, size]`, the lower half. */
function withinClasses(
  rows: Float64Array,
  answers: Int32Array,
  means: readonly Float64Array[],
  size: number,
): Float64Array {
  const covariance = new Float64Array(size * size);
  const away = new Float64Array(size);
  answers.forEach((answer, r) => {
    const mean = means[answer]!;
    for (let i = 0; i < size; i++) away[i] = rows[r * size + i]! - mean[i]!;
    for (let i = 0; i < size; i++) {
      const value = away[i]! / answers.length;
      const row = i * size;
      for (let j = 0; j <= i; j++) covariance[row + j]! += value * away[j]!;
    }
  });
  return covariance;
}

/** Lower factor of the matrix plus `shrinkage` of its mean variance on the diagonal; in place. */
function choleskyOf(matrix: Float64Array, size: number, shrinkage: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += matrix[i * size + i]!;
  // Never singular: members that always say the same have no variance at all.
  const ridge = (shrinkage * trace) / size + 1e-6;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * size + j]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= matrix[i * size + k]! * matrix[j * size + k]!;
      matrix[i * size + j] = i === j ? Math.sqrt(sum) : sum / matrix[j * size + j]!;
    }
  }
  return matrix;
}

/** x of L·Lᵀ·x = b. */
function solve(factor: Float64Array, size: number, b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i]! -= factor[i * size + k]! * x[k]!;
    x[i]! /= factor[i * size + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i]! -= factor[k * size + i]! * x[k]!;
    x[i]! /= factor[i * size + i]!;
  }
  return x;
}
