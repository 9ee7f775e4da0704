/**
 * Task: runs an ONNX model on the first records of its dataset, on one thread. Finds the outputs' shapes, the batch size
 * that is worth while, and the time of a record, before anyone is asked to compute.
 */
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web/wasm";
import { z } from "zod";
import { decodeInput } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { StageInput } from "#lib/protocol/stage.ts";
import { bytesPerRecord, Dtype, type RecordTensor } from "#lib/protocol/tensors.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  path: z.string(),
  inputs: z.array(StageInput),
  payload: z.instanceof(Uint8Array),
  records: z.int().positive(),
  fixedBatch: z.boolean(),
});
export type ProbeInput = z.input<typeof Input>;

/** Batches that are tried: larger ones keep a WASM thread busier, until their activations leave its cache. */
const BATCHES = [1, 16, 64];
/** A larger batch must be this much faster per record to be worth its memory. */
const WORTH_WHILE = 0.95;

const ORT_TYPES = {
  FP32: "float32",
  FP64: "float64",
  INT8: "int8",
  UINT8: "uint8",
  INT16: "int16",
  UINT16: "uint16",
  INT32: "int32",
  UINT32: "uint32",
  INT64: "int64",
  BOOL: "bool",
} as const satisfies Record<Dtype, string>;

await serveTask(async (raw) => {
  const task = Input.parse(raw);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await openSession(await readFile(task.path));

  const run = async (records: number) => {
    const feeds: Record<string, ort.Tensor> = {};
    let at = 0;
    for (const input of task.inputs) {
      const stride = bytesPerRecord(input.stored);
      // Copied, so that the decoder's views lie aligned whatever the payload's offset.
      const stored = new Uint8Array(task.payload.subarray(at, at + records * stride));
      at += task.records * stride;
      const data = decodeInput(input, stored, records);
      feeds[input.name] = new ort.Tensor(ORT_TYPES[input.model.dtype], data, [records, ...input.model.shape]);
    }
    return session.run(feeds).catch((cause: unknown) => {
      throw new FluxError(
        "model_unsupported",
        `The model fails on the dataset's first records: ${reason(cause)}. Run it on these records with onnxruntime to see why.`,
      );
    });
  };

  const batches = task.fixedBatch ? [1] : BATCHES.filter((batch) => batch <= task.records);
  let best = { batchRecords: 1, msPerRecord: Number.POSITIVE_INFINITY };
  let outputs: RecordTensor[] = [];
  for (const batch of batches) {
    outputs = describeOutputs(await run(batch), session.outputNames, batch);
    const msPerRecord = (await timeOf(() => run(batch))) / batch;
    if (msPerRecord < WORTH_WHILE * best.msPerRecord) best = { batchRecords: batch, msPerRecord };
  }
  return { outputs, ...best };
});

async function openSession(model: Uint8Array): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  } catch (cause) {
    throw new FluxError(
      "model_unsupported",
      `onnxruntime-web cannot open the model: ${reason(cause)}. Export it with standard ONNX operators, opset 21 or lower.`,
    );
  }
}

/** At least two runs and 30 ms, so that small models are not timed by the clock's grain. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let runs = 0;
  do {
    await run();
    runs++;
  } while (runs < 2 || (performance.now() - start < 30 && runs < 50));
  return (performance.now() - start) / runs;
}

function describeOutputs(
  results: ort.InferenceSession.ReturnType,
  names: readonly string[],
  records: number,
): RecordTensor[] {
  return names.map((name) => {
    const output = results[name];
    const dtype = Dtype.safeParse(Object.entries(ORT_TYPES).find(([, type]) => type === output?.type)?.[0]);
    if (!output || !dtype.success) {
      throw new FluxError(
        "model_unsupported",
        `The output "${name}" is ${output?.type ?? "missing"}, which is not a number type: remove it from the model's outputs (zipmap=False for scikit-learn models).`,
      );
    }
    const [rows, ...shape] = output.dims;
    if (rows !== records) {
      throw new FluxError(
        "model_unsupported",
        `The output "${name}" has shape [${output.dims.join(", ")}] for ${records} records: its first axis must be the records'. Change the model so that it gives one row a record.`,
      );
    }
    return { name, dtype: dtype.data, shape };
  });
}

function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/\s+/g, " ").slice(0, 300);
}
