/**
 * Task: aggregates a job's raw outputs to one answer a record and writes them as the job's next results version. Everything about
 * it happens in this thread: fitting takes seconds, and the outputs may be larger than memory.
 */
import { z } from "zod";
import { aggregateJob } from "#lib/aggregation/aggregate-job.ts";
import { type JobOutputs, joinedOutputs } from "#lib/aggregation/job-outputs.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { AggregationTask, Reducer } from "#lib/protocol/api/aggregation.ts";
import { DatasetDescription } from "#lib/protocol/datasets.ts";
import { viewOf } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { JobId } from "#lib/protocol/ids.ts";
import { elementsPerRecord, type RecordTensor } from "#lib/protocol/tensors.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import { readFeedback } from "../aggregation/feedback.ts";
import { encodeLesson } from "../aggregation/memory.ts";
import { type RawOutputs, rawOutput, rawPrecision, readRawOutputs, writeObject } from "../aggregation/raw-outputs.ts";
import { objectSections } from "../dataset-sections.ts";
import { outputPart, resultsName } from "../jobs/results.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  objectsFolder: z.string(),
  jobId: JobId,
  version: z.int().positive(),
  dataset: z.object({ objectName: ObjectName, description: DatasetDescription }),
  reducer: Reducer,
  task: AggregationTask.nullable(),
  prior: z.object({ version: z.string(), shared: z.instanceof(Float64Array) }),
  priorProven: z.boolean(),
});
export type AggregateInput = z.input<typeof Input>;

const CHUNK_RECORDS = 4_096;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const { jobId, version } = input;
  const objects = openDiskObjects(input.objectsFolder);
  const rawOutputs = await readRawOutputs(objects, jobId);
  const feedback = await readFeedback(objects, jobId);
  const labels = await labelsOf(input, objects, rawOutputs.records);
  for (const [record, target] of feedback.labels) labels[record] = target;
  const scores = feedback.ratings.map(({ score }) => score);

  const aggregated = await aggregateJob(jobOutputs(objects, jobId, rawOutputs), {
    reducer: input.reducer,
    task: input.task ?? undefined,
    labels,
    feedback: feedback.labels.length > 0,
    prior: input.prior,
    priorProven: input.priorProven,
    ratings: {
      count: scores.length,
      mean: scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length,
    },
  });
  const written = aggregated.asTheyAre
    ? await asTheyAre(objects, jobId, version, rawOutputs)
    : await combined(objects, jobId, version, rawOutputs, aggregated.apply);
  return {
    ...written,
    records: rawOutputs.records,
    report: aggregated.report,
    feedbackChanges: feedback.changes,
    lesson: aggregated.lesson ? encodeLesson(aggregated.lesson) : null,
    trial: aggregated.trial,
  };
});

async function labelsOf({ dataset }: z.infer<typeof Input>, objects: ObjectStore, records: number) {
  const reader = openDataset(dataset.description, objectSections(objects, dataset.objectName));
  const labels = new Float64Array(records).fill(Number.NaN);
  if (!dataset.description.label) return labels;
  for (let start = 0; start < records; start += CHUNK_RECORDS) {
    labels.set((await reader.readLabels(start, Math.min(CHUNK_RECORDS, records - start))) ?? [], start);
  }
  return labels;
}

/** The first output of every member is what is aggregated. */
function jobOutputs(objects: ObjectStore, jobId: JobId, raw: RawOutputs): JobOutputs {
  const pieces = raw.pieces.length;
  const width = elementsPerRecord(raw.members[0]!.outputs[0]!);
  return {
    records: raw.records,
    width,
    pieces: raw.pieces,
    members: raw.members.map(({ name }, m) => ({
      name,
      read: async (start, count) => floats(objects, rawOutput(jobId, m, 0), start * pieces, count * pieces, width),
      precision: async (start, count) =>
        objects.read(rawPrecision(jobId, m), { offset: start * pieces, bytes: count * pieces }),
    })),
  };
}

async function floats(objects: ObjectStore, name: ObjectName, start: number, count: number, width: number) {
  return viewOf("FP32", await objects.read(name, { offset: 4 * start * width, bytes: 4 * count * width }));
}

interface Written {
  readonly outputs: readonly RecordTensor[];
  readonly parts: readonly ObjectName[];
  readonly missing: readonly { readonly start: number; readonly count: number }[];
}

/** Every segment's output, one after the other; of a single segment, the raw outputs are the results already. */
async function asTheyAre(objects: ObjectStore, jobId: JobId, version: number, raw: RawOutputs): Promise<Written> {
  const { members, pieces, records } = raw;
  const first = members[0]!;
  if (members.length * pieces.length === 1) {
    const parts = first.outputs.map((_, output) => rawOutput(jobId, 0, output));
    return { outputs: first.outputs, parts, missing: first.missing };
  }
  const output = first.outputs[0]!;
  const part = resultsName(jobId, version, outputPart(0));
  const sources = jobOutputs(objects, jobId, raw);
  await writeObject(objects, part, async (writer) => {
    for (let start = 0; start < records; start += CHUNK_RECORDS) {
      const count = Math.min(CHUNK_RECORDS, records - start);
      await writer.append(new Uint8Array((await joinedOutputs(sources, start, count)).buffer));
    }
  });
  const shape = [members.length * pieces.length, ...output.shape];
  return { outputs: [{ ...output, dtype: "FP32", shape }], parts: [part], missing: [] };
}

async function combined(
  objects: ObjectStore,
  jobId: JobId,
  version: number,
  raw: RawOutputs,
  apply: (start: number, count: number) => Promise<Float32Array>,
): Promise<Written> {
  const output = raw.members[0]?.outputs[0];
  if (!output) throw new FluxError("internal", "The job has no output to aggregate.");
  const part = resultsName(jobId, version, outputPart(0));
  const width = elementsPerRecord(output);
  const missing: { start: number; count: number }[] = [];
  await writeObject(objects, part, async (writer) => {
    for (let start = 0; start < raw.records; start += CHUNK_RECORDS) {
      const count = Math.min(CHUNK_RECORDS, raw.records - start);
      const answers = await apply(start, count);
      for (let r = 0; r < count; r++) {
        if (!Number.isNaN(answers[r * width])) continue;
        const last = missing.at(-1);
        if (last && last.start + last.count === start + r) last.count++;
        else missing.push({ start: start + r, count: 1 });
      }
      await writer.append(new Uint8Array(answers.buffer, answers.byteOffset, answers.byteLength));
    }
  });
  return { outputs: [{ ...output, dtype: "FP32" }], parts: [part], missing };
}
