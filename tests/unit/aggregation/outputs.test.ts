import { describe, expect, it } from "vitest";
import { fromMembers, guessOutputKind, toLogProbabilities } from "#lib/aggregation/aggregation-set.ts";
import { reduceSimple, singleMember } from "#lib/aggregation/simple-reducers.ts";

describe("model outputs", () => {
  it.each([
    { kind: "probabilities", rows: [0.2, 0.8, 1, 0] },
    { kind: "log-probabilities", rows: [Math.log(0.2), Math.log(0.8), Math.log(0.5), Math.log(0.5)] },
    { kind: "logits", rows: [3, -1, 0.2, 0.8] },
    { kind: "logits", rows: [2, 5, 1, 1] },
  ] as const)("$rows are $kind", ({ kind, rows }) => {
    expect(guessOutputKind(rows, 2)).toBe(kind);
  });

  it("become distributions in which nothing is impossible", () => {
    const rows = Float64Array.of(1, 0, 0, 0.5, 0.25, 0.25);
    toLogProbabilities(rows, 3, "probabilities");
    for (let row = 0; row < 2; row++) {
      const sum = rows.subarray(row * 3, row * 3 + 3).reduce((total, x) => total + Math.exp(x), 0);
      expect(sum).toBeCloseTo(1, 12);
    }
    expect(Math.min(...rows)).toBeGreaterThan(-20);
    expect(Math.exp(rows[3]!)).toBeCloseTo(0.5, 5);
  });

  it("are reduced record by record: mean, vote, the surest, one member alone", () => {
    const members = [{ outputs: [0.9, 0.1] }, { outputs: [0.4, 0.6] }, { outputs: [0.4, 0.6] }];
    const set = fromMembers(members, 1, 2, "probabilities");
    const first = (outputs: Float64Array) => Math.exp(outputs[0]!);
    expect(first(reduceSimple(set, "mean"))).toBeCloseTo(1.7 / 3, 6);
    expect(first(reduceSimple(set, "vote"))).toBeCloseTo(1.5 / 4, 6);
    expect(first(reduceSimple(set, "max"))).toBeCloseTo(0.9, 6);
    expect(first(reduceSimple(set, "concat"))).toBeCloseTo(0.9, 6);
    expect(first(singleMember(set, 2))).toBeCloseTo(0.4, 6);
  });
});
