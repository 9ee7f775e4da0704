/** A public job from upload to downloaded results, over real HTTP and a real donor socket. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as ort from "onnxruntime-web/wasm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { SHARED_DATA, startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";

const MNIST = join(SHARED_DATA, "mnist");
const RECORDS = 2_000;
const PIXELS = 28 * 28;
const NPY_HEADER = 128;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(10) }) });

describe.skipIf(!existsSync(MNIST))("a public job on real digits (skipped where ../shared/data is absent)", () => {
  let coordinator: TestCoordinator;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
  });
  afterAll(() => coordinator.close());

  it("gives every record the output of onnxruntime run locally, in order", async () => {
    const { client, url } = coordinator;
    const modelBytes = await readFile(join(MNIST, "mnist-relu-mlp.onnx"));
    const pixels = (await readFile(join(MNIST, "images.npy"))).subarray(NPY_HEADER, NPY_HEADER + RECORDS * PIXELS);

    const modelFile = await client.uploadFile(new Blob([modelBytes]), "mlp.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const dataFile = await client.uploadFile(new Blob([npy(pixels, [RECORDS, 28, 28])]), "digits.npy", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id, scale: 1 / 255 });
    expect(dataset.records).toBe(RECORDS);

    const plan = await client.planJob({ model: model.id, dataset: dataset.id, privacy: "public" });
    expect(plan.plan).toMatchObject({ privacy: "public", records: RECORDS, bytes_per_record_down: PIXELS });

    const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });
    expect(job).toMatchObject({ status: "queued", counts: { units: RECORDS, units_accepted: 0 } });
    expect(job.why).toMatch(/none is online/);

    const donors = [await startNodeDonor({ url }), await startNodeDonor({ url })];
    const done = await client.waitForJob(job.id, { pollMs: 50 });
    await Promise.all(donors.map((donor) => donor.stop()));
    expect(done).toMatchObject({ status: "completed", error: null, counts: { units_accepted: RECORDS } });

    const expected = await runLocally(modelBytes, pixels);
    const text = await (await client.results(job.id, "jsonl")).text();
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => Row.parse(JSON.parse(line)));
    expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: RECORDS }, (_, index) => index));
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const differences = rows.flatMap(({ outputs }, row) =>
      outputs.logits.map((value, column) => Math.abs(value - expected[row * 10 + column]!)),
    );
    expect(differences).toHaveLength(RECORDS * 10);
    expect(Math.max(...differences) / largest).toBeLessThan(1e-4);

    for (const format of ["json", "csv", "npy", "parquet"] as const) {
      const response = await client.results(job.id, format);
      expect(response.headers.get("content-disposition")).toContain(job.id);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(RECORDS * 10);
    }
  });
});

async function runLocally(model: Uint8Array, pixels: Uint8Array): Promise<Float32Array> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(model);
  const input = Float32Array.from(pixels, (value) => value * (1 / 255));
  const results = await session.run({ input: new ort.Tensor("float32", input, [RECORDS, 1, 28, 28]) });
  return results.logits!.data as Float32Array;
}

/** NPY 1.0: magic, version, header length, a Python literal padded to 64 bytes, then the values. */
function npy(bytes: Uint8Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const header = literal.padEnd(NPY_HEADER - 10 - 1).concat("\n");
  const file = new Uint8Array(NPY_HEADER + bytes.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, NPY_HEADER - 10, 0]);
  file.set(new TextEncoder().encode(header), 10);
  file.set(bytes, NPY_HEADER);
  return file;
}
