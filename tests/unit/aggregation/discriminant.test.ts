import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AggregationSet, fromMembers, selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { discriminantAnswers, fitDiscriminant } from "#lib/aggregation/discriminant.ts";
import { scoreClassification } from "#lib/aggregation/metrics.ts";
import { normal, seeded, shuffled } from "#lib/aggregation/random.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { generateSet } from "./sets.ts";

const taught = (set: AggregationSet) => fitDiscriminant(set, reduceSimple(set, "mean"));
const accuracy = (answers: Float64Array, classes: number, labels: Float64Array) =>
  scoreClassification(answers, classes, labels).accuracy;

/** Three members with nearly the same errors, and two that err on their own. */
function withEchoes(records: number, classes: number, seed: number) {
  const random = seeded(seed);
  const labels = Float64Array.from({ length: records }, () => Math.floor(random() * classes));
  const said = () =>
    Float64Array.from({ length: records * classes }, (_, i) => {
      const right = labels[Math.floor(i / classes)] === i % classes;
      return normal(random) + (right ? 1.3 : 0);
    });
  const first = said();
  const echo = () => first.map((value) => value + 0.2 * normal(random));
  const members = [first, echo(), echo(), said(), said()].map((outputs) => ({ outputs }));
  return { set: fromMembers(members, records, classes, "logits"), labels };
}

describe("a job's discriminant", () => {
  it("sees without a label that some members only repeat others", () => {
    const { set, labels } = withEchoes(3_000, 4, 1);
    const answers = discriminantAnswers(set, taught(set));
    expect(accuracy(answers, 4, labels)).toBeGreaterThan(accuracy(reduceSimple(set, "mean"), 4, labels) + 0.02);
  });

  it("answers records that it was not taught on as well", () => {
    const { set, labels } = withEchoes(6_000, 4, 2);
    const half = (from: number) =>
      selectRecords(
        set,
        Int32Array.from({ length: 3_000 }, (_, i) => from + i),
      );
    const answers = discriminantAnswers(half(3_000), taught(half(0)));
    const mean = reduceSimple(half(3_000), "mean");
    expect(accuracy(answers, 4, labels.slice(3_000))).toBeGreaterThan(accuracy(mean, 4, labels.slice(3_000)) + 0.02);
  });

  it("does not depend on the order of records, and stays finite when members are missing or say nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 2, max: 5 }), (seed, classes) => {
        const whole = generateSet(120, classes, [{ skill: 1 }, { skill: 2, shifted: true }, { skill: 0 }], seed).set;
        const silent = { ...whole, outputs: whole.outputs.slice() };
        for (let s = 2; s < silent.member.length; s += 3) {
          silent.outputs.fill(-Math.log(classes), s * classes, (s + 1) * classes);
        }
        const order = shuffled(120, seeded(seed + 1));
        const mixed = discriminantAnswers(silent, taught(selectRecords(silent, order)));
        const straight = discriminantAnswers(silent, taught(silent));
        for (const [i, value] of straight.entries()) expect(mixed[i]).toBeCloseTo(value, 6);

        const ragged = withoutFirstMember(silent);
        const answers = discriminantAnswers(ragged, taught(silent));
        expect(answers.length).toBe(ragged.records * classes);
        expect(answers.every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it("hardly believes in a class that nobody answers", () => {
    const { set } = generateSet(400, 3, [{ skill: 2 }, { skill: 2 }], 5);
    const outputs = set.outputs.map((value, i) => (i % 3 === 2 ? Math.min(value, -9) : value));
    const never = { ...set, outputs };
    const answers = discriminantAnswers(never, taught(never));
    for (let r = 0; r < 400; r++) {
      expect(answers[r * 3 + 2]!).toBeLessThan(Math.max(answers[r * 3]!, answers[r * 3 + 1]!));
    }
  });

  it("is none where it could not be taught: few records, one member, values, or more features than records bear", () => {
    const two = [{ skill: 1 }, { skill: 1 }];
    expect(taught(generateSet(99, 3, two, 6).set)).toBeNull();
    expect(taught(generateSet(100, 3, two, 6).set)).not.toBeNull();
    expect(taught(generateSet(200, 3, [{ skill: 1 }], 7).set)).toBeNull();
    expect(taught(generateSet(200, 129, two, 8).set)).toBeNull();
    const values = two.map(() => ({ outputs: Float64Array.from({ length: 400 }, (_, i) => i) }));
    expect(fitDiscriminant(fromMembers(values, 200, 2, "values"), new Float64Array(400))).toBeNull();
    const { set } = generateSet(50, 3, two, 9);
    expect(discriminantAnswers(set, null)).toEqual(new Float64Array(150));
  });
});

/** Every second record loses its first segment. */
function withoutFirstMember(set: AggregationSet): AggregationSet {
  const kept = [...set.member.keys()].filter((s) => s % 6 !== 0);
  const offsets = [0];
  for (let r = 0; r < set.records; r++) offsets.push(offsets[r]! + (r % 2 === 0 ? 2 : 3));
  const rows = (values: Float64Array, width: number) =>
    Float64Array.from(kept.flatMap((s) => [...values.subarray(s * width, (s + 1) * width)]));
  return {
    ...set,
    offsets: Int32Array.from(offsets),
    outputs: rows(set.outputs, set.classes),
    member: Int32Array.from(kept, (s) => set.member[s]!),
    position: rows(set.position, 2),
    coverage: rows(set.coverage, 1),
    precisionClass: Uint8Array.from(kept, (s) => set.precisionClass[s]!),
  };
}
