/**
 * What a job's outputs say of its members without any label: how far each keeps its word, and which classes all of them
 * together neglect. Learned combinations need these of the whole job: a few labelled records say neither.
 *
 * A member is as good as its agreement with the others (disagreement as an estimate of error: Platanios, Blum & Mitchell,
 * UAI 2014), measured against what it claims: a window that saw little agrees seldom and says so; a broken member agrees
 * seldom and is sure.
 */
import type { AggregationSet, Discriminant, JobProfile } from "./aggregation-set.ts";
import { classBalance, classShares } from "./class-balance.ts";
import { discriminantAnswers, fitDiscriminant } from "./discriminant.ts";
import { argmax } from "./simple-reducers.ts";

/** The others are weighted by their own standing: two rounds are enough for a broken member to stop counting. */
const ROUNDS = 3;
/** Where no member keeps its word, they count alike. */
export const LEAST_STANDING = 0.02;
/** Of the discriminant's teacher, more than once: the pool claims too little, and neglected classes are drawn from what is in doubt. */
const LEANT_BACK = 1.5;
/** How far the discriminant counts in the answers that are evened out: about what starts learn. */
const USUAL_KAPPA = 0.25;

/** The same set, with the profile of its own records. */
export function withOwnProfile(set: AggregationSet, labels?: ArrayLike<number>): AggregationSet {
  return { ...set, profile: jobProfile(set, labels) };
}

/**
 * From some hundred records or more; records with a single segment say nothing of agreement.
 * @param labels known ones, class indices, or none: of them only how often each class occurs is used
 */
export function jobProfile(set: AggregationSet, labels: ArrayLike<number> = []): JobProfile {
  if (set.task === "regression") {
    return { standing: new Float64Array(set.members).fill(1), balance: new Float64Array(0), discriminant: null };
  }
  const { classes } = set;
  const probabilities = set.outputs.map(Math.exp);
  let standing: Float64Array = new Float64Array(set.members).fill(1);
  for (let round = 0; round < ROUNDS; round++) standing = standingAmong(set, probabilities, standing);
  const pooled = pooledAnswers(
    set,
    probabilities,
    standing.map((value) => value + LEAST_STANDING),
  );
  const both = (discriminant: Discriminant | null) => {
    const second = discriminantAnswers(set, discriminant);
    return pooled.map((value, i) => value + USUAL_KAPPA * second[i]!);
  };
  const shares = classShares(labels, both(fitDiscriminant(set, pooled)), classes);
  const leaning = classBalance(pooled, shares, classes);
  const discriminant = fitDiscriminant(
    set,
    pooled.map((value, i) => value + LEANT_BACK * leaning[i % classes]!),
  );
  return { standing, balance: classBalance(both(discriminant), shares, classes), discriminant };
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

/** `[records, classes]` log of the members' mean probabilities, weighted by their standing. */
function pooledAnswers(set: AggregationSet, probabilities: Float64Array, weights: Float64Array): Float64Array {
  const { classes } = set;
  const pooled = new Float64Array(set.records * classes);
  for (let r = 0; r < set.records; r++) {
    let total = 0;
    for (let s = set.offsets[r]!; s < set.offsets[r + 1]!; s++) {
      const weight = weights[set.member[s]!]!;
      total += weight;
      for (let c = 0; c < classes; c++) pooled[r * classes + c]! += weight * probabilities[s * classes + c]!;
    }
    for (let c = 0; c < classes; c++) pooled[r * classes + c] = Math.log(pooled[r * classes + c]! / total);
  }
  return pooled;
}
