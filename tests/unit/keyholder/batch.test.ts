import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Canary, drawCanaries } from "#lib/keyholder/canaries.ts";
import type { RecordMatrix } from "#lib/keyholder/encode.ts";
import { encryptBatch, encryptPhases } from "#lib/keyholder/encrypt-batch.ts";
import { openBatch } from "#lib/keyholder/open-batch.ts";
import type { SealKey } from "#lib/keyholder/seal.ts";
import {
  encodeResult,
  limbCount,
  packLanes,
  parsePayload,
  parseResult,
  RESULT_HEADER_BYTES,
  readResidue,
  unpackLanes,
} from "#lib/lanes/block.ts";
import { type Compiled, compilePlan } from "#lib/lanes/compile/compile.ts";
import { expandMask, importMaskSeed } from "#lib/lanes/mask.ts";
import { encryptedFeatures, type KeyholderPlan } from "#lib/lanes/plan.ts";
import { mulMod } from "#lib/lanes/primes.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { seeded } from "../lanes/arbitrary.ts";
import { convolution1d, randomRecords } from "../lanes/models.ts";
import {
  assemble,
  type EncryptedBlob,
  encryptToBlob,
  evaluateBlob,
  newKey,
  payloadOf,
  type RunResult,
} from "./pipeline.ts";

const { graph, features } = convolution1d();
const records: RecordMatrix = randomRecords(300, features, 21);
let compiled: Compiled;
let plan: KeyholderPlan;
let key: SealKey;
let batch: EncryptedBlob;
let results: RunResult[];
let canaries: Canary[];

beforeAll(async () => {
  // Records within the calibrated range: the ranges are given.
  const ranges = { low: new Array<number>(features).fill(-1), high: new Array<number>(features).fill(1) };
  compiled = await compilePlan([graph], randomRecords(600, features, 3), {
    random: seeded(1),
    ranges,
    outside: "refuse",
  });
  plan = compiled.plan;
  key = await newKey(plan);
  batch = await encryptToBlob(plan, key, records);
  canaries = drawCanaries(plan, plan.members[0]!, compiled.members[0]!.program, records);
  results = await evaluateBlob(plan, compiled.members[0]!.program, batch);
});
afterAll(() => key[Symbol.dispose]());

const open = (from: readonly RunResult[]) =>
  openBatch(plan, plan.members[0]!, key, assemble(compiled.members[0]!.program, from), records.rows, canaries);

describe("an encrypted batch", () => {
  it("comes back as the model's answers", () => {
    const { verdict, outputs } = open(results);
    expect(verdict).toEqual({ kind: "sane", outliers: 0 });
    const expected = evaluate(graph, { records: records.rows, inputs: new Map([["signal", records.data]]) });
    const rms = compiled.members[0]!.report.quantization.rmsError;
    expected.get("logits")!.data.forEach((value, i) => {
      expect(Math.abs(outputs.get("logits")!.data[i]! - value)).toBeLessThan(12 * rms);
    });
  });

  it("is in every lane what the reference evaluator makes of its payload", async () => {
    const { program } = compiled.members[0]!;
    const { run, bytes } = results[0]!;
    const payload = parsePayload(payloadOf(plan, batch, run), plan.ring, features);
    const limbs = limbCount(payload.modulus);
    const planes = new Uint8Array(run.laneCount * limbs * features);
    unpackLanes(payload.body, payload.modulus, features, planes);
    const mask = await expandMask(await importMaskSeed(batch.seed), payload.modulus, features, run);
    const residues = parseResult(bytes, program, run);
    const perLane = program.polysOut * program.outputs;
    for (const lane of [0, 1, run.laneCount - 1]) {
      const read = (from: Uint8Array) =>
        Array.from({ length: features }, (_, f) => readResidue(from, lane * limbs * features + f, limbs, features));
      const expected = evaluateLane(program, run.primeIndex, read(planes), read(mask));
      expect(residues.slice(lane * perLane, (lane + 1) * perLane)).toEqual(expected);
    }
  });

  it("carries the phases of SEAL's own ciphertexts under the new mask", async () => {
    // Deterministic part of the conversion: with known phases, c0' + a'·s is the phase at every lane.
    const { phases } = encryptPhases(plan, key, records);
    const secret = key.secretResidues();
    expect(phases[0]).toHaveLength(encryptedFeatures(plan) * plan.ring.n);
    const run = { primeIndex: 0, firstLane: 0, laneCount: 4 };
    const payload = parsePayload(payloadOf(plan, batch, run), plan.ring, features);
    const q = payload.modulus;
    const limbs = limbCount(q);
    const planes = new Uint8Array(4 * limbs * features);
    unpackLanes(payload.body, q, features, planes);
    const mask = await expandMask(await importMaskSeed(batch.seed), q, features, run);
    // Two encryptions of the same records differ by noise only: their difference is small in the coefficient domain, which lanes do
    // not show; decrypting the batch's own lanes does (first test). Here: residues are in range and not the phases themselves.
    let equal = 0;
    for (let lane = 0; lane < 4; lane++) {
      for (let f = 0; f < features; f++) {
        const at = lane * limbs * features + f;
        const c0 = readResidue(planes, at, limbs, features);
        const phase = (c0 + mulMod(readResidue(mask, at, limbs, features), secret[0]![lane]!, q)) % q;
        expect(c0).toBeLessThan(q);
        if (phase === c0) equal++;
      }
    }
    expect(equal).toBeLessThan(4);
  });

  it("looks uniform whatever the records are, and the same check sees plain lanes (chi-square over 256 bins)", async () => {
    const zeros = { ...records, data: new Float64Array(records.data.length) };
    const q = plan.ring.primes[0]!;
    const limbs = limbCount(q);
    const chiSquare = (body: Uint8Array) => {
      const lanes = 512;
      const planes = new Uint8Array(lanes * limbs * features);
      unpackLanes(body, q, features, planes);
      const bins = new Float64Array(256);
      for (let lane = 0; lane < lanes; lane++) {
        for (let f = 0; f < features; f++) {
          bins[Math.floor((readResidue(planes, lane * limbs * features + f, limbs, features) / q) * 256)]!++;
        }
      }
      const expected = (lanes * features) / 256;
      return bins.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
    };
    const run = { primeIndex: 0, firstLane: 0, laneCount: 512 };
    const bodyOf = (blob: EncryptedBlob) => parsePayload(payloadOf(plan, blob, run), plan.ring, features).body;
    // 255 degrees of freedom: 0.9999 quantile 348.
    expect(chiSquare(bodyOf(batch))).toBeLessThan(348);
    expect(chiSquare(bodyOf(await encryptToBlob(plan, key, zeros)))).toBeLessThan(348);
    // Positive control: records of zeros without encryption are the same small residue everywhere.
    const plain = new Uint8Array(512 * limbs * features).fill(1);
    if (limbs === 4) plain.fill(0);
    const packed = new Uint8Array(bodyOf(batch).length);
    packLanes(
      plain.map((byte) => byte & 1),
      q,
      features,
      packed,
    );
    expect(chiSquare(packed)).toBeGreaterThan(1e6);
  });

  it("never has the same seed twice, and hands its runs over in the order of the blob", async () => {
    const seeds = new Set<string>();
    for (let i = 0; i < 3; i++) {
      let next = 0;
      const { seed } = await encryptBatch(plan, key, records, (run) => {
        expect(run.primeIndex * plan.ring.n + run.firstLane).toBe(next);
        next += run.laneCount;
      });
      expect(next).toBe(plan.ring.primes.length * plan.ring.n);
      seeds.add(seed.join());
    }
    expect(seeds.size).toBe(3);
  });
});

describe("a wrong lane", () => {
  it("is seen after decryption: one flipped bit in one lane, 100 of 100 tries", () => {
    const random = seeded(5);
    let found = 0;
    for (let i = 0; i < 100; i++) {
      const chosen = Math.floor(random() * results.length);
      const { run, bytes } = results[chosen]!;
      const flipped = bytes.slice();
      const bit = Math.floor(random() * 8 * (bytes.length - RESULT_HEADER_BYTES));
      const at = RESULT_HEADER_BYTES + (bit >> 3);
      flipped[at] = flipped[at]! ^ (1 << (bit & 7));
      try {
        if (
          open(results.map((result, r) => (r === chosen ? { run, bytes: flipped } : result))).verdict.kind === "noise"
        )
          found++;
      } catch (error) {
        // A flip past the prime, or in the padding, is refused before it gets near SEAL.
        if (isFluxError(error) && error.code === "result_malformed") found++;
        else throw error;
      }
    }
    expect(found).toBe(100);
  });

  it("is seen where a whole result is zeros, a neighbour's, or shifted by a constant", () => {
    const swap = (make: (bytes: Uint8Array) => Uint8Array) =>
      open(results.map((result, i) => (i === 0 ? { ...result, bytes: make(result.bytes) } : result))).verdict.kind;
    expect(swap((bytes) => bytes.slice().fill(0, RESULT_HEADER_BYTES))).toBe("noise");
    const { program } = compiled.members[0]!;
    const { run } = results[0]!;
    const shifted = (bytes: Uint8Array) => {
      const modulus = plan.ring.primes[run.primeIndex]!;
      return encodeResult(
        program,
        run,
        parseResult(bytes, program, run).map((residue) => (residue + 1) % modulus),
      );
    };
    expect(swap(shifted)).toBe("noise");
  });

  it("leaves a batch incomplete if its result is missing", () => {
    expect(() => open(results.slice(1))).toThrow(/no accepted result yet/);
  });
});

describe("values outside the calibrated range", () => {
  const outlier = () => ({ ...records, data: Float64Array.from(records.data, (value, i) => (i === 45 ? 7 : value)) });

  it("are refused by name where the submitter chose so", () => {
    expect(() => encryptPhases(plan, key, outlier())).toThrow(/Record 1, value 5 is 7, outside -1..1/);
  });

  it("are clipped and counted where the submitter chose that", () => {
    const clipping = { ...plan, input: { ...plan.input, outside: "clip" as const } };
    expect(encryptPhases(clipping, key, outlier()).clippedValues).toBe(1);
  });

  it("NaN is always refused", () => {
    const holed = { ...records, data: Float64Array.from(records.data, (value, i) => (i === 45 ? Number.NaN : value)) };
    const clipping = { ...plan, input: { ...plan.input, outside: "clip" as const } };
    expect(() => encryptPhases(clipping, key, holed)).toThrow(/not a number/);
  });

  it("records of another width or too many are refused", () => {
    expect(() => encryptPhases(plan, key, { ...records, features: 39 })).toThrow(/39 values/);
    const many = randomRecords(plan.ring.n / 2 + 1, features, 1);
    expect(() => encryptPhases(plan, key, many)).toThrow(/A batch holds/);
  });
});
