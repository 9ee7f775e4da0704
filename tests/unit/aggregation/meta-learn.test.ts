import { describe, expect, it } from "vitest";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { metaLearn } from "#lib/aggregation/meta-learn.ts";
import { applyMetaModel } from "#lib/aggregation/meta-model.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { seeded } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, modelFromPrior } from "#lib/aggregation/train.ts";
import { type GeneratedMember, generateSet } from "./sets.ts";

const GOOD: GeneratedMember = { skill: 2 };
const USELESS: GeneratedMember = { skill: 0 };

describe("a start that was learned over earlier jobs", () => {
  it("is surer and more often right than the mean on a job of another kind, before anything is fitted to it", () => {
    const jobs = [1, 2, 3, 4].map((seed) => {
      const { set, labels } = generateSet(400, 3 + seed, [GOOD, USELESS, GOOD, GOOD], seed);
      return { set: withOwnProfile(set, labels), targets: labels };
    });
    const start = metaLearn(jobs, freshPrior(), "start-1", seeded(1), { iterations: 60 });
    const { set, labels } = generateSet(1_000, 6, [USELESS, GOOD, GOOD, GOOD, USELESS], 9);
    const job = withOwnProfile(set);
    const score = (outputs: Float64Array) => scoreClassification(outputs, 6, labels);
    const mean = score(reduceSimple(job, "mean"));
    const started = score(applyMetaModel(modelFromPrior(start, job), job).outputs);
    expect(started.logLoss).toBeLessThan(0.8 * mean.logLoss);
    expect(started.accuracy).toBeGreaterThan(mean.accuracy);
    expect(started.calibrationError).toBeLessThan(mean.calibrationError);
  });

  it("learns from values of any size, too, and is what it began with where there is no job", () => {
    const { set, labels } = generateSet(60, 2, [GOOD, USELESS], 3);
    const regression = {
      ...set,
      task: "regression" as const,
      outputs: set.outputs.map((value) => 1e6 * value),
    };
    const targets = Float64Array.from({ length: 120 }, (_, i) => 1e6 * labels[Math.floor(i / 2)]!);
    const start = metaLearn([{ set: regression, targets }], freshPrior(), "start-2", seeded(2), { iterations: 20 });
    expect(start.shared.every(Number.isFinite)).toBe(true);
    expect(metaLearn([], freshPrior(), "none", seeded(3)).shared).toEqual(freshPrior().shared);
  });
});
