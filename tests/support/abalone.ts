/**
 * The published TensorFlow.js model of the abalone data (tfjs-examples, abalone-node), fed as its authors feed it: all columns but
 * the last in file order, sex as F 0, M 1, I 2. Real data beside the repository: callers skip where it is absent.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "fflate";
import { z } from "zod";
import type { FluxClient } from "#lib/client/flux-client.ts";
import type { Preprocessing } from "#lib/protocol/datasets.ts";
import type { DatasetId, JobId, ModelId } from "#lib/protocol/ids.ts";
import { startTfjs, tf, tfl } from "#tests/unit/model/tensorflow/tfjs.ts";
import { SHARED_DATA } from "./coordinator.ts";

const FOLDER = join(SHARED_DATA, "abalone");
export const HAS_ABALONE = existsSync(FOLDER);
export const ABALONE_FEATURES = 8;

export const ABALONE_PREPROCESSING: Preprocessing = {
  version: 1,
  columns: [
    { name: "sex", encoding: { kind: "ordinal", categories: ["F", "M", "I"] } },
    { name: "rings", use: "label" },
  ],
};

const Row = z.object({ record: z.number(), outputs: z.record(z.string(), z.array(z.number()).length(1)) });

/** model.json and weights.bin as a zip. */
export async function abaloneArchive(): Promise<Uint8Array<ArrayBuffer>> {
  const [json, weights] = await Promise.all(["model.json", "weights.bin"].map((name) => readFile(join(FOLDER, name))));
  return new Uint8Array(zipSync({ "model.json": json!, "weights.bin": weights! }));
}

export async function abaloneCsv(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(join(FOLDER, "abalone.csv")));
}

export async function uploadAbalone(client: FluxClient): Promise<{ model: ModelId; dataset: DatasetId }> {
  const modelFile = await client.uploadFile(new Blob([await abaloneArchive()]), "abalone.zip", "model");
  const dataFile = await client.uploadFile(new Blob([await abaloneCsv()]), "abalone.csv", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id, preprocessing: ABALONE_PREPROCESSING });
  return { model: model.id, dataset: dataset.id };
}

/** TensorFlow.js' own answers here, in file order. */
export async function abalonePredictions(): Promise<readonly number[]> {
  const json = JSON.parse(await readFile(join(FOLDER, "model.json"), "utf8"));
  const weights = await readFile(join(FOLDER, "weights.bin"));
  const codes = new Map(["F", "M", "I"].map((sex, code) => [sex, code]));
  const rows = Buffer.from(await abaloneCsv())
    .toString()
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) =>
      line
        .split(",")
        .slice(0, ABALONE_FEATURES)
        .map((cell) => codes.get(cell) ?? Number(cell)),
    );
  await startTfjs();
  const model = await tfl.loadLayersModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0].weights,
      weightData: Uint8Array.from(weights).buffer,
    }),
  });
  const output = model.predict(tf.tensor2d(rows)) as tf.Tensor;
  return Array.from(await output.data());
}

/** The one output of every record, in order. */
export async function abaloneAnswers(client: FluxClient, job: JobId): Promise<readonly number[]> {
  const text = await (await client.results(job, "jsonl")).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => Object.values(Row.parse(JSON.parse(line)).outputs)[0]![0]!);
}

export interface Distance {
  /** Both as a share of the expected answers' range. */
  readonly largest: number;
  readonly mean: number;
  readonly range: number;
}

/** @throws RangeError where not every record has an answer */
export function distance(actual: readonly number[], expected: readonly number[]): Distance {
  if (actual.length !== expected.length)
    throw new RangeError(`${actual.length} answers for ${expected.length} records`);
  const range = Math.max(...expected) - Math.min(...expected);
  const apart = actual.map((value, record) => Math.abs(value - expected[record]!) / range);
  return { largest: Math.max(...apart), mean: apart.reduce((sum, value) => sum + value, 0) / apart.length, range };
}
