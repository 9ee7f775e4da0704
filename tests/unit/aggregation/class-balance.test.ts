import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classBalance, classShares } from "#lib/aggregation/class-balance.ts";
import { jobProfile } from "#lib/aggregation/job-profile.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { normal, seeded } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { generateSet } from "./sets.ts";

/** Probabilities of each class over all records. */
function given(answers: Float64Array, balance: Float64Array, classes: number): Float64Array {
  const shares = new Float64Array(classes);
  for (let at = 0; at < answers.length; at += classes) {
    const odds = balance.map((value, c) => Math.exp(answers[at + c]! + value));
    const total = odds.reduce((a, b) => a + b, 0);
    for (let c = 0; c < classes; c++) shares[c]! += (odds[c]! * classes) / (total * answers.length);
  }
  return shares;
}

const draws = (count: number, shares: readonly number[], seed: number) => {
  const random = seeded(seed);
  const upTo = shares.map((_, c) => shares.slice(0, c + 1).reduce((a, b) => a + b, 0));
  return Float64Array.from({ length: count }, () => {
    const drawn = random();
    return Math.max(
      0,
      upTo.findIndex((bound) => drawn < bound),
    );
  });
};

/** Answers that are right nine times in ten and say so, of records whose classes have these shares. */
function answersFor(shares: readonly number[], records: number, seed: number) {
  const classes = shares.length;
  const labels = draws(records, shares, seed);
  const random = seeded(seed + 1);
  const answers = new Float64Array(records * classes).fill(Math.log(0.1 / (classes - 1)));
  for (const [r, label] of labels.entries()) {
    const said = random() < 0.9 ? label : Math.floor(random() * classes);
    answers[r * classes + said] = Math.log(0.9);
  }
  return { labels, answers };
}

describe("the classes' shares", () => {
  const even = new Array(10).fill(0.1);
  const quarter = [0.25, ...new Array(9).fill(0.75 / 9)];

  it("are equal where nothing speaks clearly against it, with few labels and with none", () => {
    for (const labelled of [0, 32, 200]) {
      const { labels, answers } = answersFor(even, 2_000, 3);
      for (const share of classShares(labels.subarray(0, labelled), answers, 10)!) expect(share).toBeCloseTo(0.1, 2);
    }
  });

  it("are about what the answers show where one class is much more frequent, with few labels and with none", () => {
    for (const labelled of [0, 32, 200]) {
      const { labels, answers } = answersFor(quarter, 2_000, 4);
      expect(classShares(labels.subarray(0, labelled), answers, 10)![0]).toBeGreaterThan(0.2);
    }
  });

  it("follow many labels that contradict the answers, and are positive and sum to one whatever is said", () => {
    const { answers } = answersFor(even, 2_000, 5);
    expect(classShares(draws(400, quarter, 6), answers, 10)![0]).toBeGreaterThan(0.15);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 0, max: 10_000 }), (classes, seed) => {
        const random = seeded(seed);
        const anything = Float64Array.from({ length: 100 * classes }, () => 9 * normal(random));
        const labels = Array.from({ length: seed % 40 }, () => Math.floor(random() * classes));
        const shares = classShares(labels, anything, classes)!;
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
        for (const share of shares) expect(share).toBeGreaterThan(0);
      }),
    );
  });

  it("are unknown with fewer than ten records a class", () => {
    const { answers } = answersFor(even, 100, 7);
    expect(classShares([], answers, 10)).not.toBeNull();
    expect(classShares([], answers.subarray(0, 990), 10)).toBeNull();
  });
});

describe("what evens the answers out", () => {
  it("gives the classes the shares that were asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 0, max: 10_000 }), (classes, seed) => {
        const random = seeded(seed);
        const lean = Float64Array.from({ length: classes }, () => normal(random));
        const answers = Float64Array.from({ length: 300 * classes }, (_, i) => normal(random) + lean[i % classes]!);
        const odds = Float64Array.from({ length: classes }, () => 0.2 + random());
        const total = odds.reduce((a, b) => a + b, 0);
        const shares = odds.map((value) => value / total);
        const evened = given(answers, classBalance(answers, shares, classes), classes);
        for (let c = 0; c < classes; c++) expect(evened[c]! / shares[c]!).toBeCloseTo(1, 1);
      }),
      { numRuns: 50 },
    );
  });

  it("is nothing where shares are unknown, or where records are too few to have any", () => {
    const answers = Float64Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 3 : 0));
    const even = new Float64Array(4).fill(0.25);
    expect(classBalance(answers, null, 4)).toEqual(new Float64Array(4));
    expect(classBalance(answers.slice(0, 39 * 4), even, 4)).toEqual(new Float64Array(4));
    expect(classBalance(answers, even, 4)[0]).toBeLessThan(-1);
  });

  it("stays finite where a class is never answered and shares say that it is there", () => {
    const answers = Float64Array.from({ length: 300 }, (_, i) => (i % 3 === 2 ? -700 : 0));
    expect(classBalance(answers, Float64Array.from([0.3, 0.3, 0.4]), 3).every(Number.isFinite)).toBe(true);
  });

  it("finds a class that all members neglect", () => {
    const { set, labels } = generateSet(3_000, 4, [{ skill: 1.5 }, { skill: 1.5 }, { skill: 1.5 }], 7);
    const outputs = set.outputs.map((value, i) => value - (i % 4 === 2 ? 2 : 0));
    const neglecting = { ...set, outputs };
    const { balance } = jobProfile(neglecting, labels.subarray(0, 40));
    for (const other of [0, 1, 3]) expect(balance[2]! - balance[other]!).toBeGreaterThan(0.5);
    const mean = reduceSimple(neglecting, "mean");
    const accuracy = (answers: Float64Array) => scoreClassification(answers, 4, labels).accuracy;
    expect(accuracy(mean.map((value, i) => value + balance[i % 4]!))).toBeGreaterThan(accuracy(mean) + 0.02);
  });
});
