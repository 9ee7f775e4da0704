/**
 * Aggregation where the key is: the decrypted outputs of all members become one answer a record, with the labels of the dataset
 * and of feedback. The same code as on the coordinator, which sees neither outputs nor labels of these jobs.
 */
import { aggregateJob } from "#lib/aggregation/aggregate-job.ts";
import { type JobOutputs, joinedOutputs } from "#lib/aggregation/job-outputs.ts";
import { freshPrior } from "#lib/aggregation/train.ts";
import { mergeFeedback, NO_FEEDBACK, type RatedRecords, StoredFeedback } from "#lib/dataset/merge-feedback.ts";
import type { ResultSource } from "#lib/dataset/results/index.ts";
import type { AggregationReport, Feedback, Reducer } from "#lib/protocol/api/aggregation.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { chunksOf, type DecryptedOutputs, decryptedOutputs, readRecords, recordsOf, resultSource } from "./results.ts";
import { FEEDBACK_BLOB, type JobStore, jsonBlob, labelsBlob, readJson, type SealedState } from "./stores.ts";

export interface SealedAnswers {
  readonly source: ResultSource;
  /** Answers of some records, output after output: `[count, …shape]` as `source.outputs` says. */
  readonly read: (start: number, count: number) => Promise<Float32Array<ArrayBuffer>[]>;
  readonly report: AggregationReport;
}

/**
 * Aggregates a job whose batches are all decrypted. Without labels members are averaged.
 * @param reducer @default what the job was submitted with
 */
export async function aggregateSealed(
  store: JobStore,
  state: SealedState,
  reducer: Reducer = state.aggregation,
): Promise<SealedAnswers> {
  const decrypted = decryptedOutputs(store, state);
  const output = state.members[0]?.[0];
  if (!output) throw new FluxError("internal", "The job has no output to aggregate.");
  const feedback = await readFeedback(store, state);
  const labels = await labelsOf(store, state);
  for (const [record, target] of feedback.labels) labels[record] = target;
  const scores = feedback.ratings.map(({ score }) => score);
  const outputs = outputsOf(decrypted);
  const { report, asTheyAre, apply } = await aggregateJob(outputs, {
    reducer,
    labels,
    feedback: feedback.labels.length > 0,
    // What other jobs taught lies with the coordinator, and nothing of this one goes there.
    prior: freshPrior(),
    priorProven: false,
    ratings: {
      count: scores.length,
      mean: scores.length > 0 ? scores.reduce((a, b) => a + b, 0) / scores.length : null,
    },
  });
  const segments = state.members.length * state.pieces.length;
  const read = async (start: number, count: number): Promise<Float32Array<ArrayBuffer>[]> => {
    if (!asTheyAre) return [Float32Array.from(await apply(start, count))];
    if (segments > 1) return [await joinedOutputs(outputs, start, count)];
    const own = state.members[0]!.keys();
    return Promise.all([...own].map((index) => readRecords(decrypted, { member: 0, output: index }, start, count)));
  };
  if (asTheyAre && segments === 1) return { source: resultSource(decrypted), read, report };
  const shape = asTheyAre ? [segments, ...output.shape] : [...output.shape];
  const source: ResultSource = {
    records: state.records,
    outputs: [{ ...output, dtype: "FP32", shape }],
    idName: state.idName,
    chunks: () => chunksOf(decrypted, read),
  };
  return { source, read, report };
}

/** Keeps labels and ratings here, whole or not at all. @returns how many are new */
export async function addSealedFeedback(
  store: JobStore,
  state: SealedState,
  sent: Feedback,
  nowMs: number,
): Promise<{ readonly labels: number; readonly ratings: number }> {
  const before = await readFeedback(store, state);
  const merged = await mergeFeedback(sent, before, ratedRecords(store, state), nowMs);
  await store.put(state.job, FEEDBACK_BLOB, jsonBlob(merged.feedback));
  return { labels: merged.labels, ratings: merged.ratings };
}

async function readFeedback(store: JobStore, state: SealedState): Promise<StoredFeedback> {
  const blob = await store.get(state.job, FEEDBACK_BLOB);
  return blob ? StoredFeedback.parse(await readJson(blob)) : NO_FEEDBACK;
}

async function labelsOf(store: JobStore, state: SealedState): Promise<Float64Array> {
  const labels = new Float64Array(state.records).fill(Number.NaN);
  for (let batch = 0; batch < state.batches; batch++) {
    const blob = await store.get(state.job, labelsBlob(batch));
    if (blob) labels.set(new Float64Array(await blob.arrayBuffer()), recordsOf(state, batch).start);
  }
  return labels;
}

/** Exact lanes, decrypted: precision class 0. */
function outputsOf(decrypted: DecryptedOutputs): JobOutputs {
  const { state } = decrypted;
  const width = elementsPerRecord(state.members[0]![0]!);
  return {
    records: state.records,
    width,
    pieces: state.pieces,
    members: state.members.map((_, member) => ({
      name: state.models[member]?.name ?? `member ${member + 1}`,
      precision: async (_start, count) => new Uint8Array(count * state.pieces.length),
      read: (start, count) => readRecords(decrypted, { member, output: 0 }, start, count),
    })),
  };
}

function ratedRecords(store: JobStore, state: SealedState): RatedRecords {
  const decrypted = decryptedOutputs(store, state);
  return {
    description: {
      records: state.records,
      id: state.idName === null ? null : { name: state.idName },
      label: state.label,
    },
    readLabels: async (start, count) =>
      state.label === null ? null : (await labelsOf(store, state)).slice(start, start + count),
    async findIds(wanted) {
      const found = new Map<string, number>();
      for (let batch = 0; batch < state.batches; batch++) {
        (await decrypted.ids(batch))?.forEach((id, row) => {
          if (wanted.has(id)) found.set(id, recordsOf(state, batch).start + row);
        });
      }
      return found;
    },
  };
}
