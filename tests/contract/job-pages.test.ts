/** What the job page reads besides the job: its lanes, its speed, its checks, and its records beside their answers. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { DonorsSummary } from "#lib/protocol/api/donors.ts";
import { JobRecords } from "#lib/protocol/api/job-records.ts";
import { JobWork } from "#lib/protocol/api/job-work.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { linearModel } from "#tests/support/linear-model.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";

const RECORDS = 1_000;
let coordinator: TestCoordinator;
beforeAll(async () => {
  coordinator = await startTestCoordinator();
});
afterAll(() => coordinator.close());

async function submit(): Promise<JobResource> {
  const { client } = coordinator;
  // y = 2a + b, then 3a.
  const modelFile = await client.uploadFile(new Blob([linearModel(Float32Array.of(2, 1, 3, 0), 2)]), "m.onnx", "model");
  const rows = Array.from({ length: RECORDS }, (_, i) => `r${i},${i},${i % 7},${i % 2 ? "odd" : "even"}`);
  const csv = `name,a,b,kind\n${rows.join("\n")}\n`;
  const dataFile = await client.uploadFile(new Blob([csv]), "d.csv", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id, id_column: "name", label_column: "kind" });
  return client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });
}

async function get<Answer>(path: string, schema: { parse(value: unknown): Answer }): Promise<Answer> {
  const response = await coordinator.call(path);
  expect(response.status).toBe(200);
  return schema.parse(await response.json());
}

it("shows a job's work and its records before, while and after donors compute", async () => {
  const job = await submit();
  const before = await get(`/jobs/${job.id}/work`, JobWork);
  expect(before).toMatchObject({ unit: "records", donors: { donors: 0 }, throughput: { from: null } });
  expect(before.rows.flatMap(({ accepted }) => accepted).every((share) => share === 0)).toBe(true);
  expect((await coordinator.call(`/jobs/${job.id}/records`)).status).toBe(409);

  const donor = await startNodeDonor({ url: coordinator.url });
  const done = await coordinator.client.waitForJob(job.id, { pollMs: 20 });
  const online = await get("/donors/summary", DonorsSummary);
  expect(online.online).toEqual({ donors: 1, countries: [], elsewhere: 1 });
  await donor.stop();

  const after = await get(`/jobs/${job.id}/work`, JobWork);
  expect(after.rows.flatMap(({ accepted }) => accepted).every((share) => share > 0.999)).toBe(true);
  expect(after.donors).toEqual({ donors: 1, countries: [], elsewhere: 1 });
  expect(after.runtimes).toMatchObject([{ runtime: "ort-wasm", units: RECORDS }]);
  expect(after.checks).toMatchObject({ units: RECORDS, units_recomputed: done.counts.audits, refused: [] });
  expect(after.checks.results).toBe(done.counts.microtasks_accepted);
  const { seconds_per_step, units_per_second } = after.throughput;
  const units = units_per_second.reduce((total, rate) => total + rate * seconds_per_step, 0);
  expect(units).toBeCloseTo(RECORDS, 3);

  const page = await get(`/jobs/${job.id}/records?start=3&limit=2`, JobRecords);
  expect(page).toMatchObject({ records: RECORDS, classes: ["even", "odd"] });
  expect(page.data).toMatchObject([
    { record: 3, id: "r3", label: "odd", arrays: [{ values: [3, 3] }] },
    { record: 4, id: "r4", label: "even", arrays: [{ values: [4, 4] }] },
  ]);
  expect(page.data.map(({ outputs }) => outputs[0])).toHaveLength(2);
  expect((await get(`/jobs/${job.id}/records?start=${RECORDS}`, JobRecords)).data).toEqual([]);
  expect((await coordinator.call(`/jobs/${job.id}/records?limit=51`)).status).toBe(400);
});
