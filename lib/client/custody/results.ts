/**
 * The seam between decryption and everything behind it: decrypted outputs, batch by batch, as records in dataset order. Results files
 * and aggregation read them here, in the command line and in the browser alike.
 */

import { z } from "zod";
import type { ResultChunk, ResultSource } from "#lib/dataset/results/index.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { decryptedBlob, idsBlob, type JobStore, outputsBlob, readJson, type SealedState } from "./stores.ts";

export interface DecryptedOutputs {
  readonly state: SealedState;
  /** Are all of a batch's outputs here? */
  has(batch: number): Promise<boolean>;
  /** One member's outputs of a batch, in the order of `state.members[member]`: FP32 `[rows, …shape]`. */
  read(batch: number, member: number): Promise<Float32Array<ArrayBuffer>[]>;
  /** The ids of the records whose first piece is in a batch; null where there is no id column. */
  ids(batch: number): Promise<string[] | null>;
}

export function decryptedOutputs(store: JobStore, state: SealedState): DecryptedOutputs {
  const { job } = state;
  const get = async (name: string) => {
    const blob = await store.get(job, name);
    if (blob) return blob;
    throw new FluxError("conflict", `Not every batch of ${job} is decrypted yet: run \`flux resume ${job}\`.`);
  };
  return {
    state,
    has: async (batch) => (await store.get(job, decryptedBlob(batch))) !== undefined,
    async read(batch, member) {
      const outputs: Float32Array<ArrayBuffer>[] = [];
      for (const [output] of (state.members[member] ?? []).entries()) {
        outputs.push(new Float32Array(await (await get(outputsBlob(batch, member, output))).arrayBuffer()));
      }
      return outputs;
    },
    async ids(batch) {
      if (state.idName === null) return null;
      return z.array(z.string()).parse(await readJson(await get(idsBlob(batch))));
    },
  };
}

/** The records whose first piece is in a batch: every record belongs to one, although its last pieces may be in the next. */
export function recordsOf(
  { records, recordsPerBatch, pieces }: Pick<SealedState, "records" | "recordsPerBatch" | "pieces">,
  batch: number,
): { readonly start: number; readonly count: number } {
  const firstFrom = (row: number) => Math.min(records, Math.ceil(row / pieces.length));
  const start = firstFrom(batch * recordsPerBatch);
  return { start, count: firstFrom((batch + 1) * recordsPerBatch) - start };
}

/** One output of one member for some records, from as many batches as they lie in: `[count, pieces, …shape]`. */
export async function readRecords(
  decrypted: DecryptedOutputs,
  { member, output }: { readonly member: number; readonly output: number },
  start: number,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const { recordsPerBatch, pieces, members } = decrypted.state;
  const width = elementsPerRecord(members[member]![output]!);
  const from = start * pieces.length;
  const to = (start + count) * pieces.length;
  const values = new Float32Array((to - from) * width);
  for (let at = from; at < to; ) {
    const batch = Math.floor(at / recordsPerBatch);
    const first = batch * recordsPerBatch;
    const end = Math.min(to, first + recordsPerBatch);
    const rows = (await decrypted.read(batch, member))[output]!;
    values.set(rows.subarray((at - first) * width, (end - first) * width), (at - from) * width);
    at = end;
  }
  return values;
}

/** One member's outputs as a results file is written from them: of all pieces, where records are cut. */
export function resultSource(decrypted: DecryptedOutputs, member = 0): ResultSource {
  const { state } = decrypted;
  const outputs = state.members[member];
  if (!outputs) throw new FluxError("not_found", `The job has no member ${member}.`);
  const { length } = state.pieces;
  return {
    records: state.records,
    outputs: outputs.map((output) => (length === 1 ? output : { ...output, shape: [length, ...output.shape] })),
    idName: state.idName,
    chunks: () =>
      chunksOf(decrypted, (start, count) =>
        Promise.all(outputs.map((_, output) => readRecords(decrypted, { member, output }, start, count))),
      ),
  };
}

/** Results of all records, a batch's worth at a time. */
export async function* chunksOf(
  decrypted: DecryptedOutputs,
  read: (start: number, count: number) => Promise<Float32Array<ArrayBuffer>[]>,
): AsyncGenerator<ResultChunk> {
  const { state } = decrypted;
  for (let batch = 0; batch < state.batches; batch++) {
    const { start, count } = recordsOf(state, batch);
    if (count > 0) yield { start, ids: await decrypted.ids(batch), outputs: await read(start, count) };
  }
}
