/** Runs a model once before its job is accepted (isolated/probe-model.ts). */
import { z } from "zod";
import type { Digest } from "#lib/protocol/ids.ts";
import type { StageInput } from "#lib/protocol/stage.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { ProbeInput } from "../isolated/probe-model.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";

export interface ProbeRequest {
  readonly model: Digest;
  readonly inputs: readonly StageInput[];
  /** The model's batch axis is one. */
  readonly fixedBatch: boolean;
  /** Stored bytes of `records` records, as a donor would get them. */
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly records: number;
}

const Report = z.object({
  /** One record's outputs, without the batch axis. */
  outputs: z.array(RecordTensor).min(1).max(64),
  /** Records that a kernel runs at once. */
  batchRecords: z.int().positive(),
  /** On one thread of this machine, warm. */
  msPerRecord: z.number().positive(),
});
export type ProbeReport = z.infer<typeof Report>;

/** @throws FluxError model_unsupported with the runtime's reason */
export type ModelProbe = (request: ProbeRequest) => Promise<ProbeReport>;

const TASK = new URL("../isolated/probe-model.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 120_000,
  heapMiB: 1024,
  onLimit: {
    code: "model_unsupported",
    detail: "Running the model on a few records took too long or too much memory for a browser. Use a smaller model.",
  },
};

export function modelProbe(blobs: BlobStore): ModelProbe {
  return async ({ model, inputs, fixedBatch, payload, records }) => {
    const path = blobs.path(model);
    if (path === undefined) throw new Error("models are probed from blobs on this machine's disk");
    const input: ProbeInput = { path, inputs: [...inputs], payload, records, fixedBatch };
    return Report.parse(await runIsolated(TASK, input, LIMITS));
  };
}
