import { describe, expect, it } from "vitest";
import { fromMembers, selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { applyFitted, chooseReducer } from "#lib/aggregation/choose-reducer.ts";
import { trustInWords } from "#lib/aggregation/in-words.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { normal, seeded } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { freshPrior } from "#lib/aggregation/train.ts";
import { generateSet } from "./sets.ts";

const range = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, i) => from + i);

describe("choosing a reducer", () => {
  const members = [
    { skill: 2 },
    { skill: 2 },
    { skill: 2.5 },
    { skill: 4, shifted: true },
    { skill: 3, shifted: true },
  ];

  it("learns to ignore broken members, and beats the mean on records it never saw", () => {
    const { set, labels } = generateSet(2_200, 10, members, 21);
    const fitted = chooseReducer(set, { records: range(0, 200), targets: labels.slice(0, 200) }, freshPrior());
    expect(fitted.chosen).toBe("learned");
    const unseen = selectRecords(set, range(200, 2_200));
    const learned = scoreClassification(applyFitted(fitted, unseen), 10, labels.subarray(200));
    const mean = scoreClassification(reduceSimple(unseen, "mean"), 10, labels.subarray(200));
    expect(learned.accuracyInterval[0]).toBeGreaterThan(mean.accuracyInterval[1]);
    expect(learned.logLoss).toBeLessThan(mean.logLoss);
    expect(learned.calibrationError).toBeLessThan(0.03);

    const words = trustInWords(fitted.model!, unseen).sentences.join(" ");
    expect(words).toContain("Member 4 is hardly listened to");
  });

  it("keeps a simple reducer when labels are noise: 20 of 20 draws", () => {
    const chosen = Array.from({ length: 20 }, (_, draw) => {
      const { set } = generateSet(200, 10, members, 100 + draw);
      const random = seeded(500 + draw);
      const noise = Float64Array.from({ length: 200 }, () => Math.floor(random() * 10));
      return chooseReducer(set, { records: range(0, 200), targets: noise }, freshPrior(), draw).chosen;
    });
    expect(chosen.filter((reducer) => reducer === "learned")).toEqual([]);
  }, 600_000);

  it("says how many labels are missing", () => {
    const { set, labels } = generateSet(20, 3, members, 5);
    const fitted = chooseReducer(set, { records: range(0, 8), targets: labels.slice(0, 8) }, freshPrior());
    expect(fitted.chosen).toBe("mean");
    expect(fitted.report.because).toContain("8 labels: at least 16");
  });

  it("reports every candidate on the same held-out records", () => {
    const { set, labels } = generateSet(100, 4, members, 7);
    const { report } = chooseReducer(set, { records: range(0, 100), targets: labels }, freshPrior());
    expect(report.candidates.map((candidate) => candidate.reducer).sort()).toEqual(
      ["best-single", "learned", "max", "mean", "vote"].sort(),
    );
    for (const { classification } of report.candidates) expect(classification?.records).toBe(100);
  });

  it("weighs members of a regression, and reports squared errors", () => {
    const random = seeded(31);
    const targets = Float64Array.from({ length: 600 }, () => 100 + 25 * normal(random));
    const noisy = (deviation: number) => ({ outputs: targets.map((value) => value + deviation * normal(random)) });
    const set = fromMembers([noisy(2), noisy(30), noisy(40)], 600, 1, "values");
    const fitted = chooseReducer(set, { records: range(0, 200), targets: targets.slice(0, 200) }, freshPrior());
    const mean = fitted.report.candidates.find((candidate) => candidate.reducer === "mean")!;
    const learned = fitted.report.candidates.find((candidate) => candidate.reducer === "learned")!;
    expect(learned.loss).toBeLessThan(mean.loss / 10);
    expect(learned.classification).toBeNull();
  });

  it.each([
    { name: "unknown record", records: [0, 999], targets: [0, 1], says: "Record 999" },
    { name: "record given twice", records: [3, 3], targets: [0, 1], says: "Record 3" },
    { name: "class out of range", records: [0, 1], targets: [0, 9], says: "give 0 to 2" },
    { name: "fraction", records: [0, 1], targets: [0, 0.5], says: "give 0 to 2" },
    { name: "missing target", records: [0, 1], targets: [0], says: "1 target value" },
  ])("refuses labels: $name", ({ records, targets, says }) => {
    const { set } = generateSet(20, 3, members, 5);
    const labels = { records: Int32Array.from(records), targets: Float64Array.from(targets) };
    expect(() => chooseReducer(set, labels, freshPrior())).toThrow(says);
  });
});
