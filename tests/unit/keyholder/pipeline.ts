/** The whole way in one process, for tests: plan, encrypt, evaluate as a donor would, assemble. */
import { existsSync, readFileSync } from "node:fs";
import { ResultAssembler } from "#lib/keyholder/assemble.ts";
import type { RecordMatrix } from "#lib/keyholder/encode.ts";
import { encryptBatch } from "#lib/keyholder/encrypt-batch.ts";
import { type PrepareProgram, ringOf, wholeRuns } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { blobBytes, blobRange, PAYLOAD_HEADER_BYTES, payloadHeader } from "#lib/lanes/block.ts";
import { encryptedFeatures, type KeyholderPlan } from "#lib/lanes/plan.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";

/** A donor's fastest evaluator, in this thread. */
export const prepare: PrepareProgram = async (program) => {
  const runtime = await openLaneRuntime("lane-simd");
  const evaluator = await runtime.prepare(program);
  return { run: (payload) => runLanes(program, evaluator, payload), dispose: () => evaluator.dispose() };
};

export interface RunResult {
  readonly run: LaneRun;
  readonly bytes: Uint8Array;
}

export interface EncryptedBlob {
  readonly seed: Uint8Array;
  readonly blob: Uint8Array;
}

export async function encryptToBlob(plan: KeyholderPlan, key: SealKey, records: RecordMatrix): Promise<EncryptedBlob> {
  const features = encryptedFeatures(plan);
  const blob = new Uint8Array(blobBytes(plan.ring, features));
  const { seed } = await encryptBatch(plan, key, records, (run, packed) => {
    blob.set(packed, blobRange(plan.ring, features, run).offset);
  });
  return { seed, blob };
}

export function payloadOf(plan: KeyholderPlan, { seed, blob }: EncryptedBlob, run: LaneRun): Uint8Array {
  const features = encryptedFeatures(plan);
  const { offset, length } = blobRange(plan.ring, features, run);
  const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
  payload.set(payloadHeader(plan.ring, features, run, seed));
  payload.set(blob.subarray(offset, offset + length), PAYLOAD_HEADER_BYTES);
  return payload;
}

export async function evaluateBlob(
  plan: KeyholderPlan,
  program: LaneProgram,
  batch: EncryptedBlob,
): Promise<RunResult[]> {
  const runner = await prepare(program);
  const results: RunResult[] = [];
  for (const run of wholeRuns(plan)) results.push({ run, bytes: await runner.run(payloadOf(plan, batch, run)) });
  await runner.dispose();
  return results;
}

export function assemble(program: LaneProgram, results: readonly RunResult[]): ResultAssembler {
  const assembler = new ResultAssembler(program);
  for (const { run, bytes } of results) assembler.add(run, bytes);
  return assembler;
}

export function newKey(plan: KeyholderPlan): Promise<SealKey> {
  return SealKey.create(ringOf(plan));
}

const MNIST = new URL("../../../../shared/data/mnist/", import.meta.url);

/** The real digits, or undefined (with a message) where the shared data is not there. */
export function mnist():
  | { model(name: string): Uint8Array; records(first: number, rows: number): RecordMatrix & { data: Float32Array } }
  | undefined {
  if (!existsSync(new URL("images.npy", MNIST))) {
    console.warn("skipped: ../shared/data/mnist is not here");
    return undefined;
  }
  const file = readFileSync(new URL("images.npy", MNIST));
  // A .npy of known shape [8000, 28, 28] uint8: the pixels are its last bytes.
  const pixels = file.subarray(file.length - 8000 * 784);
  return {
    model: (name) => new Uint8Array(readFileSync(new URL(name, MNIST))),
    records: (first, rows) => ({
      rows,
      features: 784,
      data: Float32Array.from({ length: rows * 784 }, (_, i) => pixels[first * 784 + i]! / 255),
    }),
  };
}
