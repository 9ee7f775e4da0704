/**
 * Task: puts the lane results of one batch and program together, decrypts them, judges whether they are sane, and writes the
 * outputs of every member that the program computes. Lanes that no donor got right are computed here.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ResultAssembler } from "#lib/keyholder/assemble.ts";
import { openProgram } from "#lib/keyholder/open-program.ts";
import { ringOf } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { blobRange, PAYLOAD_HEADER_BYTES, payloadHeader } from "#lib/lanes/block.ts";
import { encryptedFeatures, type KeyholderPlan, parseKeyholderPlan } from "#lib/lanes/plan.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import type { Graph } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import { prepareOnThisThread } from "#worker/kernels/lanes/program-runner.ts";
import { openRecords, RecordsInput } from "../encrypted/records.ts";
import { serveTask } from "./task.ts";

const Run = z.object({ primeIndex: z.int(), firstLane: z.int(), laneCount: z.int() });
const Input = z.object({
  plan: z.unknown(),
  programPath: z.string(),
  /** The members that the program computes. */
  members: z
    .array(
      z.object({
        index: z.int().nonnegative(),
        modelPath: z.string(),
        /** Names of the objects that its outputs go to, in the order of the model's outputs; FP32 `[count, …shape]`. */
        outputs: z.array(ObjectName),
      }),
    )
    .min(1),
  secret: z.instanceof(Uint8Array),
  records: RecordsInput,
  start: z.int().nonnegative(),
  count: z.int().positive(),
  maskSeed: z.string(),
  /** The batch's ciphertexts. */
  objectName: ObjectName,
  results: z.array(
    z.object({
      run: Run,
      body: z.union([z.object({ data: z.instanceof(Uint8Array) }), z.object({ name: ObjectName })]),
    }),
  ),
  missing: z.array(Run),
});
export type DecryptBatchInput = z.input<typeof Input>;
type ParsedInput = z.infer<typeof Input>;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const plan = parseKeyholderPlan(input.plan);
  const program = decodeProgram(await readFile(input.programPath));
  const objects = openDiskObjects(input.records.objectsFolder);
  const records = openRecords(input.records);
  const rows = { rows: input.count, features: records.features, data: await records.read(input.start, input.count) };

  const assembler = new ResultAssembler(program);
  for (const { run, body } of input.results) {
    assembler.add(run, "data" in body ? body.data : await objects.read(body.name));
  }
  await computeMissing(input, plan, program, objects, assembler);

  using key = await SealKey.create(ringOf(plan), { secret: input.secret });
  const graphs = new Map<number, Graph>();
  for (const { index, modelPath } of input.members) graphs.set(index, importOnnx(await readFile(modelPath)));
  const opened = openProgram(plan, key, assembler, rows, graphs);
  if (opened.verdict.kind === "noise") return { verdict: opened.verdict, fidelity: null };
  for (const { index, outputs } of input.members) {
    for (const [at, values] of (opened.outputs.get(index) ?? []).entries()) {
      const name = outputs[at];
      if (!name) throw new Error(`output ${at} of member ${index} has nowhere to go`);
      await objects.put(name, new Uint8Array(values.buffer));
    }
  }
  return { verdict: opened.verdict, fidelity: opened.fidelity };
});

async function computeMissing(
  input: ParsedInput,
  plan: KeyholderPlan,
  program: LaneProgram,
  objects: ObjectStore,
  assembler: ResultAssembler,
): Promise<void> {
  if (input.missing.length === 0) return;
  const features = encryptedFeatures(plan);
  const seed = Uint8Array.from(Buffer.from(input.maskSeed, "hex"));
  const runner = await prepareOnThisThread(program);
  try {
    for (const run of input.missing) {
      assembler.add(run, await runner.run(await payloadOf(plan, features, seed, run, objects, input.objectName)));
    }
  } finally {
    await runner.dispose();
  }
}

async function payloadOf(
  plan: KeyholderPlan,
  features: number,
  seed: Uint8Array,
  run: LaneRun,
  objects: ObjectStore,
  name: ObjectName,
): Promise<Uint8Array> {
  const { offset, length } = blobRange(plan.ring, features, run);
  const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
  payload.set(payloadHeader(plan.ring, features, run, seed));
  payload.set(await objects.read(name, { offset, bytes: length }), PAYLOAD_HEADER_BYTES);
  return payload;
}
