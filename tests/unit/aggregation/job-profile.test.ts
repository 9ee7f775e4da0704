import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromMembers, selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { fitLearned } from "#lib/aggregation/fit-learned.ts";
import { jobProfile, withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { applyMetaModel, layoutOf } from "#lib/aggregation/meta-model.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { normal, seeded, shuffled } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, modelFromPrior, type Prior } from "#lib/aggregation/train.ts";
import { generateSet } from "./sets.ts";

const first = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

/** Members whose logits are `gain` times those of an honest one (of skill 1): above 1 they claim too much. */
function claiming(records: number, classes: number, members: readonly { skill: number; gain: number }[], seed: number) {
  const random = seeded(seed);
  const labels = Float64Array.from({ length: records }, () => Math.floor(random() * classes));
  const outputs = members.map(({ skill, gain }) => ({
    outputs: Float64Array.from({ length: records * classes }, (_, i) => {
      const right = labels[Math.floor(i / classes)] === i % classes;
      return gain * (normal(random) + (right ? skill : 0));
    }),
  }));
  return { set: fromMembers(outputs, records, classes, "logits"), labels };
}

describe("a job's profile", () => {
  it("tells members that are sure and wrong from weak ones that say so, without a label", () => {
    const { set } = claiming(
      2_000,
      6,
      [
        { skill: 2, gain: 1.5 },
        { skill: 2, gain: 1.5 },
        { skill: 2, gain: 1.5 },
        { skill: 0.6, gain: 0.6 },
        { skill: 0, gain: 5 },
      ],
      1,
    );
    const [a, b, c, weak, broken] = jobProfile(set).standing;
    for (const good of [a, b, c, weak]) expect(good).toBeGreaterThan(0.8);
    expect(broken).toBeLessThan(0.1);
  });

  it("stays within its bounds and does not depend on the order of records", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 2, max: 5 }), (seed, classes) => {
        const { set } = generateSet(30, classes, [{ skill: 1 }, { skill: 3, shifted: true }, { skill: 0 }], seed);
        const profile = jobProfile(set);
        const mixed = jobProfile(selectRecords(set, shuffled(30, seeded(seed + 1))));
        for (const [m, standing] of profile.standing.entries()) {
          expect(standing).toBeGreaterThanOrEqual(0);
          expect(standing).toBeLessThanOrEqual(1);
          expect(mixed.standing[m]).toBeCloseTo(standing, 9);
        }
        for (const [c, value] of profile.balance.entries()) expect(mixed.balance[c]).toBeCloseTo(value, 6);
      }),
      { numRuns: 50 },
    );
  });

  it("lets a start that leans back strongly do no harm where classes are unequal", () => {
    const random = seeded(9);
    const labels = Float64Array.from({ length: 2_000 }, () => (random() < 0.88 ? 0 : random() < 0.5 ? 1 : 2));
    const honest = Array.from({ length: 4 }, () => ({
      // Bayes' rule for signals of skill 1: the classes' shares are part of the answer.
      outputs: Float64Array.from({ length: 6_000 }, (_, i) => {
        const right = labels[Math.floor(i / 3)] === i % 3;
        return normal(random) + (right ? 1 : 0) + Math.log(i % 3 === 0 ? 0.88 : 0.06);
      }),
    }));
    const set = withOwnProfile(fromMembers(honest, 2_000, 3, "logits"), labels.slice(0, 48));
    const shared = freshPrior().shared.slice();
    shared[layoutOf(0, 0).balance] = 3;
    shared[layoutOf(0, 0).kappa] = 0.3;
    const start: Prior = { version: "leans back", shared };
    const { model } = fitLearned(selectRecords(set, first(48)), labels.slice(0, 48), start, 1);
    const rest = selectRecords(
      set,
      Int32Array.from({ length: 1_900 }, (_, i) => i + 100),
    );
    const score = (outputs: Float64Array) => scoreClassification(outputs, 3, labels.slice(100)).accuracy;
    expect(score(applyMetaModel(model, rest).outputs)).toBeGreaterThan(score(reduceSimple(rest, "mean")) - 0.01);
  });
});

describe("without a label", () => {
  it("a start that listens to the discriminant does no harm where classes are unequal", () => {
    const random = seeded(10);
    const labels = Float64Array.from({ length: 2_000 }, () => (random() < 0.88 ? 0 : random() < 0.5 ? 1 : 2));
    const honest = Array.from({ length: 4 }, () => ({
      outputs: Float64Array.from({ length: 6_000 }, (_, i) => {
        const right = labels[Math.floor(i / 3)] === i % 3;
        return normal(random) + (right ? 1.5 : 0) + Math.log(i % 3 === 0 ? 0.88 : 0.06);
      }),
    }));
    const set = withOwnProfile(fromMembers(honest, 2_000, 3, "logits"));
    const shared = freshPrior().shared.slice();
    shared[layoutOf(0, 0).kappa] = 0.3;
    const score = (outputs: Float64Array) => scoreClassification(outputs, 3, labels).accuracy;
    const answers = applyMetaModel(modelFromPrior({ version: "listens", shared }, set), set).outputs;
    expect(score(answers)).toBeGreaterThan(score(reduceSimple(set, "mean")) - 0.01);
  });
});

describe("a fit that starts from earlier jobs", () => {
  const members = [
    { skill: 2 },
    { skill: 2 },
    { skill: 2 },
    { skill: 5, shifted: true },
    { skill: 5, shifted: true },
    { skill: 5, shifted: true },
    { skill: 5, shifted: true },
  ];

  it("lets labels overrule a majority that agrees on wrong answers", () => {
    const { set, labels } = generateSet(2_200, 5, members, 3);
    const job = withOwnProfile(set);
    const targets = labels.slice(0, 200);
    const { model } = fitLearned(selectRecords(job, first(200)), targets, freshPrior(), 1);
    const rest = selectRecords(
      job,
      Int32Array.from({ length: 2_000 }, (_, i) => i + 200),
    );
    const accuracy = (outputs: Float64Array) => scoreClassification(outputs, 5, labels.slice(200)).accuracy;
    expect(accuracy(reduceSimple(rest, "mean"))).toBeLessThan(0.2);
    expect(accuracy(applyMetaModel(model, rest).outputs)).toBeGreaterThan(0.9);
  });
});
