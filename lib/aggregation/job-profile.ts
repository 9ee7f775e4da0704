/**
 * What a job's outputs say of its members without any label: how far each keeps its word, and which classes all of them
 * together lean to. Learned combinations need these of the whole job: a few labelled records say neither.
 *
 * A member is as good as its agreement with the others (disagreement as an estimate of error: Platanios, Blum & Mitchell,
 * UAI 2014), measured against what it claims: a window that saw little agrees seldom and says so; a broken member agrees
 * seldom and is sure.
 */
import type { AggregationSet, JobProfile } from "./aggregation-set.ts";
import { fitDiscriminant } from "./discriminant.ts";
import { argmax } from "./simple-reducers.ts";

/** The others are weighted by their own standing: two rounds are enough for a broken member to stop counting. */
const ROUNDS = 3;
/** Where no member keeps its word, they count alike. */
export const LEAST_STANDING = 0.02;

/** The same set, with the profile of its own records. */
export function withOwnProfile(set: AggregationSet, labels?: ArrayLike<number>): AggregationSet {
  return { ...set, profile: jobProfile(set, labels) };
}

/**
 * From some hundred records or more; records with a single segment say nothing of agreement.
 * @param labels known ones, class indices: only how often each class occurs is taken from them. Where none is known, the
 * discriminant is taught without leaning back: classes that are rare and classes that are neglected look the same.
 */
export function jobProfile(set: AggregationSet, labels: ArrayLike<number> = []): JobProfile {
  if (set.task === "regression") {
    return { standing: new Float64Array(set.members).fill(1), marginal: new Float64Array(0), discriminant: null };
  }
  const probabilities = set.outputs.map(Math.exp);
  let standing: Float64Array = new Float64Array(set.members).fill(1);
  for (let round = 0; round < ROUNDS; round++) standing = standingAmong(set, probabilities, standing);
  const marginal = marginalOf(set, probabilities, standing);
  const lean = labels.length > 0 ? leanOf(marginal, labels) : new Float64Array(set.classes);
  const weights = standing.map((value) => value + LEAST_STANDING);
  return { standing, marginal, discriminant: fitDiscriminant(set, weights, lean) };
}

function standingAmong(set: AggregationSet, probabilities: Float64Array, before: Float64Array): Float64Array {
  const { classes } = set;
  const agreed = new Float64Array(set.members);
  const sure = new Float64Array(set.members);
  const seen = new Float64Array(set.members);
  const others = new Float64Array(classes);
  for (let r = 0; r < set.records; r++) {
    const first = set.offsets[r]!;
    const last = set.offsets[r + 1]!;
    if (last - first < 2) continue;
    for (let s = first; s < last; s++) {
      others.fill(0);
      for (let other = first; other < last; other++) {
        if (other === s) continue;
        const weight = before[set.member[other]!]! + LEAST_STANDING;
        for (let c = 0; c < classes; c++) others[c]! += weight * probabilities[other * classes + c]!;
      }
      const row = probabilities.subarray(s * classes, (s + 1) * classes);
      const member = set.member[s]!;
      const top = argmax(row);
      seen[member]!++;
      sure[member]! += row[top]!;
      if (top === argmax(others)) agreed[member]!++;
    }
  }
  const chance = 1 / classes;
  return agreed.map((count, member) => {
    const records = seen[member]!;
    if (records === 0) return 1;
    const claimed = Math.max(sure[member]! / records - chance, 1e-3);
    return Math.min(1, Math.max(0, (count / records - chance) / claimed));
  });
}

function marginalOf(set: AggregationSet, probabilities: Float64Array, standing: Float64Array): Float64Array {
  const { classes } = set;
  const sum = new Float64Array(classes);
  for (let r = 0; r < set.records; r++) {
    const first = set.offsets[r]!;
    const last = set.offsets[r + 1]!;
    let total = 0;
    for (let s = first; s < last; s++) total += standing[set.member[s]!]! + LEAST_STANDING;
    for (let s = first; s < last; s++) {
      const weight = (standing[set.member[s]!]! + LEAST_STANDING) / total;
      for (let c = 0; c < classes; c++) sum[c]! += weight * probabilities[s * classes + c]!;
    }
  }
  return sum.map((value) => value / Math.max(1, set.records));
}

/** Pseudo-probability that keeps the logarithm of a class that nobody ever names finite. */
const LEAST_SHARE = 1e-4;
/** Standard deviations above what equal classes would give, before the labels' own shares are believed. */
const BELIEVED_FROM = 2;

/**
 * How far the members together lean away from each class: log of the share that the labels give it, less log of the share that
 * the members give it. Shares of few labels are mostly noise: they are shrunk towards equal ones, all the way unless a
 * chi-squared statistic of the counts is more than two standard deviations above what equal classes give.
 * @param labels class indices of labelled records @returns `[classes]`
 */
export function leanOf(marginal: Float64Array, labels: ArrayLike<number>): Float64Array {
  const classes = marginal.length;
  const shares = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) shares[labels[i]!]! += 1 / labels.length;
  let chiSquared = 0;
  for (const share of shares) chiSquared += labels.length * classes * (share - 1 / classes) ** 2;
  const freedom = classes - 1;
  const expected = freedom + BELIEVED_FROM * Math.sqrt(2 * freedom);
  const equal = chiSquared > expected ? expected / chiSquared : 1;
  return shares.map(
    (share, c) => Math.log(equal / classes + (1 - equal) * share + LEAST_SHARE) - Math.log(marginal[c]! + LEAST_SHARE),
  );
}
