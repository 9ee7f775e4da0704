/** Records of a completed job beside their answers, a page at a time. */
import { openDataset } from "#lib/dataset/reader.ts";
import { type AnsweredRecord, JOB_RECORDS_MOST, type JobRecords } from "#lib/protocol/api/job-records.ts";
import type { DatasetDescription, StoredArray } from "#lib/protocol/datasets.ts";
import { decodeInput, viewOf } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { DATASET_LIMITS } from "#lib/protocol/limits.ts";
import { bytesPerRecord, elementsPerRecord } from "#lib/protocol/tensors.ts";
import type { ObjectStore } from "#lib/storage/objects.ts";
import type { DatasetRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";
import { objectSections } from "../dataset-sections.ts";
import type { Identity } from "../identity.ts";
import { newestVersion, partOf, readResults } from "../jobs/results.ts";

export interface RecordsAsked {
  readonly start: number;
  readonly limit: number;
  readonly version?: number | undefined;
}

export interface JobRecordsService {
  /** @throws FluxError conflict while the job has no results */
  get(caller: Identity, id: JobId, asked: RecordsAsked): Promise<JobRecords>;
}

/** Values of one output that are shown. */
const VALUES = 64;

export function createJobRecordsService(options: {
  readonly store: Pick<Store, "jobs" | "datasets">;
  readonly objects: ObjectStore;
}): JobRecordsService {
  const { store, objects } = options;
  return {
    async get(caller, id, { start, limit, version }) {
      const job = await store.jobs.get(caller.tenantId, id);
      if (job.datasetId === null) {
        throw new FluxError("conflict", "The job's records and answers are where its key is, with its submitter.");
      }
      if (job.status !== "completed") {
        throw new FluxError("conflict", `The job is ${job.status}: its records have answers when it is completed.`);
      }
      const results = await readResults(objects, id, version ?? (await newestVersion(objects, id)));
      const count = Math.max(0, Math.min(limit, JOB_RECORDS_MOST, results.records - start));
      const dataset = await store.datasets.get(SYSTEM, job.datasetId);
      const inputs = await readRecords(objects, dataset, start, count);
      const outputs: (number[] | null)[][] = Array.from({ length: count }, () => []);
      for (const [index, output] of results.outputs.entries()) {
        const stride = bytesPerRecord({ ...output, dtype: "FP32" });
        const range = { offset: start * stride, bytes: count * stride };
        const values = viewOf("FP32", await objects.read(partOf(id, results, index), range));
        const elements = elementsPerRecord(output);
        for (let row = 0; row < count; row++) {
          const own = values.subarray(row * elements, row * elements + Math.min(elements, VALUES));
          outputs[row]!.push(own.some(Number.isNaN) ? null : Array.from(own));
        }
      }
      return {
        object: "job_records",
        job: id,
        records: results.records,
        classes: dataset.description.label?.classes ?? null,
        outputs: results.outputs,
        data: inputs.map((input, row) => ({ ...input, outputs: outputs[row] ?? [] })),
      };
    },
  };
}

/** The records as the model reads them; of long ones the first values. */
async function readRecords(
  objects: ObjectStore,
  { description, objectName }: DatasetRecord,
  start: number,
  count: number,
): Promise<Omit<AnsweredRecord, "outputs">[]> {
  const sections = objectSections(objects, objectName);
  const reader = openDataset(description, sections);
  const ids = await reader.readIds(start, count);
  const labels = await reader.readLabels(start, count);
  const arrays = await Promise.all(
    description.arrays.map(async (array) => {
      const stride = bytesPerRecord(array);
      return { array, stride, bytes: await sections.read(array.section, start * stride, count * stride) };
    }),
  );
  return Array.from({ length: count }, (_, row) => ({
    record: start + row,
    id: ids[row] ?? String(start + row),
    label: labels ? labelText(description, labels[row]) : null,
    arrays: arrays.map(({ array, stride, bytes }) => ({
      name: array.name,
      shape: array.shape,
      values: valuesOf(array, bytes.slice(row * stride, (row + 1) * stride)),
    })),
  }));
}

function valuesOf(array: StoredArray, bytes: Uint8Array<ArrayBuffer>): (number | null)[] {
  const decoded = decodeInput({ ...array, stored: array, model: { ...array, dtype: "FP32" } }, bytes, 1);
  return Array.from(decoded.subarray(0, DATASET_LIMITS.previewValues), Number).map((value) =>
    Number.isFinite(value) ? value : null,
  );
}

function labelText({ label }: DatasetDescription, value: number | undefined): string | number | null {
  if (value === undefined || Number.isNaN(value)) return null;
  return label?.classes?.[value] ?? value;
}
