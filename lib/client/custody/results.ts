/**
 * The seam between decryption and everything behind it: decrypted outputs, batch by batch, as records in dataset order. Results files
 * and aggregation read them here, in the command line and in the browser alike.
 */

import { z } from "zod";
import type { ResultChunk, ResultSource } from "#lib/dataset/results/index.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { decryptedBlob, idsBlob, type JobStore, outputsBlob, readJson, type SealedState } from "./stores.ts";

export interface DecryptedOutputs {
  readonly state: SealedState;
  /** Are all of a batch's outputs here? */
  has(batch: number): Promise<boolean>;
  /** One member's outputs of a batch, in the order of `state.members[member]`: FP32 `[records, …shape]`. */
  read(batch: number, member: number): Promise<Float32Array<ArrayBuffer>[]>;
  /** The id column of a batch; null where there is none. */
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

/** Records that a batch holds. */
export function recordsIn(state: SealedState, batch: number): number {
  return Math.min(state.recordsPerBatch, state.records - batch * state.recordsPerBatch);
}

/** One member's outputs as a results file is written from them. */
export function resultSource(decrypted: DecryptedOutputs, member = 0): ResultSource {
  const { state } = decrypted;
  const outputs = state.members[member];
  if (!outputs) throw new FluxError("not_found", `The job has no member ${member}.`);
  return {
    records: state.records,
    outputs,
    idName: state.idName,
    async *chunks(): AsyncGenerator<ResultChunk> {
      for (let batch = 0; batch < state.batches; batch++) {
        yield {
          start: batch * state.recordsPerBatch,
          ids: await decrypted.ids(batch),
          outputs: await decrypted.read(batch, member),
        };
      }
    },
  };
}
