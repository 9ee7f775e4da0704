/** A TensorFlow.js model from upload to downloaded results: donors return what TensorFlow.js computes here. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { SHARED_DATA, startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";
import { startTfjs, tf, tfl } from "#tests/unit/model/tensorflow/tfjs.ts";

const ABALONE = join(SHARED_DATA, "abalone");
const FEATURES = 8;
const SEXES = ["M", "F", "I"];
const Row = z.object({ record: z.number(), outputs: z.record(z.string(), z.array(z.number()).length(1)) });

describe.skipIf(!existsSync(ABALONE))(
  "a public job of a TensorFlow.js model (skipped where ../shared/data is absent)",
  () => {
    let coordinator: TestCoordinator;
    beforeAll(async () => {
      await startTfjs();
      coordinator = await startTestCoordinator();
    });
    afterAll(() => coordinator.close());

    it("is shown back, and computed by donors as TensorFlow.js computes it", async () => {
      const { client, url } = coordinator;
      const [json, weights, csv] = await Promise.all(
        ["model.json", "weights.bin", "abalone.csv"].map((name) => readFile(join(ABALONE, name))),
      );
      const archive = zipSync({ "model.json": json!, "weights.bin": weights! });
      const modelFile = await client.uploadFile(new Blob([archive]), "abalone.zip", "model");
      const model = await client.createModel({ file_id: modelFile.id });
      expect(model).toMatchObject({
        format: "tfjs-layers",
        inputs: [{ datatype: "FP32", shape: [-1, FEATURES] }],
        outputs: [{ datatype: "FP32", shape: [-1, 1] }],
        operators: [{ operator: "Dense", count: 5 }],
        encrypted: { supported: true },
      });
      // What donors run is the ONNX file written from it.
      expect(model.sha256).not.toBe(modelFile.sha256);

      const rows = csv!
        .toString()
        .trim()
        .split(/\r?\n/)
        .slice(1)
        .map((line) => line.split(","));
      const features = rows.map((row) =>
        row.slice(0, FEATURES).map((cell, i) => (i === 0 ? SEXES.indexOf(cell) : Number(cell))),
      );
      const dataFile = await client.uploadFile(new Blob([new Uint8Array(csv!)]), "abalone.csv", "dataset");
      const dataset = await client.createDataset({
        file_id: dataFile.id,
        label_column: "rings",
        preprocessing: { version: 1, columns: [{ name: "sex", encoding: { kind: "ordinal", categories: SEXES } }] },
      });
      const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });
      const donors = [await startNodeDonor({ url }), await startNodeDonor({ url })];
      const done = await client.waitForJob(job.id, { pollMs: 50 });
      await Promise.all(donors.map((donor) => donor.stop()));
      expect(done).toMatchObject({ status: "completed", error: null });

      const expected = await predict(json!, weights!, features);
      const text = await (await client.results(job.id, "jsonl")).text();
      const actual = text
        .trimEnd()
        .split("\n")
        .map((line) => Object.values(Row.parse(JSON.parse(line)).outputs)[0]![0]!);
      expect(actual).toHaveLength(rows.length);
      const range = Math.max(...expected) - Math.min(...expected);
      const worst = Math.max(...actual.map((value, row) => Math.abs(value - expected[row]!)));
      expect(worst / range).toBeLessThan(1e-5);
    });
  },
);

async function predict(
  json: Uint8Array,
  weights: Uint8Array,
  features: readonly number[][],
): Promise<readonly number[]> {
  const { modelTopology, weightsManifest } = JSON.parse(new TextDecoder().decode(json));
  const model = await tfl.loadLayersModel({
    load: async () => ({
      modelTopology,
      weightSpecs: weightsManifest[0].weights,
      weightData: Uint8Array.from(weights).buffer,
    }),
  });
  const output = model.predict(tf.tensor2d(features.map((row) => [...row]))) as tf.Tensor;
  return Array.from(await output.data());
}
