/** Ensembles, segments, reports and feedback over REST, with donors of this process: what a submitter sees of aggregation. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { FluxClient } from "#lib/client/flux-client.ts";
import type { CreateJob } from "#lib/protocol/api/jobs.ts";
import type { DatasetId, JobId, ModelId } from "#lib/protocol/ids.ts";
import { FEEDBACK_LIMITS } from "#lib/protocol/limits.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { CLASSES, csvOf, labelledRecords, memberModel } from "#tests/support/ensemble.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";

const RECORDS = 600;
const data = labelledRecords(RECORDS, 3);
const Row = z.object({
  record: z.number(),
  outputs: z.object({ y: z.array(z.union([z.number(), z.array(z.number())])) }),
});

let coordinator: TestCoordinator;
let client: FluxClient;
let donor: NodeDonor;
let models: { good: ModelId; alsoGood: ModelId; shifted: ModelId };

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  ({ client } = coordinator);
  donor = await startNodeDonor({ url: coordinator.url });
  models = {
    good: await upload("good.onnx", memberModel(1)),
    alsoGood: await upload("also-good.onnx", memberModel(1.2)),
    shifted: await upload("shifted.onnx", memberModel(4, 1)),
  };
});
afterAll(async () => {
  await donor.stop();
  await coordinator.close();
});

async function upload(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<ModelId> {
  const file = await client.uploadFile(new Blob([bytes]), name, "model");
  return (await client.createModel({ file_id: file.id })).id;
}

async function dataset(withLabels: boolean): Promise<DatasetId> {
  const file = await client.uploadFile(new Blob([csvOf(data, withLabels)]), "records.csv", "dataset");
  const label = withLabels ? { label_column: "label" } : {};
  return (await client.createDataset({ file_id: file.id, id_column: "id", ...label })).id;
}

async function run(request: Partial<z.input<typeof CreateJob>>) {
  const job = await client.createJob({ privacy: "public", ...request });
  return client.waitForJob(job.id, { pollMs: 20 });
}

async function answers(job: JobId, version?: number): Promise<number[][]> {
  const query = version === undefined ? "" : `&version=${version}`;
  const text = await (await coordinator.call(`/jobs/${job}/results?format=jsonl${query}`)).text();
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: rows.length }, (_, i) => i));
  return rows.map(({ outputs }) => outputs.y.flat());
}

function accuracy(rows: readonly number[][], from = 0): number {
  const right = rows.slice(from).filter((row, r) => row.indexOf(Math.max(...row)) === data.labels[from + r]);
  return right.length / (rows.length - from);
}

const softmax = (logits: number[]) => {
  const powers = logits.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
};

/** What member `sureness, shift` gives for a record, as probabilities. */
function plain(record: number, sureness: number, shift: number): number[] {
  const features = data.features.subarray(record * CLASSES, (record + 1) * CLASSES);
  return softmax(Array.from({ length: CLASSES }, (_, c) => sureness * features[(c + CLASSES - shift) % CLASSES]!));
}

describe("ensembles", () => {
  it("gives the mean of the members' probabilities when asked for it", async () => {
    const job = await run({
      models: [models.good, models.shifted],
      dataset: await dataset(false),
      aggregation: "mean",
    });
    expect(job).toMatchObject({ status: "completed", error: null });
    expect(job.aggregation).toMatchObject({ version: 1, report: { reducer: "mean", members: 2, labels: 0 } });
    const rows = await answers(job.id);
    for (const record of [0, 17, RECORDS - 1]) {
      const [a, b] = [plain(record, 1, 0), plain(record, 4, 1)];
      for (let c = 0; c < CLASSES; c++) expect(rows[record]![c]).toBeCloseTo((a[c]! + b[c]!) / 2, 4);
    }
  });

  it("learns from the label column that a member is wrong, and says so in words, intervals and a reliability plot", async () => {
    const all = [models.good, models.alsoGood, models.shifted];
    const job = await run({ models: all, dataset: await dataset(true) });
    const report = job.aggregation!.report;
    expect(report).toMatchObject({ task: "classification", reducer: "learned", members: 3, labels: RECORDS, folds: 5 });
    const of = (reducer: string) => report.candidates.find((candidate) => candidate.reducer === reducer)!;
    expect(of("learned").accuracy!).toBeGreaterThan(of("mean").accuracy! + 0.05);
    expect(of("learned").accuracy_interval![0]).toBeLessThan(of("learned").accuracy!);
    expect(of("learned").reliability.reduce((sum, { records }) => sum + records, 0)).toBe(RECORDS);
    expect(report.weights.map(({ name }) => name)).toEqual(["good.onnx", "also-good.onnx", "shifted.onnx"]);
    expect(report.trust.length).toBeGreaterThan(0);
    expect(report.because).toContain("held-out");
    expect(accuracy(await answers(job.id))).toBeGreaterThan(of("mean").accuracy! + 0.05);
  });

  it("learns from a job's labels for later ones, unless its submitter says no", async () => {
    const request = { models: [models.good, models.shifted], dataset: await dataset(true) };
    const kept = async (id: JobId) =>
      (await readdir(coordinator.dataFolder, { recursive: true })).some((path) =>
        path.endsWith(join("aggregation", id)),
      );
    const secret = await run({ ...request, contribute: false });
    expect(await kept(secret.id)).toBe(false);
    const shared = await run(request);
    await expect.poll(() => kept(shared.id), { timeout: 10_000 }).toBe(true);
    expect(await kept(secret.id)).toBe(false);
    // It says what it started from: nothing, or what the jobs before it had taught by then.
    expect(shared.aggregation!.report.prior).toMatch(/^(fresh|prior-\d+)$/);
  });

  it("refuses members that answer different questions", async () => {
    const { linearModel } = await import("#tests/support/linear-model.ts");
    const other = await upload("two-answers.onnx", linearModel(new Float32Array(CLASSES * 2).fill(1), CLASSES));
    const job = client.createJob({ privacy: "public", models: [models.good, other], dataset: await dataset(false) });
    await expect(job).rejects.toMatchObject({ code: "dataset_mismatch", param: "models" });
  });
});

describe("segments", () => {
  it("runs the model on windows of every record, and averages or keeps what they give", async () => {
    const { linearModel } = await import("#tests/support/linear-model.ts");
    // Two features in, one value out: their sum.
    const sum = await upload("sum.onnx", linearModel(Float32Array.of(1, 1), 2));
    const input = await dataset(false);
    const segments = { kind: "window", length: 2, stride: 1 } as const;
    const mean = await run({ model: sum, dataset: input, segments, aggregation: "mean" });
    expect(mean.counts).toMatchObject({ records: RECORDS, units: 3 * RECORDS });
    expect(mean.aggregation!.report).toMatchObject({ task: "regression", segments_per_record: 3 });
    const each = await run({ model: sum, dataset: input, segments, aggregation: "concat" });
    const [averaged, kept] = [await answers(mean.id), await answers(each.id)];
    for (const record of [0, 1, RECORDS - 1]) {
      const f = data.features.subarray(record * CLASSES, (record + 1) * CLASSES);
      const sums = [f[0]! + f[1]!, f[1]! + f[2]!, f[2]! + f[3]!];
      for (const [i, value] of sums.entries()) expect(kept[record]![i]).toBeCloseTo(value, 4);
      expect(averaged[record]![0]).toBeCloseTo((sums[0]! + sums[1]! + sums[2]!) / 3, 4);
    }
  });

  it("says what cannot be cut", async () => {
    const segments = { kind: "window", length: 9, stride: 3 } as const;
    const job = client.createJob({ privacy: "public", model: models.good, dataset: await dataset(false), segments });
    await expect(job).rejects.toMatchObject({ code: "dataset_mismatch", param: "segments" });
  });
});

describe("feedback", () => {
  const LABELLED = 240;
  let job: JobId;

  beforeAll(async () => {
    const all = [models.good, models.alsoGood, models.shifted];
    job = (await run({ models: all, dataset: await dataset(false) })).id;
  });

  const send = (body: unknown, type = "application/json", query = "") =>
    coordinator.call(`/jobs/${job}/feedback${query}`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": type },
    });
  const label = (r: number, value = data.labels[r]!) => ({ record: `r${r}`, label: value });

  it("starts with the mean where nothing is known", async () => {
    const { aggregation } = await client.job(job);
    expect(aggregation).toMatchObject({
      version: 1,
      report: { reducer: "mean", labels: 0, prior: expect.any(String) },
    });
  });

  it("keeps ratings, which change no answer and no version", async () => {
    const answer = await send({ ratings: [{ record: "r1", score: 5, comment: "good" }] });
    expect(await answer.json()).toMatchObject({ ratings: 1, labels: 0, refit: false });
    expect((await client.aggregate(job)).aggregation).toMatchObject({ version: 1 });
  });

  it("right labels make a new version that is better on records without a label; the old one stays", async () => {
    const rows = Array.from({ length: LABELLED }, (_, r) => label(r));
    const answer = await send({ labels: rows });
    expect(await answer.json()).toMatchObject({ labels: LABELLED, labels_total: LABELLED, refit: true });
    const { aggregation } = await client.aggregate(job);
    expect(aggregation).toMatchObject({ version: 2, report: { labels: LABELLED } });
    // One good member alone is close to the best there is: which of the two is used may depend on the start that was learned so far.
    const { reducer } = aggregation!.report;
    expect(["learned", "best-single"]).toContain(reducer);
    expect(aggregation!.report.ratings).toEqual({ count: 1, mean: 5 });
    expect(aggregation!.versions.map(({ version, reducer }) => [version, reducer])).toEqual([
      [1, "mean"],
      [2, reducer],
    ]);
    const [before, after, newest] = [await answers(job, 1), await answers(job, 2), await answers(job)];
    expect(accuracy(after, LABELLED)).toBeGreaterThan(accuracy(before, LABELLED) + 0.05);
    expect(newest).toEqual(after);
    expect((await coordinator.call(`/jobs/${job}/results?version=9`)).status).toBe(404);
  });

  const WRONG = [
    ["an unknown record", { labels: [{ record: "nobody", label: 1 }] }, 404, /record nobody/],
    ["a record twice", { labels: [label(5), label(5)] }, 400, /r5 is named twice/],
    ["a contradiction", { labels: [label(3, (data.labels[3]! + 1) % CLASSES)] }, 409, /r3 is labelled .*replace/],
    ["a label that is no number", { labels: [{ record: "r7", label: "cat" }] }, 400, /"cat"/],
    ["nothing at all", {}, 400, /at least one/],
  ] as const;
  it.each(WRONG)("refuses %s, names it, and keeps nothing", async (_name, body, status, detail) => {
    const response = await send(body);
    expect(response.status).toBe(status);
    expect(z.object({ detail: z.string() }).parse(await response.json()).detail).toMatch(detail);
    expect((await client.aggregate(job)).aggregation!.version).toBe(2);
  });

  it("refuses more than a request may hold", async () => {
    const lines = "r1,1,a\n".repeat(Math.ceil(FEEDBACK_LIMITS.csvBytes / 7) + 1);
    const response = await send(`record,label,comment\n${lines}`, "text/csv");
    expect(response.status).toBe(413);
    const many = Array.from({ length: 60_000 }, (_, r) => ({ record: `r${r}`, label: 0 }));
    expect((await send({ labels: many })).status).toBe(413);
  });

  it("takes CSV, and replaces what it contradicts when told to", async () => {
    const csv = `id,label,score\nr${LABELLED},${data.labels[LABELLED]},4\nr3,${(data.labels[3]! + 1) % CLASSES},\n`;
    expect((await send(csv, "text/csv")).status).toBe(409);
    const answer = await send(csv, "text/csv", "?replace=true");
    expect(await answer.json()).toMatchObject({ labels: 2, ratings: 1, labels_total: LABELLED + 1 });
    expect((await client.aggregate(job)).aggregation!.version).toBe(3);
  });

  it("aggregates with another reducer when asked", async () => {
    const { aggregation } = await client.aggregate(job, { reducer: "vote" });
    expect(aggregation).toMatchObject({ version: 4, report: { reducer: "vote", because: "it was asked for" } });
  });
});
