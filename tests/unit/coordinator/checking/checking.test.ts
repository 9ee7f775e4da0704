/** Public results against the coordinator's own recomputation, in real threads on a real runtime. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckingPool } from "#lib/coordinator/checking/pool.ts";
import { recordChecker } from "#lib/coordinator/checking/record-checker.ts";
import type { PayloadSource, Verdict } from "#lib/coordinator/dispatch/kernel-services.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import type { OnnxStageSpec } from "#lib/protocol/stage.ts";
import { openDiskBlobs } from "#lib/storage/disk/blobs.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BatchRecord, StageRecord, UnitRange } from "#lib/storage/records.ts";
import { sampleBatch, sampleStage } from "#tests/contract/samples.ts";
import { CLASSES, exactResult, FEATURES, numbers, publicModel, WIDTH } from "#tests/support/public-model.ts";

const RECORDS = 400;

const folder = mkdtempSync(join(tmpdir(), "flux-checking-"));
const blobs = openDiskBlobs(folder);
const pool = openCheckingPool({ threads: 1 });
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true });
});

const graph = publicModel();
const dataset = Float32Array.from(numbers(RECORDS * FEATURES, 99));
const payloads: PayloadSource = {
  payloadBytes: (_stage, { unitCount }) => unitCount * FEATURES * 4,
  resultBytes: (_stage, { unitCount }) => unitCount * WIDTH * 4,
  read: async (_stage, _batch, { unitStart, unitCount }) =>
    new Uint8Array(dataset.buffer, unitStart * FEATURES * 4, unitCount * FEATURES * 4),
};

let stage: StageRecord;
let batch: BatchRecord;
let checker: ReturnType<typeof recordChecker>;

beforeAll(async () => {
  const { digest, bytes } = await blobs.put([writeOnnx(graph)]);
  const sample = sampleStage(freshId("ten"), freshId("job"));
  const spec: OnnxStageSpec = {
    kernel: "onnx",
    version: 1,
    jobId: sample.jobId,
    stageId: sample.id,
    model: { digest, bytes },
    inputs: [
      {
        name: "x",
        stored: { name: "x", dtype: "FP32", shape: [FEATURES] },
        model: { name: "x", dtype: "FP32", shape: [FEATURES] },
        scale: 1,
        offset: 0,
      },
    ],
    outputs: [
      { name: "p", dtype: "FP32", shape: [CLASSES] },
      { name: "label", dtype: "INT64", shape: [] },
    ],
    batchRecords: 64,
  };
  const stored = await blobs.put([new TextEncoder().encode(JSON.stringify(spec))]);
  stage = { ...sample, specDigest: stored.digest };
  batch = sampleBatch(stage.id);
  checker = recordChecker({ payloads, blobs, pool });
});

/** An honest donor on hardware that is unlike ours. */
function honest({ unitStart, unitCount }: UnitRange): Float32Array {
  return exactResult(graph, dataset.subarray(unitStart * FEATURES, (unitStart + unitCount) * FEATURES), unitCount);
}

function check(range: UnitRange, result: Float32Array, donor = { accepted: 0, refused: 0 }): Promise<Verdict> {
  return checker.check({
    stage,
    batch,
    range,
    runtime: "ort-webgpu",
    donor,
    result: new Uint8Array(result.buffer, result.byteOffset, result.byteLength),
  });
}

const range = (unitStart: number, unitCount: number): UnitRange => ({ batch: 0, prime: 0, unitStart, unitCount });

describe("honest results", () => {
  it("are never refused, also where another device's last bits differ", async () => {
    const noise = numbers(RECORDS * WIDTH, 5);
    for (let start = 0; start + 20 <= RECORDS; start += 20) {
      const result = honest(range(start, 20));
      for (let i = 0; i < 20 * CLASSES; i++) result[i]! *= 1 + 1e-5 * noise[start * CLASSES + i]!;
      expect(await check(range(start, 20), result)).toMatchObject({ right: true });
    }
  });

  it("are looked at in part, more for newcomers", async () => {
    const newcomer = await check(range(0, RECORDS), honest(range(0, RECORDS)));
    const known = await check(range(0, RECORDS), honest(range(0, RECORDS)), { accepted: 1_000, refused: 0 });
    expect(newcomer).toEqual({ right: true, checkedUnits: 20, drift: expect.any(Number) });
    expect(known).toEqual({ right: true, checkedUnits: 2, drift: expect.any(Number) });
  });

  it("carry how far they lie from the reference, as a share of what is allowed", async () => {
    const whole = range(0, RECORDS);
    const driftOf = async (relative: number) => {
      const result = honest(whole);
      const most = result.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      for (let i = 0; i < result.length; i++) result[i]! += (i % 2 ? 1 : -1) * relative * most;
      const verdict = await check(whole, result);
      if (!verdict.right) throw new Error("an honest result was refused");
      return verdict.drift!;
    };
    const [none, some, more] = [await driftOf(0), await driftOf(4e-6), await driftOf(1.2e-5)];
    expect(none).toBeLessThan(0.05);
    expect(some).toBeGreaterThan(none);
    expect(more).toBeGreaterThan(1.5 * some);
    expect(more).toBeLessThanOrEqual(1);
  });
});

describe("wrong results", () => {
  const liars: Record<string, (right: Float32Array) => Float32Array> = {
    "random bytes": ({ length }) => new Float32Array(new Uint8Array(randomBytes(4 * length)).buffer),
    zeros: ({ length }) => new Float32Array(length),
    "not numbers": ({ length }) => new Float32Array(length).fill(Number.NaN),
    infinite: ({ length }) => new Float32Array(length).fill(Number.POSITIVE_INFINITY),
    "the next record's": (right) => {
      const moved = right.slice();
      moved.set(right.subarray(CLASSES, 20 * CLASSES), 0);
      return moved;
    },
    "a constant added": (right) => right.map((value) => value + 0.01),
    "one class favoured": (right) =>
      right.map((value, i) => (i < 20 * CLASSES && i % CLASSES === 2 ? value + 0.005 : value)),
    "right probabilities, wrong labels": (right) =>
      right.map((value, i) => (i < 20 * CLASSES ? value : (value + 1) % CLASSES)),
  };
  it.each(Object.entries(liars))("%s are refused", async (_name, lie) => {
    for (const start of [0, 100, 250]) {
      const verdict = await check(range(start, 20), lie(honest(range(start, 20))));
      expect(verdict).toMatchObject({ right: false, code: "audit_failed" });
    }
  });

  it("are refused without telling which records were looked at", async () => {
    const verdict = await check(range(0, 20), new Float32Array(20 * WIDTH));
    expect(JSON.stringify(verdict)).not.toMatch(/\d/);
  });
});

describe("the pool", () => {
  it("replaces a thread that takes too long, and the event loop goes on", async () => {
    const hasty = openCheckingPool({ threads: 1, timeMs: 1 });
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const impatient = recordChecker({ payloads, blobs, pool: hasty });
    const request = {
      stage,
      batch,
      range: range(0, 4),
      runtime: "ort-wasm" as const,
      donor: { accepted: 0, refused: 0 },
      result: new Uint8Array(honest(range(0, 4)).buffer),
    };
    const outcomes = await Promise.allSettled([
      impatient.check(request),
      impatient.check(request),
      impatient.check(request),
    ]);
    clearInterval(ticking);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(turns).toBeGreaterThan(0);
    await hasty.close();
  });

  it("fails the check of a model that cannot be opened, and goes on with others", async () => {
    const { digest } = await blobs.put([new Uint8Array([1, 2, 3])]);
    const spec = JSON.parse(new TextDecoder().decode(await blobs.read(stage.specDigest)));
    const broken = await blobs.put([
      new TextEncoder().encode(JSON.stringify({ ...spec, model: { digest, bytes: 3 } })),
    ]);
    const request = {
      stage: { ...stage, specDigest: broken.digest },
      batch,
      range: range(0, 4),
      runtime: "ort-wasm" as const,
      donor: { accepted: 0, refused: 0 },
      result: new Uint8Array(honest(range(0, 4)).buffer),
    };
    await expect(checker.check(request)).rejects.toThrow("cannot open the model");
    expect(await check(range(0, 4), honest(range(0, 4)))).toMatchObject({ right: true });
  });
});
