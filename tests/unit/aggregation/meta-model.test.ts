import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type AggregationSet, fromMembers, selectRecords } from "#lib/aggregation/aggregation-set.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import {
  applyMetaModel,
  HIDDEN,
  layoutOf,
  lossAndGradient,
  type MetaModel,
  type PreparedSet,
  prepareSet,
  SHARED_PARAMETERS,
} from "#lib/aggregation/meta-model.ts";
import { normal, seeded } from "#lib/aggregation/random.ts";
import { FEATURE_COUNT } from "#lib/aggregation/segment-features.ts";
import { reduceSimple } from "#lib/aggregation/simple-reducers.ts";
import { generateSet } from "./sets.ts";

function randomModel(set: AggregationSet, seed: number): MetaModel {
  const random = seeded(seed);
  const { total } = layoutOf(set.members, set.classes);
  const parameters = Float64Array.from({ length: total }, () => 0.5 * normal(random));
  return { task: set.task, members: set.members, classes: set.classes, parameters };
}

describe("meta-model", () => {
  beforeAll(async () => {
    await tf.setBackend("cpu");
  });

  it("is the mean when weights are even, the pool is linear and nothing is calibrated", () => {
    const { set } = generateSet(50, 4, [{ skill: 1 }, { skill: 2 }, { skill: 0 }], 3);
    const parameters = new Float64Array(layoutOf(3, 4).total);
    parameters[layoutOf(3, 4).mix] = -40;
    const { outputs } = applyMetaModel({ task: "classification", members: 3, classes: 4, parameters }, set);
    const mean = reduceSimple(set, "mean");
    for (let i = 0; i < mean.length; i++) expect(outputs[i]).toBeCloseTo(mean[i]!, 9);
  });

  it("gives distributions, and weights that sum to one per record", () => {
    const { set } = generateSet(20, 5, [{ skill: 1 }, { skill: 1 }], 4);
    const { outputs, weights } = applyMetaModel(randomModel(set, 5), set);
    for (let r = 0; r < set.records; r++) {
      const row = outputs.subarray(r * 5, r * 5 + 5);
      expect(row.reduce((sum, x) => sum + Math.exp(x), 0)).toBeCloseTo(1, 9);
      expect(weights[r * 2]! + weights[r * 2 + 1]!).toBeCloseTo(1, 9);
    }
  });

  it("does not depend on the order of a record's segments", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (seed) => {
        const random = seeded(seed);
        const rows = [0, 1, 2].map(() => Float64Array.from({ length: 3 }, () => normal(random)));
        const order = [2, 0, 1];
        const make = (permutation: number[]) => {
          const set = fromMembers(
            permutation.map((m) => ({ outputs: rows[m]! })),
            1,
            3,
            "logits",
          );
          return { ...set, member: Int32Array.from(permutation) };
        };
        const model = randomModel(make([0, 1, 2]), seed + 1);
        const a = applyMetaModel(model, make([0, 1, 2])).outputs;
        const b = applyMetaModel(model, make(order)).outputs;
        for (let c = 0; c < 3; c++) expect(a[c]).toBeCloseTo(b[c]!, 9);
      }),
      { numRuns: 50 },
    );
  });

  it("takes records with different numbers of segments", () => {
    const { set } = generateSet(4, 3, [{ skill: 1 }, { skill: 1 }, { skill: 1 }], 6);
    const keep = [0, 1, 2, 3, 6, 9, 10, 11];
    const ragged: AggregationSet = {
      ...set,
      offsets: Int32Array.from([0, 3, 4, 5, 8]),
      outputs: Float64Array.from(keep.flatMap((s) => [...set.outputs.subarray(s * 3, s * 3 + 3)])),
      member: Int32Array.from(keep, (s) => set.member[s]!),
      position: new Float64Array(16),
      coverage: new Float64Array(8).fill(1),
      precisionClass: new Uint8Array(8).fill(1),
    };
    const model = randomModel(set, 7);
    const { outputs } = applyMetaModel(model, ragged);
    const full = applyMetaModel(model, set).outputs;
    expect(outputs.subarray(0, 3)).toEqual(full.subarray(0, 3));
    expect(outputs.subarray(9, 12)).toEqual(full.subarray(9, 12));
    expect(applyMetaModel(model, selectRecords(ragged, [3, 0])).outputs.subarray(3)).toEqual(full.subarray(0, 3));
  });

  it("has the gradient that automatic differentiation finds (tfjs)", () => {
    const { set: whole, labels } = generateSet(120, 4, [{ skill: 1 }, { skill: 2 }, { skill: 0 }], 8);
    const set = selectRecords(
      withOwnProfile(whole, labels.subarray(0, 40)),
      Int32Array.from({ length: 12 }, (_, i) => i),
    );
    const model = randomModel(set, 9);
    const prepared = prepareSet(set);
    expect(prepared.discriminant.some((value) => value !== 0)).toBe(true);
    expect(prepared.balance.some((value) => value !== 0)).toBe(true);
    const gradient = new Float64Array(model.parameters.length);
    const loss = lossAndGradient(model, prepared, labels.subarray(0, 12), gradient);

    const [tfLoss, tfGradient] = tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads((theta: tf.Tensor) =>
        lossWithTfjs(theta, set, prepared, labels.subarray(0, 12)),
      )([tf.tensor1d(Float32Array.from(model.parameters))]);
      return [value.dataSync()[0]!, grads[0]!.dataSync()];
    });
    expect(loss).toBeCloseTo(tfLoss, 5);
    for (let i = 0; i < gradient.length; i++) expect(gradient[i]).toBeCloseTo(tfGradient[i]!, 4);
  });

  it("has the gradient that finite differences find, for regression too", () => {
    const random = seeded(10);
    const values = [0, 1, 2].map(() => ({ outputs: Float64Array.from({ length: 20 }, () => normal(random)) }));
    const set = fromMembers(values, 10, 2, "values");
    const targets = Float64Array.from({ length: 20 }, () => normal(random));
    const model = randomModel(set, 11);
    const prepared = prepareSet(set);
    const gradient = new Float64Array(model.parameters.length);
    lossAndGradient(model, prepared, targets, gradient);
    const scratch = new Float64Array(gradient.length);
    for (let i = 0; i < gradient.length; i++) {
      const at = (delta: number) => {
        const parameters = model.parameters.slice();
        parameters[i]! += delta;
        return lossAndGradient({ ...model, parameters }, prepared, targets, scratch);
      };
      expect(gradient[i]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 6);
    }
  });

  it("keeps what transfers apart from what belongs to one job", () => {
    expect(layoutOf(7, 10).trust).toBe(SHARED_PARAMETERS);
    expect(layoutOf(2, 3).trust).toBe(SHARED_PARAMETERS);
  });
});

/** The same model written with tfjs operators, for equal segment counts. */
function lossWithTfjs(
  theta: tf.Tensor,
  set: AggregationSet,
  { features, discriminant, balance }: PreparedSet,
  labels: Float64Array,
): tf.Scalar {
  const at = layoutOf(set.members, set.classes);
  const perRecord = set.member.length / set.records;
  const part = (start: number, shape: number[]) =>
    tf.reshape(tf.slice(theta, [start], [shape.reduce((a, b) => a * b, 1)]), shape);
  const oneHot = (indices: ArrayLike<number>, depth: number) =>
    tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(indices), "int32"), depth), "float32");

  const inputs = tf.tensor2d(Float32Array.from(features), [set.member.length, FEATURE_COUNT]);
  const hidden = tf.tanh(tf.add(tf.matMul(inputs, part(at.w1, [FEATURE_COUNT, HIDDEN])), part(at.b1, [HIDDEN])));
  const trust = tf.matMul(oneHot(set.member, set.members), part(at.trust, [set.members, 1]));
  const scores = tf.add(tf.matMul(hidden, part(at.w2, [HIDDEN, 1])), trust);
  const weights = tf.reshape(tf.softmax(tf.reshape(scores, [set.records, perRecord])), [set.records, perRecord, 1]);
  const logs = tf.tensor3d(Float32Array.from(set.outputs), [set.records, perRecord, set.classes]);
  const geometric = tf.sum(tf.mul(weights, logs), 1);
  const arithmetic = tf.log(tf.sum(tf.mul(weights, tf.exp(logs)), 1));
  const lambda = tf.sigmoid(part(at.mix, [1]));
  const pooled = tf.add(tf.mul(lambda, geometric), tf.mul(tf.sub(1, lambda), arithmetic));
  const { classes, members } = set;
  const rows = tf.reshape(tf.exp(logs), [set.member.length, 1, classes]);
  const maps = tf.gather(
    part(at.evidence, [members, classes, classes]),
    tf.tensor1d(Int32Array.from(set.member), "int32"),
  );
  const evidence = tf.sum(tf.reshape(tf.matMul(rows, maps), [set.records, perRecord, classes]), 1);
  const calibrated = tf.add(tf.mul(tf.exp(part(at.logTau, [1])), pooled), part(at.bias, [classes]));
  const balanced = tf.mul(part(at.balance, [1]), tf.tensor1d(Float32Array.from(balance)));
  const opinion = tf.tensor2d(Float32Array.from(discriminant), [set.records, set.classes]);
  const second = tf.mul(part(at.kappa, [1]), opinion);
  const answer = tf.logSoftmax(tf.addN([calibrated, evidence, second, tf.broadcastTo(balanced, calibrated.shape)]));
  return tf.neg(tf.mean(tf.sum(tf.mul(oneHot(labels, set.classes), answer), 1)));
}
