/** Jobs whose keys stay with their submitters, through the command line: real HTTP, real donor sockets, real encryption. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { evaluate } from "#lib/model/evaluate.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { everyLie } from "#tests/support/lies.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "#tests/support/small-model.ts";

const FLUX = join(import.meta.dirname, "../../lib/client/cli/flux.js");
/** Several batches of the rings that the planner chooses for this model. */
const RECORDS = 5_000;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });

let coordinator: TestCoordinator;
let folder: string;
const records = smallRecords(RECORDS);
const donors: NodeDonor[] = [];

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  folder = await mkdtemp(join(tmpdir(), "flux-custody-"));
  await writeFile(join(folder, "small.onnx"), smallModel().bytes);
  await writeFile(join(folder, "records.npy"), npyFloat32(records, [RECORDS, FEATURES]));
});
afterEach(async () => {
  for (const donor of donors.splice(0)) await donor.stop();
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

function environment(home: string) {
  return {
    NODE_ENV: "test" as const,
    PATH: process.env.PATH ?? "",
    XDG_CONFIG_HOME: join(folder, home, "config"),
    XDG_STATE_HOME: join(folder, home, "state"),
    FLUX_URL: coordinator.url,
    FLUX_KEY: coordinator.key,
  };
}

async function flux(home: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [FLUX, ...args], {
      env: environment(home),
      cwd: folder,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    if (!(error instanceof Error) || !("stdout" in error) || !("stderr" in error)) throw error;
    return { code: 1, out: String(error.stdout), err: String(error.stderr) };
  }
}

async function largestError(file: string): Promise<number> {
  const rows = (await readFile(join(folder, file), "utf8"))
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

describe("npx flux submit, the key staying here", () => {
  it("is the default for encrypted jobs, gives the plain model's answers, and the coordinator never had a key or a record", async () => {
    const { url, dataFolder, client } = coordinator;
    donors.push(await startNodeDonor({ url }), await startNodeDonor({ url }));
    const { code, out, err } = await flux("a", "submit", "small.onnx", "records.npy", "-o", "a.jsonl", "--json");
    expect(code, err).toBe(0);
    const job = await client.job(JSON.parse(out).id);
    expect(job).toMatchObject({ status: "completed", custody: "submitter", dataset: null, error: null });
    const plan = job.plan?.privacy === "encrypted" ? job.plan : undefined;
    expect(plan).toMatchObject({ custody: "submitter", records: RECORDS });
    expect(plan?.batches).toBeGreaterThan(1);
    expect(await largestError("a.jsonl")).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));
    expect(job.report).toMatchObject({ alarms: 0, fidelity: { records: 32 * (plan?.batches ?? 0) } });
    expect(job.report?.fidelity?.same_answer_rate).toBeGreaterThanOrEqual(0.95);
    expect(job.report?.audits.lanes).toBe(job.counts.audits);
    expect(job.report?.audits.cpu_seconds).toBeGreaterThan(0);

    await coordinator.settled();
    expect(await readdir(join(dataFolder, "keys"))).toEqual([]);
    expect(existsSync(join(dataFolder, "objects", "named", "encrypted", job.id))).toBe(false);
    expect(await (await coordinator.call("/datasets")).json()).toMatchObject({ data: [] });
    const keys = join(folder, "a", "config", "flux", "keys");
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    expect((await stat(join(keys, `${job.id}.0.key`))).mode & 0o777).toBe(0o600);

    const again = await flux("a", "results", job.id, "-o", "again.jsonl");
    expect(again).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "again.jsonl"), "utf8")).toBe(await readFile(join(folder, "a.jsonl"), "utf8"));
    const elsewhere = await flux("b", "results", job.id, "-o", "b.jsonl");
    expect(elsewhere).toMatchObject({ code: 1, err: expect.stringMatching(/key of job_.* is not on this machine/) });
    const download = await coordinator.call(`/jobs/${job.id}/results`);
    expect(await download.json()).toMatchObject({ code: "conflict", detail: expect.stringContaining("flux results") });
  }, 240_000);

  it("is forgotten by this machine when it has ended and its owner says yes, and not before", async () => {
    const left = async () => [
      ...(await readdir(join(folder, "mo", "config", "flux", "keys")).catch(() => [])),
      ...(await readdir(join(folder, "mo", "state", "flux", "jobs")).catch(() => [])),
    ];
    const submitted = await flux("mo", "submit", "small.onnx", "records.npy", "--no-watch");
    expect(submitted.code, submitted.err).toBe(0);
    const job = submitted.out.trim();
    expect(await flux("mo", "forget", job, "--yes")).toMatchObject({ code: 1, err: expect.stringContaining("cancel") });
    expect((await flux("mo", "cancel", job)).code).toBe(0);
    expect(await flux("mo", "forget", job)).toMatchObject({ code: 1, err: expect.stringContaining("--yes") });
    expect((await left()).length).toBeGreaterThan(0);
    const forgotten = await flux("mo", "forget", job, "--yes");
    expect(forgotten.code, forgotten.err).toBe(0);
    expect(await left()).toEqual([]);
    expect(await flux("mo", "forget", job, "--yes")).toMatchObject({
      code: 1,
      err: expect.stringContaining("Nothing"),
    });
  });

  it("gives right results although most donors lie: noise is told, recomputed, and done anew under a new key", async () => {
    const { url, client } = coordinator;
    for (const { falsify } of everyLie()) {
      donors.push(await startNodeDonor({ url, falsify, int8MacsPerSecond: 2e6 }));
    }
    for (let honest = 0; honest < 2; honest++) donors.push(await startNodeDonor({ url, int8MacsPerSecond: 2e6 }));
    const { code, out, err } = await flux("c", "submit", "small.onnx", "records.npy", "-o", "c.jsonl", "--json");
    expect(code, err).toBe(0);
    const job = await client.job(JSON.parse(out).id);
    const plan = job.plan?.privacy === "encrypted" ? job.plan : undefined;
    expect(await largestError("c.jsonl")).toBeLessThanOrEqual(3 * (plan?.fidelity.largest_error ?? 0));
    const keys = (await readdir(join(folder, "c", "config", "flux", "keys"))).filter((name) => name.startsWith(job.id));
    expect(keys.length).toBeGreaterThanOrEqual(job.report?.alarms ? 2 : 1);
  }, 240_000);
});
