/**
 * A job's results: accepted microtask results put together in dataset order, kept as one object per output (FP32,
 * `[records, …shape]`, little-endian) beside a small JSON description. Versions are never changed; feedback adds new ones.
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { bytesPerRecord, elementsPerRecord, RecordTensor } from "#lib/protocol/tensors.ts";
import { ObjectName, type ObjectStore, type ObjectWriter } from "#lib/storage/objects.ts";
import type { ResultRecord, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { decryptedName, type EncryptedJobFile } from "../encrypted/job-file.ts";

/** Records `start..start+count` that have no result: their microtask was given up. */
const Gap = z.object({ start: z.int().nonnegative(), count: z.int().positive() });

export const ResultsDescription = z.object({
  version: z.int().positive(),
  records: z.int().nonnegative(),
  outputs: z.array(RecordTensor),
  missing: z.array(Gap),
  createdAtMs: z.number(),
});
export type ResultsDescription = z.infer<typeof ResultsDescription>;

/**
 * Puts the decrypted batches of an encrypted job together and makes them readable as `version`. Every record has its outputs: lanes that
 * no donor got right were computed by the key-holder.
 */
export async function assembleEncrypted(
  objects: ObjectStore,
  jobId: JobId,
  file: EncryptedJobFile,
  version: number,
  nowMs: number,
): Promise<ResultsDescription> {
  const [member] = file.members;
  if (!member) throw new Error(`${jobId} has no member`);
  for (const [output] of member.outputs.entries()) {
    const writer = await objects.create(resultsName(jobId, version, outputPart(output)));
    try {
      for (let batch = 0; batch < file.batches; batch++) {
        await writer.append(await objects.read(decryptedName(jobId, 0, batch, output)));
      }
      await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
  const { records } = file.records.description;
  const description = { version, records, outputs: [...member.outputs], missing: [], createdAtMs: nowMs };
  await writeDescription(objects, jobId, description);
  return description;
}

/** Written last: a version exists when its description does. */
async function writeDescription(objects: ObjectStore, jobId: JobId, description: ResultsDescription): Promise<void> {
  const name = resultsName(jobId, description.version, "description");
  await objects.put(name, new TextEncoder().encode(JSON.stringify(description)));
}

/** Result rows read at once; each carries up to a payload of bytes. */
const PAGE = 16;

export const outputsFolder = (jobId: JobId): ObjectName => ObjectName.parse(`outputs/${jobId}`);

export function resultsName(jobId: JobId, version: number, part: string): ObjectName {
  return ObjectName.parse(`${outputsFolder(jobId)}/${version}/${part}`);
}
export const outputPart = (index: number): string => `output${index}`;

export async function readResults(objects: ObjectStore, jobId: JobId, version: number): Promise<ResultsDescription> {
  const name = resultsName(jobId, version, "description");
  if (!(await objects.stat(name))) {
    throw new FluxError("not_found", `There is no version ${version} of this job's results.`, { param: "version" });
  }
  return ResultsDescription.parse(JSON.parse(new TextDecoder().decode(await objects.read(name))));
}

/**
 * Puts the results of one public stage together and makes them readable as `version`.
 * @param outputs of the stage's spec, in the order in which each result holds them
 */
export async function assemblePublic(
  { store, objects }: { readonly store: Store; readonly objects: ObjectStore },
  stage: StageRecord,
  outputs: readonly RecordTensor[],
  records: number,
  version: number,
  nowMs: number,
): Promise<ResultsDescription> {
  const floats = outputs.map((output) => ({ ...output, dtype: "FP32" as const }));
  const writers = await Promise.all(
    floats.map((_output, index) => objects.create(resultsName(stage.jobId, version, outputPart(index)))),
  );
  try {
    const missing: z.infer<typeof Gap>[] = [];
    let next = 0;
    const fill = async (until: number) => {
      if (until <= next) return;
      missing.push({ start: next, count: until - next });
      for (const [index, writer] of writers.entries()) await writeNaN(writer, floats[index]!, until - next);
      next = until;
    };
    for await (const result of acceptedResults(store, stage)) {
      await fill(result.unitStart);
      const bytes = result.body.kind === "inline" ? result.body.data : await objects.read(result.body.name);
      let at = 0;
      for (const [index, writer] of writers.entries()) {
        const length = result.unitCount * bytesPerRecord(floats[index]!);
        await writer.append(bytes.subarray(at, at + length));
        at += length;
      }
      if (at !== bytes.byteLength)
        throw new Error(`result of ${result.microtaskId} has ${bytes.byteLength} bytes, not ${at}`);
      next = result.unitStart + result.unitCount;
    }
    await fill(records);
    for (const writer of writers) await writer.close();
    const description = { version, records, outputs: [...outputs], missing, createdAtMs: nowMs };
    await writeDescription(objects, stage.jobId, description);
    return description;
  } catch (error) {
    await Promise.allSettled(writers.map((writer) => writer.abort()));
    throw error;
  }
}

async function* acceptedResults(store: Store, stage: StageRecord): AsyncGenerator<ResultRecord> {
  let after: ResultRecord | undefined;
  while (true) {
    const page = await store.work.results(stage.id, { limit: PAGE, ...(after ? { after } : {}) });
    yield* page;
    after = page.at(-1);
    if (!after || page.length < PAGE) return;
  }
}

async function writeNaN(writer: ObjectWriter, output: RecordTensor, count: number): Promise<void> {
  const block = new Float32Array(Math.min(count, 4096) * elementsPerRecord(output)).fill(Number.NaN);
  const bytes = new Uint8Array(block.buffer);
  for (let left = count; left > 0; left -= 4096) {
    await writer.append(left >= 4096 ? bytes : bytes.subarray(0, left * bytesPerRecord(output)));
  }
}
