import { describe, expect, it } from "vitest";
import { selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { fitLearned } from "#lib/aggregation/fit-learned.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { layoutOf } from "#lib/aggregation/meta-model.ts";
import { argmax, reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior, type Prior } from "#lib/aggregation/train.ts";
import { generateSet } from "./sets.ts";

/** A start that listens to the discriminant, by that much. */
function listening(kappa: number): Prior {
  const shared = freshPrior().shared.slice();
  shared[layoutOf(0, 0).kappa] = kappa;
  return { version: "learned", shared };
}

describe("a fit from a learned start", () => {
  const { set, labels } = generateSet(2_000, 6, [{ skill: 2 }, { skill: 2 }, { skill: 2 }, { skill: 2 }], 1);
  const mean = reduceSimple(set, "mean");
  const isRight = (r: number) => argmax(mean.subarray(r * 6, (r + 1) * 6)) === labels[r];
  const startUsed = (records: Int32Array, prior: Prior) => {
    const targets = Float64Array.from(records, (r) => labels[r]!);
    return fitLearned(selectRecords(withOwnProfile(set, targets), records), targets, prior, 1).prior;
  };

  it("is not left because a few records happen to be easy, and a surer one would have been right, too", () => {
    const easy = Int32Array.from(labels.keys()).filter(isRight).slice(0, 32);
    expect(startUsed(easy, listening(0.1))).toBe("learned");
  });

  it("is left where it misleads", () => {
    const any = Int32Array.from({ length: 48 }, (_, i) => i);
    expect(startUsed(any, listening(-2))).toBe("fresh");
  });
});
