/** Runs a model once before its job is accepted (isolated/probe-model.ts). */
import { z } from "zod";
import type { StageInput } from "#lib/protocol/stage.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import type { ProbeInput } from "../isolated/probe-model.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import type { ModelRun } from "./runtimes.ts";

export interface ProbeRequest {
  readonly run: ModelRun;
  readonly outputNames: readonly string[];
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
  /** The first record's outputs, flat: two runtimes of one model must agree on them. */
  firstRecord: z.array(z.array(z.number().or(z.nan()))),
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
  return async ({ run, outputNames, inputs, fixedBatch, payload, records }) => {
    const path = blobs.path(run.digest);
    if (path === undefined) throw new Error("models are probed from blobs on this machine's disk");
    const tfjs = run.runtime === "tfjs" ? run.format : null;
    const names = [...outputNames];
    const input: ProbeInput = { path, tfjs, outputNames: names, inputs: [...inputs], payload, records, fixedBatch };
    return Report.parse(await runIsolated(TASK, input, LIMITS));
  };
}
