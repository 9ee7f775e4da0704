/**
 * The coordinator is killed (SIGKILL) while it encrypts, while donors compute, and while it decrypts. The job completes with the
 * right answers, and no mask seed is ever used for a second batch.
 */
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { FluxClient } from "#lib/client/flux-client.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { freePort, keepDonating, killAndRestart, startKillable } from "#tests/support/killable-coordinator.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "#tests/support/small-model.ts";

/** Several batches of every ring that the planner may choose below N = 8192. */
const RECORDS = 9_000;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });
const Seed = z.object({ seed: z.string(), object: z.string() });

describe("a coordinator that is killed in the middle of an encrypted job", () => {
  let folder: string;
  let port: number;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flux-encrypted-kill-"));
    port = await freePort();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("completes it with right answers and never reuses a mask seed", { timeout: 400_000 }, async () => {
    let server = await startKillable(folder, port);
    const { url, firstKey } = server.started;
    const client = new FluxClient({ url, apiKey: firstKey ?? "" });
    const records = smallRecords(RECORDS);
    const modelFile = await client.uploadFile(new Blob([smallModel().bytes]), "small.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const npy = npyFloat32(records, [RECORDS, FEATURES]);
    const dataFile = await client.uploadFile(new Blob([npy]), "records.npy", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id });
    const job = await client.createJob({ model: model.id, dataset: dataset.id });
    const plan = job.plan?.privacy === "encrypted" ? job.plan : undefined;
    expect(plan?.batches).toBeGreaterThan(1);

    // Encrypting: an unfinished object is there.
    const unfinished = join(folder, "objects", "tmp");
    await until(async () => existsSync(unfinished) && readdirSync(unfinished).length > 0);
    server = await killAndRestart(server, folder, port);

    // Dispatching: some lanes have results, others not.
    let working = true;
    const accepted = Promise.withResolvers<void>();
    const donor = { url, int8MacsPerSecond: 4e6, wantMs: 200, onAccepted: () => accepted.resolve() };
    const donors = [0, 1].map(() => keepDonating(donor, () => working));
    await accepted.promise;
    server = await killAndRestart(server, folder, port);

    // Decrypting: the first batch is complete, the job is not.
    await until(async () => completedBatches(folder) > 0);
    server = await killAndRestart(server, folder, port);

    const done = await client.waitForJob(job.id, { pollMs: 200 });
    const error = await largestError(client, done, records);
    working = false;
    server.child.kill("SIGTERM");
    await Promise.all([once(server.child, "exit"), ...donors]);

    expect(done).toMatchObject({ status: "completed", error: null });
    expect(error).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));
    const seeds = usedSeeds(folder);
    expect(seeds.length).toBeGreaterThanOrEqual(plan?.batches ?? 0);
    expect(new Set(seeds.map(({ seed }) => seed)).size).toBe(seeds.length);
    expect(new Set(seeds.map(({ object }) => object)).size).toBe(seeds.length);
  });
});

async function largestError(client: FluxClient, job: JobResource, records: Float32Array): Promise<number> {
  const text = await (await client.results(job.id, "jsonl")).text();
  const rows = text
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  const inputs = new Map([["x", Float64Array.from(records)]]);
  const expected = evaluate(smallModel().graph, { records: RECORDS, inputs }).get("logits")!.data;
  return rows
    .flatMap(({ outputs }) => outputs.logits)
    .reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}

/** What is on disk, read beside the running coordinator. */
function query(folder: string, sql: string): unknown[] {
  const database = new Database(join(folder, "flux.sqlite"), { readonly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

function completedBatches(folder: string): number {
  return query(folder, "select batch from batches where state <> 'open'").length;
}

function usedSeeds(folder: string): z.infer<typeof Seed>[] {
  return query(folder, "select seed, object_name as object from mask_seeds").map((row) => Seed.parse(row));
}

/** Looks again and again: what it waits for happens in another process. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 120_000;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadlineMs) throw new Error("what was waited for did not happen within two minutes");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
