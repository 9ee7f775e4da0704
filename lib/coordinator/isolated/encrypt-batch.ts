/** Task: encrypts one batch of records into the object that its lanes are read from. */
import { z } from "zod";
import { drawMaskSeed, encryptBatch } from "#lib/keyholder/encrypt-batch.ts";
import { ringOf } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { openRecords, RecordsInput } from "../encrypted/records.ts";
import { serveTask } from "./task.ts";
import { encryptInTwoThreads } from "./two-threads.ts";

const Input = z.object({
  plan: z.unknown(),
  secret: z.instanceof(Uint8Array),
  records: RecordsInput,
  start: z.int().nonnegative(),
  count: z.int().positive(),
  objectName: ObjectName,
});
export type EncryptBatchInput = z.input<typeof Input>;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const plan = parseKeyholderPlan(input.plan);
  const records = openRecords(input.records);
  const rows = { rows: input.count, features: records.features, data: await records.read(input.start, input.count) };
  using key = await SealKey.create(ringOf(plan), { secret: input.secret });
  const writer = await openDiskObjects(input.records.objectsFolder).create(input.objectName);
  try {
    const batch = await encryptBatch(
      plan,
      key,
      rows,
      (_run, packed) => writer.append(packed),
      drawMaskSeed(),
      encryptInTwoThreads,
    );
    await writer.close();
    return {
      maskSeed: Buffer.from(batch.seed).toString("hex"),
      clippedValues: batch.clippedValues,
      timing: batch.timing,
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
});
