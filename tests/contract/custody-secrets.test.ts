/**
 * In the submitter's custody the coordinator never has the secret key or a plain value: its disk (database and log of writes included) and the
 * memory of its process are searched for both, while a job is worked on and after it. Positive control: the same search finds them in the
 * same process when the key is in the coordinator's custody.
 */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { type FluxHome, keysOf, startFlux } from "#tests/support/flux-command.ts";
import { freePort, type KillableCoordinator, startKillable } from "#tests/support/killable-coordinator.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";
import { type Patterns, scanFolder, scanMemory } from "#tests/support/scan.ts";
import { FEATURES, npyFloat32, smallModel, smallRecords } from "#tests/support/small-model.ts";

const RECORDS = 700;
/** Residues of the key that are looked for, from its middle. */
const KEY_WORDS = 16;
const KEY_HEADER_BYTES = 88;

/** Values that nothing else holds, side by side in one record. */
function markers(seed: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 4 }, (_, i) => Math.fround(0.5 + 0.1 * Math.sin(seed + i)));
}

/** Marked records as bytes that a program may hold them in. */
function dataPatterns(values: Float32Array<ArrayBuffer>): Patterns {
  const decimals = (value: number) => new TextEncoder().encode(value.toFixed(12).slice(0, 11));
  return {
    "record as float32": new Uint8Array(values.buffer),
    "record as float64": new Uint8Array(Float64Array.from(values).buffer),
    "value as text": decimals(values[0] ?? 0),
  };
}

/** The key as its file holds it (64-bit words), and as code may (32-bit residues). */
function keyPatterns(file: Uint8Array): Patterns {
  const middle = KEY_HEADER_BYTES + 8 * Math.floor((file.length - KEY_HEADER_BYTES) / 16);
  const words = file.slice(middle, middle + 8 * KEY_WORDS);
  const view = new DataView(words.buffer);
  const residues = Uint32Array.from({ length: KEY_WORDS }, (_, i) => view.getUint32(8 * i, true));
  return { "key as its file": words, "key as residues": new Uint8Array(residues.buffer) };
}

function markedRecords(seed: number): Float32Array<ArrayBuffer> {
  const records = smallRecords(RECORDS);
  records.set(markers(seed), 123 * FEATURES + 8);
  return records;
}

describe.skipIf(!existsSync("/proc/self/mem"))("what the coordinator holds", () => {
  let folder: string;
  let data: string;
  let server: KillableCoordinator;
  let client: FluxClient;
  let key: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flux-secrets-"));
    data = join(folder, "coordinator");
    server = await startKillable(data, await freePort());
    key = server.started.firstKey ?? "";
    client = new FluxClient({ url: server.started.url, apiKey: key });
    await writeFile(join(folder, "small.onnx"), smallModel().bytes);
  });
  afterAll(async () => {
    server.child.kill("SIGTERM");
    await once(server.child, "exit");
    await rm(folder, { recursive: true, force: true });
  });

  const memory = (patterns: Patterns) => scanMemory(server.child.pid ?? 0, patterns);

  it("of a job in its submitter's custody: neither key nor record, on disk or in memory", async () => {
    const { url } = server.started;
    await writeFile(join(folder, "records.npy"), npyFloat32(markedRecords(1), [RECORDS, FEATURES]));
    const home: FluxHome = { folder, home: join(folder, "home"), url, apiKey: key };
    const submitting = startFlux(home, ["submit", "small.onnx", "records.npy", "-o", "out.csv"]);
    const job = await uploaded();
    const [keyFile] = readdirSync(keysOf(home)).filter((name) => name.startsWith(job));
    const patterns = {
      ...dataPatterns(markers(1)),
      ...keyPatterns(readFileSync(join(keysOf(home), keyFile ?? ""))),
      // So that the search itself is known to work here and now.
      "the job's id": new TextEncoder().encode(job),
    };
    expect(scanFolder(data, patterns)).toEqual(["the job's id"]);
    const during = memory(patterns);
    expect(during.found).toEqual(["the job's id"]);
    expect(during.bytes).toBeGreaterThan(50e6);

    const donor = await startNodeDonor({ url });
    const { code, err } = await submitting.ended;
    await donor.stop();
    expect(code, err).toBe(0);
    expect(scanFolder(data, patterns)).toEqual(["the job's id"]);
    expect(memory(patterns).found).toEqual(["the job's id"]);
    // The submitter's own machine has them, of course.
    expect(scanFolder(home.home, patterns)).toContain("key as its file");
  });

  it("of a job in its own custody: both, on disk and in memory, so the search is able to find them", async () => {
    // Kept connections ended while this thread searched; the first call over one of them says so.
    await until(() =>
      client.listJobs().then(
        () => true,
        () => false,
      ),
    );
    const npy = npyFloat32(markedRecords(2), [RECORDS, FEATURES]);
    const modelFile = await client.uploadFile(new Blob([smallModel().bytes]), "small.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const dataFile = await client.uploadFile(new Blob([npy]), "records.npy", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id });
    const job = await client.createJob({ model: model.id, dataset: dataset.id });
    const keys = join(data, "keys");
    await until(() => existsSync(keys) && readdirSync(keys).some((name) => name.startsWith(job.id)));
    const keyFile = readdirSync(keys).find((name) => name.startsWith(job.id)) ?? "";
    const patterns = { ...dataPatterns(markers(2)), ...keyPatterns(readFileSync(join(keys, keyFile))) };
    expect(scanFolder(data, patterns)).toEqual(expect.arrayContaining(["key as its file", "record as float32"]));
    // The threads that encrypt come and go: what they held is looked for while they are at it.
    const seen = new Set<string>();
    await until(() => {
      for (const name of memory(patterns).found) seen.add(name);
      return [...seen].some((name) => name.startsWith("key")) && [...seen].some((name) => name.startsWith("record"));
    });
    await client.cancelJob(job.id);
  });

  /** The sealed job whose first batch donors may have. */
  async function uploaded(): Promise<JobId> {
    let found: JobId | undefined;
    await until(async () => {
      const { data: jobs } = await client.listJobs();
      const job = jobs.find(({ custody }) => custody === "submitter");
      if (!job) return false;
      found = job.id;
      const response = await fetch(`${server.started.url}/api/v1/jobs/${job.id}/batches`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      // While the job is still being made: a conflict.
      return (await response.text()).includes('"computing"');
    });
    if (!found) throw new Error("no sealed job came");
    return found;
  }
});

/** Looks again and again: what it waits for happens in other processes. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error("what was waited for did not happen within two minutes");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
