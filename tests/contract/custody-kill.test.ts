/**
 * A job in its submitter's custody whose client is killed (SIGKILL) while it encrypts, and whose coordinator is killed while batches
 * are uploaded, while donors compute, and while results are fetched. `flux resume` takes it up, the coordinator's restarts are waited
 * out, results are right, and no mask seed is ever used for a second batch.
 */
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { FluxClient } from "#lib/client/flux-client.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { type FluxHome, jobsOf, keysOf, startFlux } from "#tests/support/flux-command.ts";
import { freePort, keepDonating, killAndRestart, startKillable } from "#tests/support/killable-coordinator.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "#tests/support/small-model.ts";

const RECORDS = 9_000;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });
const Seed = z.object({ seed: z.string(), object: z.string() });

describe("client and coordinator that are killed in the middle of a sealed job", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flux-custody-kill-"));
    await writeFile(join(folder, "small.onnx"), smallModel().bytes);
    await writeFile(join(folder, "records.npy"), npyFloat32(smallRecords(RECORDS), [RECORDS, FEATURES]));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("lose nothing, repeat no seed, and end with right answers", { timeout: 400_000 }, async () => {
    const data = join(folder, "coordinator");
    const port = await freePort();
    let server = await startKillable(data, port);
    const { url, firstKey } = server.started;
    const client = new FluxClient({ url, apiKey: firstKey ?? "" });
    const home: FluxHome = { folder, home: join(folder, "home"), url, apiKey: firstKey ?? "" };
    const keys = keysOf(home);

    // The client encrypts: its key is there, its first batch is not out.
    const first = startFlux(home, ["submit", "small.onnx", "records.npy", "-o", "out.jsonl"]);
    await until(() => existsSync(keys) && readdirSync(keys).length > 0);
    first.child.kill("SIGKILL");
    await first.ended;
    const job = JobId.parse(readdirSync(keys)[0]?.split(".")[0]);
    expect((await client.job(job)).counts.units_accepted).toBe(0);
    const second = startFlux(home, ["resume", job, "-o", "out.jsonl"]);

    // Uploading: the first batch's seed is written down before its first byte is taken, and stays.
    await until(() => usedSeeds(data).length > 0);
    server = await killAndRestart(server, data, port);

    // Dispatching: some lanes have results, others not.
    let working = true;
    const donors = [0, 1].map(() => keepDonating({ url, int8MacsPerSecond: 4e6, wantMs: 200 }, () => working));
    await until(async () => (await client.job(job)).counts.units_accepted > 0);
    server = await killAndRestart(server, data, port);

    // Fetching: the client writes the first outputs, before it has confirmed them.
    const kept = join(jobsOf(home), job);
    await until(() => existsSync(kept) && readdirSync(kept).some((name) => name.startsWith("outputs")));
    server = await killAndRestart(server, data, port);

    const { code, err } = await second.ended;
    const done = await client.job(job);
    working = false;
    server.child.kill("SIGTERM");
    await Promise.all([once(server.child, "exit"), ...donors]);
    expect(code, err).toBe(0);
    expect(done).toMatchObject({ status: "completed", error: null });
    const plan = done.plan?.privacy === "encrypted" ? done.plan : undefined;
    expect(plan?.batches).toBeGreaterThan(1);
    expect(await largestError(join(folder, "out.jsonl"))).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));
    const seeds = usedSeeds(data);
    expect(seeds.length).toBeGreaterThanOrEqual(plan?.batches ?? 0);
    expect(new Set(seeds.map(({ seed }) => seed)).size).toBe(seeds.length);
    expect(new Set(seeds.map(({ object }) => object)).size).toBe(seeds.length);
  });
});

async function largestError(path: string): Promise<number> {
  const rows = (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  const inputs = new Map([["x", Float64Array.from(smallRecords(RECORDS))]]);
  const expected = evaluate(smallModel().graph, { records: RECORDS, inputs }).get("logits")!.data;
  return rows
    .flatMap(({ outputs }) => outputs.logits)
    .reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}

function usedSeeds(data: string): z.infer<typeof Seed>[] {
  const database = new Database(join(data, "flux.sqlite"), { readonly: true });
  try {
    const rows = database.prepare("select seed, object_name as object from mask_seeds").all();
    return rows.map((row) => Seed.parse(row));
  } finally {
    database.close();
  }
}

/** Looks again and again: what it waits for happens in other processes. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 120_000;
  while (
    !(await (async () => {
      try {
        return await holds();
      } catch {
        return false;
      }
    })())
  ) {
    if (Date.now() > deadlineMs) throw new Error("what was waited for did not happen within two minutes");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
