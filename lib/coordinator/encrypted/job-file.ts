/**
 * What the coordinator must know of an encrypted job in its custody to go on after a restart: one JSON object per job, written
 * before its first batch is encrypted. It holds no key.
 */
import { z } from "zod";
import { type KeyholderPlan, parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { Digest, type JobId } from "#lib/protocol/ids.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import { RecordsInput } from "./records.ts";

const EncryptedJobFile = z.object({
  version: z.literal(1),
  plan: z.unknown().transform((plan): KeyholderPlan => parseKeyholderPlan(plan)),
  records: RecordsInput.omit({ objectsFolder: true }),
  recordsPerBatch: z.int().positive(),
  batches: z.int().positive(),
  members: z
    .array(
      z.object({
        program: Digest,
        model: Digest,
        /** The model's outputs, as results hold them. */
        outputs: z.array(RecordTensor).min(1),
      }),
    )
    .min(1),
});
export type EncryptedJobFile = z.infer<typeof EncryptedJobFile>;

/** The members that a stage's program computes, by position. */
export function membersOf(file: EncryptedJobFile, stage: Pick<StageRecord, "definition">): readonly number[] {
  const digests = new Set(stage.definition.artefacts.map(({ digest }) => digest));
  return file.members.flatMap(({ program }, index) => (digests.has(program) ? [index] : []));
}

const folderOf = (jobId: JobId): ObjectName => ObjectName.parse(`encrypted/${jobId}`);
const fileOf = (jobId: JobId): ObjectName => ObjectName.parse(`encrypted/${jobId}/job`);

/** One batch's ciphertexts. A batch that is done anew gets an object of its own. */
export const ciphertextsName = (jobId: JobId, batch: number, generation: number): ObjectName =>
  ObjectName.parse(`encrypted/${jobId}/batch${batch}.${generation}`);

/** One batch's decrypted outputs of one member. */
export const decryptedName = (jobId: JobId, member: number, batch: number, output: number): ObjectName =>
  ObjectName.parse(`encrypted/${jobId}/decrypted${member}.${batch}.${output}`);

export async function writeJobFile(objects: ObjectStore, jobId: JobId, file: EncryptedJobFile): Promise<void> {
  await objects.put(fileOf(jobId), new TextEncoder().encode(JSON.stringify(file)));
}

export async function readJobFile(objects: ObjectStore, jobId: JobId): Promise<EncryptedJobFile> {
  return EncryptedJobFile.parse(JSON.parse(new TextDecoder().decode(await objects.read(fileOf(jobId)))));
}

/** Ciphertexts, decrypted batches and the file itself. */
export const removeJobFiles = (objects: ObjectStore, jobId: JobId): Promise<void> => objects.removeAll(folderOf(jobId));
