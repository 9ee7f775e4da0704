/**
 * What a job's models gave, before aggregation: per member one object per output (FP32, `[units, …shape]`, a unit being a record or a
 * segment of one) and one byte a unit that says how it was computed. Kept as long as the job, so that its results can be
 * aggregated anew when labels arrive.
 */
import { z } from "zod";
import { Pieces } from "#lib/aggregation/pieces.ts";
import { type PrecisionClass, packPrecision } from "#lib/aggregation/precision.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { RuntimeId } from "#lib/protocol/stage.ts";
import { bytesPerRecord, elementsPerRecord, RecordTensor } from "#lib/protocol/tensors.ts";
import { ObjectName, type ObjectStore, type ObjectWriter } from "#lib/storage/objects.ts";
import type { ResultRecord, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { decryptedName, type EncryptedJobFile } from "../encrypted/job-file.ts";

/** Units `start..start+count` that have no result: their microtask was given up. */
export const Gap = z.object({ start: z.int().nonnegative(), count: z.int().positive() });
export type Gap = z.infer<typeof Gap>;

const RawMember = z.object({
  name: z.string(),
  outputs: z.array(RecordTensor).min(1),
  missing: z.array(Gap),
});
export type RawMember = z.infer<typeof RawMember>;

export const RawOutputs = z.object({
  version: z.literal(1),
  records: z.int().nonnegative(),
  members: z.array(RawMember).min(1),
  /** Of every record: one piece that is all of it, or its windows or tiles. */
  pieces: Pieces,
});
export type RawOutputs = z.infer<typeof RawOutputs>;

export const rawName = (jobId: JobId, part: string): ObjectName => ObjectName.parse(`outputs/${jobId}/raw/${part}`);
export const rawOutput = (jobId: JobId, member: number, output: number): ObjectName =>
  rawName(jobId, `member${member}.${output}`);
export const rawPrecision = (jobId: JobId, member: number): ObjectName => rawName(jobId, `member${member}.precision`);

const EXACT = packPrecision(0, 0);
const classOf = (runtime: RuntimeId): PrecisionClass => (runtime.endsWith("-webgpu") ? 2 : 1);

/** Written last: raw outputs are whole when their description is there. */
export async function writeRawOutputs(objects: ObjectStore, jobId: JobId, raw: RawOutputs): Promise<void> {
  await objects.put(rawName(jobId, "description"), new TextEncoder().encode(JSON.stringify(raw)));
}

export async function readRawOutputs(objects: ObjectStore, jobId: JobId): Promise<RawOutputs> {
  const bytes = await objects.read(rawName(jobId, "description"));
  return RawOutputs.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

/** Puts the decrypted batches of one member of an encrypted job together: no unit is missing, every one is exact. */
export async function collectDecrypted(
  objects: ObjectStore,
  jobId: JobId,
  file: EncryptedJobFile,
  member: number,
  units: number,
): Promise<Pick<RawMember, "outputs" | "missing">> {
  const { outputs } = file.members[member]!;
  for (const [output] of outputs.entries()) {
    await writeObject(objects, rawOutput(jobId, member, output), async (writer) => {
      for (let batch = 0; batch < file.batches; batch++) {
        await writer.append(await objects.read(decryptedName(jobId, member, batch, output)));
      }
    });
  }
  await objects.put(rawPrecision(jobId, member), new Uint8Array(units).fill(EXACT));
  return { outputs, missing: [] };
}

/**
 * Puts the results of one public stage together, in the order of its units.
 * @param outputs of the stage's spec, in the order in which each result holds them
 */
export async function collectResults(
  { store, objects }: { readonly store: Store; readonly objects: ObjectStore },
  stage: StageRecord,
  outputs: readonly RecordTensor[],
  units: number,
): Promise<Pick<RawMember, "outputs" | "missing">> {
  const floats = outputs.map((output) => ({ ...output, dtype: "FP32" as const }));
  const { jobId, member } = stage;
  const writers = await Promise.all(floats.map((_output, index) => objects.create(rawOutput(jobId, member, index))));
  const computed: Computed[] = [];
  try {
    const missing: Gap[] = [];
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
      if (at !== bytes.byteLength) {
        throw new Error(`result of ${result.microtaskId} has ${bytes.byteLength} bytes, not ${at}`);
      }
      next = result.unitStart + result.unitCount;
      computed.push(result);
    }
    await fill(units);
    for (const writer of writers) await writer.close();
    await objects.put(rawPrecision(jobId, member), precisionOf(computed, units));
    return { outputs: [...outputs], missing };
  } catch (error) {
    await Promise.allSettled(writers.map((writer) => writer.abort()));
    throw error;
  }
}

type Computed = Pick<ResultRecord, "unitStart" | "unitCount" | "donorId" | "runtime" | "drift" | "checkedUnits">;

/**
 * `[units]` bytes. A donor's drift is taken over all of its results of the stage that were looked at: a single result's says
 * which of its records were drawn, a donor's what its device does.
 */
export function precisionOf(computed: readonly Computed[], units: number): Uint8Array {
  const donors = new Map<string, { drift: number; checked: number }>();
  for (const { donorId, drift, checkedUnits } of computed) {
    const { drift: sum, checked } = donors.get(donorId) ?? { drift: 0, checked: 0 };
    donors.set(donorId, { drift: sum + drift * checkedUnits, checked: checked + checkedUnits });
  }
  const precision = new Uint8Array(units);
  for (const { unitStart, unitCount, donorId, runtime } of computed) {
    const { drift, checked } = donors.get(donorId)!;
    precision.fill(packPrecision(classOf(runtime), drift / Math.max(1, checked)), unitStart, unitStart + unitCount);
  }
  return precision;
}

/** Result rows read at once; each carries up to a payload of bytes. */
const PAGE = 16;

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

export async function writeObject(
  objects: ObjectStore,
  name: ObjectName,
  write: (writer: ObjectWriter) => Promise<void>,
): Promise<void> {
  const writer = await objects.create(name);
  try {
    await write(writer);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
