/**
 * How far a job's answers neglect or prefer classes, and what evens them out: the bias under which the mean answer over many
 * unlabelled records has the shares that classes are taken to have. (Correcting answers for the classes' shares: Saerens,
 * Latinne & Decaestecker, Neural Computation 2002; the iteration is Sinkhorn's, Amer. Math. Monthly 1967, records one way and
 * classes the other.)
 *
 * Measured on tuning networks with a learned start, points of accuracy over the mean (tiles, bags, bags with broken members):
 * equal classes 3.7, 1.6, 4.5 without labels (2.5, 0.4, 3.8 when nothing is evened out) and 3.7, 1.7, 4.6 with 32; one class
 * of ten with a quarter of the records 1.9, −0.3, 3.0 and 2.0, −0.2, 3.2; shares falling from 19 to 4 % 1.7, −0.2, 3.1 and
 * 2.1, −0.1, 3.3. Lost: equal classes unless 32 labels' counts speak against it (even 3.8, 1.7, 4.7; a quarter −3.2, −6.0,
 * −3.7; falling −1.2, −5.2, −2.3); shares between equal and answered by labels alone (−1.0, −3.4, −0.7; 0.5, −1.9, 0.8);
 * a teacher leant back by what evens out the pool with the discriminant instead of the pool (even 2.5, 0.4, 3.8).
 */
import { logSumExp } from "./aggregation-set.ts";

/** Standard deviations above what the expected shares would give, before the labels' own are believed. */
const BELIEVED_FROM = 3;
/** Standard deviation of log shares that members give equal classes, per unit of how often they err: 0.2 at 15 %. */
const NEGLECT = 1.3;
/** Standard deviation of log shares of unequal classes. */
const UNEVEN = 0.5;
/** Of a class that nothing names. */
const LEAST_SHARE = 1e-4;
/** With fewer records a class, a class's share of the answers is chance. */
const RECORDS_PER_CLASS = 10;
const ROUNDS_MAX = 50;
/** Of a class's share, relative. */
const CLOSE_ENOUGH = 0.01;

/**
 * What labels and answers together say of the classes' shares. Two stories are weighed against each other (Bayes): all classes are
 * equal, and members that err as often as they say they do neglect some and prefer others a little; or classes are unequal, and the
 * answers show about how. Ten shares are not to be had from 32 labels, but which of the two it is, is.
 *
 * Labels that contradict even that (a chi-squared statistic more than three standard deviations above what it gives) count for
 * themselves as far as they do.
 * @param labels class indices @param answers `[records, classes]` log-probabilities up to a constant a record, about as sure as
 * they are right
 * @returns `[classes]`, summing to 1; null for too few records
 */
export function classShares(labels: ArrayLike<number>, answers: Float64Array, classes: number): Float64Array | null {
  const records = answers.length / classes;
  if (records < RECORDS_PER_CLASS * classes) return null;
  const { shares: answered, certainty } = answeredShares(answers, new Float64Array(classes));
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]! += 1;
  const neglect = (NEGLECT * (1 - certainty)) ** 2 + classes / records;
  let equalOverUneven = 0;
  for (let c = 0; c < classes; c++) {
    const away = Math.log(Math.max(answered[c]!, LEAST_SHARE) * classes);
    const wide = neglect + UNEVEN ** 2;
    equalOverUneven += 0.5 * (away * away * (1 / wide - 1 / neglect) + Math.log(wide / neglect)) - counts[c]! * away;
  }
  const equal = 1 / (1 + Math.exp(-equalOverUneven));
  const expected = answered.map((share) => equal / classes + (1 - equal) * Math.max(share, LEAST_SHARE));
  return contradicted(expected, counts, labels.length);
}

function contradicted(expected: Float64Array, counts: Float64Array, labels: number): Float64Array {
  const classes = counts.length;
  let chiSquared = 0;
  for (let c = 0; c < classes && labels > 0; c++) {
    chiSquared += (counts[c]! - labels * expected[c]!) ** 2 / (labels * expected[c]!);
  }
  const freedom = classes - 1;
  const usual = freedom + BELIEVED_FROM * Math.sqrt(2 * freedom);
  const kept = chiSquared > usual ? usual / chiSquared : 1;
  const shares = expected.map(
    (share, c) => kept * share + (labels > 0 ? ((1 - kept) * counts[c]!) / labels : 0) + LEAST_SHARE,
  );
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / total);
}

/** `[classes]` mean probability of each class, and that of the most probable one. */
function answeredShares(answers: Float64Array, balance: Float64Array) {
  const classes = balance.length;
  const shares = new Float64Array(classes);
  const row = new Float64Array(classes);
  let certainty = 0;
  for (let at = 0; at < answers.length; at += classes) {
    for (let c = 0; c < classes; c++) row[c] = answers[at + c]! + balance[c]!;
    const total = logSumExp(row);
    let top = 0;
    for (let c = 0; c < classes; c++) {
      const probability = Math.exp(row[c]! - total);
      top = Math.max(top, probability);
      shares[c]! += (probability * classes) / answers.length;
    }
    certainty += (top * classes) / answers.length;
  }
  return { shares, certainty };
}

/**
 * @param answers `[records, classes]` log-probabilities up to a constant a record
 * @param shares of the classes; null: nothing is known of them, and nothing is evened out
 * @returns `[classes]` to be added to the answers
 */
export function classBalance(answers: Float64Array, shares: Float64Array | null, classes: number): Float64Array {
  const balance = new Float64Array(classes);
  const records = answers.length / classes;
  if (!shares || records < RECORDS_PER_CLASS * classes) return balance;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { shares: given } = answeredShares(answers, balance);
    let furthest = 0;
    for (let c = 0; c < classes; c++) {
      const step = Math.log(shares[c]! / Math.max(given[c]!, LEAST_SHARE));
      balance[c]! += step;
      furthest = Math.max(furthest, Math.abs(step));
    }
    if (furthest < CLOSE_ENOUGH) break;
  }
  return balance;
}
