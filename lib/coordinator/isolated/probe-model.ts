/**
 * Task: runs a model on the first records of its dataset, on one thread, with onnxruntime or TensorFlow.js. Finds the outputs'
 * shapes, the batch size that is worth while, and the time of a record, before anyone is asked to compute.
 */
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web/wasm";
import { z } from "zod";
import { decodeInput, type TensorData } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { StageInput } from "#lib/protocol/stage.ts";
import { bytesPerRecord, Dtype, type RecordTensor } from "#lib/protocol/tensors.ts";
import { openTfjsModel } from "#worker/kernels/tfjs.ts";
import { serveTask } from "./task.ts";
import { limitWasmMemory } from "./wasm-memory.ts";

const Input = z.object({
  path: z.string(),
  /** TensorFlow.js' own file of that format; null: an ONNX file. */
  tfjs: z.enum(["layers", "graph"]).nullable(),
  /** As the model's upload was answered; a TensorFlow.js graph tells no useful names itself. */
  outputNames: z.array(z.string()),
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
const TFJS_TYPES: ReadonlyMap<string, Dtype> = new Map([
  ["float32", "FP32"],
  ["int32", "INT32"],
  ["bool", "BOOL"],
]);
/** A donor has less; what does not fit here fits nowhere. */
const WASM_BYTES = 2 ** 30;

/** One record's input, decoded as donors decode it. */
interface Fed {
  readonly name: string;
  readonly data: TensorData;
  readonly dtype: Dtype;
  readonly shape: number[];
}

interface Output {
  readonly name: string;
  /** As the runtime calls it. */
  readonly type: string;
  readonly dtype: Dtype | undefined;
  readonly dims: readonly number[];
  readonly values: ArrayLike<number>;
}

type Run = (inputs: readonly Fed[]) => Promise<readonly Output[]>;

await serveTask(async (raw) => {
  const task = Input.parse(raw);
  limitWasmMemory(WASM_BYTES);
  const model = new Uint8Array(await readFile(task.path));
  const runModel = task.tfjs ? await openTfjs(model, task.tfjs, task.outputNames) : await openOnnx(model);

  const run = (records: number) => {
    let at = 0;
    const inputs = task.inputs.map((input): Fed => {
      const stride = bytesPerRecord(input.stored);
      // Copied, so that the decoder's views lie aligned whatever the payload's offset.
      const stored = new Uint8Array(task.payload.subarray(at, at + records * stride));
      at += task.records * stride;
      const { dtype, shape } = input.model;
      return { name: input.name, data: decodeInput(input, stored, records), dtype, shape: [records, ...shape] };
    });
    return runModel(inputs).catch((cause: unknown) => {
      throw new FluxError(
        "model_unsupported",
        `The model fails on the dataset's first records: ${reason(cause)}. Run it on these records with ${task.tfjs ? "TensorFlow.js" : "onnxruntime"} to see why.`,
      );
    });
  };

  const batches = task.fixedBatch ? [1] : BATCHES.filter((batch) => batch <= task.records);
  let best = { batchRecords: 1, msPerRecord: Number.POSITIVE_INFINITY };
  let outputs: RecordTensor[] = [];
  let firstRecord: number[][] = [];
  for (const batch of batches) {
    const got = await run(batch);
    outputs = describeOutputs(got, batch);
    firstRecord = got.map(({ values }) => Array.from(values).slice(0, values.length / batch));
    const msPerRecord = (await timeOf(() => run(batch))) / batch;
    if (msPerRecord < WORTH_WHILE * best.msPerRecord) best = { batchRecords: batch, msPerRecord };
  }
  return { outputs, firstRecord, ...best };
});

async function openOnnx(model: Uint8Array): Promise<Run> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }).catch((cause: unknown) => {
    throw new FluxError(
      "model_unsupported",
      `onnxruntime-web cannot open the model: ${reason(cause)}. Export it with standard ONNX operators, opset 21 or lower.`,
    );
  });
  return async (inputs) => {
    const feeds = inputs.map(({ name, data, dtype, shape }) => [name, new ort.Tensor(ORT_TYPES[dtype], data, shape)]);
    const results = await session.run(Object.fromEntries(feeds));
    return session.outputNames.map((name) => {
      const output = results[name];
      const dtype = Dtype.safeParse(Object.entries(ORT_TYPES).find(([, type]) => type === output?.type)?.[0]);
      return {
        name,
        type: output?.type ?? "missing",
        dtype: dtype.data,
        dims: output?.dims ?? [],
        values: dtype.success && output ? numbersOf(output.data) : [],
      };
    });
  };
}

async function openTfjs(
  model: Uint8Array<ArrayBuffer>,
  format: "layers" | "graph",
  names: readonly string[],
): Promise<Run> {
  const { predict, outputs: ports, free } = await openTfjsModel("wasm", format, model);
  return async (inputs) => {
    const outputs = await predict(inputs);
    const described = await Promise.all(
      outputs.map(async (output, index) => ({
        name: names[index] ?? ports[index]?.name ?? `output_${index}`,
        type: output.dtype,
        dtype: TFJS_TYPES.get(output.dtype),
        dims: output.shape,
        values: TFJS_TYPES.has(output.dtype) ? await output.data() : [],
      })),
    );
    free(outputs);
    return described;
  };
}

function numbersOf(data: ort.Tensor["data"]): ArrayLike<number> {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return Array.isArray(data) ? [] : data;
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

function describeOutputs(outputs: readonly Output[], records: number): RecordTensor[] {
  return outputs.map(({ name, type, dtype, dims }) => {
    if (!dtype) {
      throw new FluxError(
        "model_unsupported",
        `The output "${name}" is ${type}, which is not a number type: remove it from the model's outputs (zipmap=False for scikit-learn models).`,
      );
    }
    const [rows, ...shape] = dims;
    if (rows !== records) {
      throw new FluxError(
        "model_unsupported",
        `The output "${name}" has shape [${dims.join(", ")}] for ${records} records: its first axis must be the records'. Change the model so that it gives one row a record.`,
      );
    }
    return { name, dtype, shape };
  });
}

function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/\s+/g, " ").slice(0, 300);
}
