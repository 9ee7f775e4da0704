/** What the coordinator accepts of a key-holder's uploads, and what it refuses: sizes, digests, residues, seeds, and more than there is room for. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blobBytes } from "#lib/lanes/block.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { encodeProgram } from "#lib/lanes/program-codec.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { CUSTODY_LIMITS } from "#lib/protocol/limits.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { smallModel } from "#tests/support/small-model.ts";

const FEATURES = 4;
const RING = { n: 1024, primes: nttPrimes(1024, 27, 1) };
const BATCH_BYTES = blobBytes(RING, FEATURES);
const RECORDS = 2_500;
const MEASURED = {
  fidelity: { records: 10, same_answer_rate: 1, largest_error: 0, mean_error: 0 },
  key_holder_ms_per_record: 1,
  plain_model_ms_per_record: 0.01,
};

/** One dense layer 4 → 1. */
const PROGRAM: LaneProgram = {
  version: 1,
  ring: RING,
  inputs: FEATURES,
  outputs: 1,
  polysOut: 2,
  matrices: [{ k: FEATURES, m: 1, digitBits: 0, digits: [Int8Array.of(1, 2, 3, 4)] }],
  steps: [
    {
      kind: "affine",
      inputs: FEATURES,
      outputs: 1,
      groups: [{ inputIndex: Int32Array.of(0, 1, 2, 3), matrix: 0, outputIndex: Int32Array.of(0) }],
      bias: [Uint32Array.of(7)],
    },
  ],
};

let coordinator: TestCoordinator;
let job: JobResource;

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  job = await submit(encodeProgram(PROGRAM));
});
afterAll(() => coordinator.close());

async function submit(program: Uint8Array<ArrayBuffer>, sealed: object = {}): Promise<JobResource> {
  const { client } = coordinator;
  const modelFile = await client.uploadFile(new Blob([smallModel().bytes]), "small.onnx", "model");
  const model = await client.createModel({ file_id: modelFile.id });
  const file = await client.uploadFile(new Blob([program]), "program.lanes", "program");
  return client.createJob({
    model: model.id,
    custody: "submitter",
    sealed: { records: RECORDS, programs: [file.id], ...MEASURED, ...sealed },
  });
}

const seed = (n: number) => n.toString(16).padStart(32, "0");

async function post(path: string, body: object) {
  const response = await coordinator.call(`/jobs/${job.id}/batches${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...(await response.json()) };
}

async function put(batch: number, part: number, under: string, bytes: Uint8Array<ArrayBuffer>, digest?: string) {
  const own = `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;
  const response = await coordinator.call(`/jobs/${job.id}/batches/${batch}/parts/${part}?seed=${under}`, {
    method: "PUT",
    headers: { "Content-Type": "application/octet-stream", "Content-Digest": digest ?? own },
    body: bytes,
  });
  return { status: response.status, ...(await response.json()) };
}

describe("a sealed job", () => {
  it("is planned from its program: sizes, batches and costs are the coordinator's own reckoning", async () => {
    const progress = await (await coordinator.call(`/jobs/${job.id}/batches`)).json();
    expect(progress).toMatchObject({
      batches: 5,
      records_per_batch: 512,
      batch_bytes: BATCH_BYTES,
      room: CUSTODY_LIMITS.openBatchesPerJob,
      open: [],
      confirmed: [],
    });
    expect(job).toMatchObject({ dataset: null, custody: "submitter", counts: { records: RECORDS } });
    expect(job.plan).toMatchObject({ custody: "submitter", batches: 5, squares: 0, ring_degree: 1024 });
    await expect(submit(encodeProgram(PROGRAM).slice(0, -4))).rejects.toMatchObject({ code: "invalid_request" });
    await expect(
      submit(encodeProgram(PROGRAM), { fidelity: { ...MEASURED.fidelity, same_answer_rate: 0.5 } }),
    ).resolves.toMatchObject({ status: "failed", error: { code: "plan_fidelity" } });
    const results = await coordinator.call(`/jobs/${job.id}/results`);
    expect(results.status).toBe(409);
  });

  it("takes parts that are whole and what their digests say, once, and nothing else", async () => {
    const zeros = new Uint8Array(BATCH_BYTES);
    expect(await put(0, 0, seed(1), zeros)).toMatchObject({ status: 409, code: "conflict" });
    expect(await post("/0", { generation: 1, mask_seed: seed(1) })).toMatchObject({ status: 409, param: "generation" });
    expect(await post("/99", { generation: 0, mask_seed: seed(1) })).toMatchObject({ status: 404 });
    expect(await post("/0", { generation: 0, mask_seed: seed(1) })).toMatchObject({
      state: "uploading",
      missing_parts: [0],
    });
    const wrong = `sha-256=:${createHash("sha256").update("other").digest("base64")}:`;
    expect(await put(0, 0, seed(1), zeros, wrong)).toMatchObject({ status: 422, code: "ciphertext_invalid" });
    expect(await put(0, 0, seed(1), zeros, "md5=:AA==:")).toMatchObject({ status: 400, param: "Content-Digest" });
    expect(await put(0, 0, seed(1), zeros.slice(1))).toMatchObject({ status: 422, code: "ciphertext_invalid" });
    expect(await put(0, 0, seed(1), new Uint8Array(BATCH_BYTES + 1))).toMatchObject({ status: 413 });
    expect(await put(0, 1, seed(1), zeros)).toMatchObject({ status: 404 });
    expect(await post("/0/complete", { mask_seed: seed(1) })).toMatchObject({ status: 409 });
    // Every residue above its prime: well-formed bytes, but no ciphertext.
    expect(await put(0, 0, seed(1), new Uint8Array(BATCH_BYTES).fill(255))).toMatchObject({ status: 200 });
    expect(await post("/0/complete", { mask_seed: seed(1) })).toMatchObject({
      status: 422,
      code: "ciphertext_invalid",
    });
    // Begun again under another seed: what was sent before is gone.
    expect(await post("/0", { generation: 0, mask_seed: seed(2) })).toMatchObject({ missing_parts: [0] });
    expect(await put(0, 0, seed(2), zeros)).toMatchObject({ missing_parts: [] });
    expect(await post("/0", { generation: 0, mask_seed: seed(2) })).toMatchObject({ missing_parts: [] });
    expect(await post("/0/complete", { mask_seed: seed(2) })).toMatchObject({ state: "computing", mask_seed: seed(2) });
    // Said twice, as after a lost answer.
    expect(await post("/0/complete", { mask_seed: seed(2) })).toMatchObject({ state: "computing" });
    expect(await post("/0/verdict", { verdict: "noise", generation: 0 })).toMatchObject({ state: "computing" });
    const fidelity = { records: 1, same_answer_rate: 1, largest_error: 0 };
    expect(await post("/0/verdict", { verdict: "sane", generation: 0, fidelity })).toMatchObject({ status: 409 });
  });

  it("never takes a mask seed for a second batch", async () => {
    await post("/1", { generation: 0, mask_seed: seed(2) });
    await put(1, 0, seed(2), new Uint8Array(BATCH_BYTES));
    expect(await post("/1/complete", { mask_seed: seed(2) })).toMatchObject({
      status: 409,
      detail: expect.stringContaining("mask seed was used before"),
    });
  });

  it("has room for few batches at a time: the key-holder is told to wait", async () => {
    expect(await post("/2", { generation: 0, mask_seed: seed(3) })).toMatchObject({ state: "uploading" });
    expect(await post("/3", { generation: 0, mask_seed: seed(4) })).toMatchObject({
      status: 429,
      code: "rate_limited",
    });
    expect(await (await coordinator.call(`/jobs/${job.id}/batches`)).json()).toMatchObject({ room: 0 });
  });
});
