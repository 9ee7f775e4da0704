/**
 * One thread of the checking pool: keeps some models open, recomputes sampled records with the very code that donors run,
 * and says which of them differ.
 */
import { readFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import {
  calibrate,
  differingRecords,
  driftOf,
  isExcused,
  type OutputTolerance,
  type OutputValues,
  shaken,
} from "#lib/integrity/tolerance.ts";
import type { TensorData } from "#lib/protocol/decode.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { openOnnxSession } from "#worker/kernels/onnx.ts";
import { type RunBatch, runRecords } from "#worker/kernels/records.ts";
import { openTfjsSession } from "#worker/kernels/tfjs.ts";
import { loadOrt } from "#worker/runtimes/ort.ts";
import { limitWasmMemory } from "../isolated/wasm-memory.ts";
import type { CheckReply, CheckTask, Found } from "./messages.ts";

/** Models of this many running stages stay open. */
const OPEN_MODELS = 4;
/** All open models of a thread together. */
const WASM_BYTES = 1024 ** 3;
const SHAKEN_RUNS = 3;
/** The second look decides about a refusal: it may cost more. */
const SECOND_LOOK_RUNS = 12;

interface OpenModel {
  readonly runBatch: RunBatch;
  readonly release: () => Promise<void>;
  tolerances: OutputTolerance[] | undefined;
}

const models = new Map<string, OpenModel>();

if (!parentPort) throw new Error("this module is the entry of a worker thread");
const port = parentPort;
limitWasmMemory(WASM_BYTES);
const wasmPath = new URL(".", import.meta.resolve("onnxruntime-web/wasm")).href;

let previous = Promise.resolve();
port.on("message", (task: CheckTask) => {
  previous = previous.then(async () => port.postMessage(await answer(task)));
});

async function answer(task: CheckTask): Promise<CheckReply> {
  try {
    return { id: task.id, ok: true, found: await compare(task) };
  } catch (error) {
    return { id: task.id, ok: false, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function compare(task: CheckTask): Promise<Found> {
  const model = await open(task);
  const reference = await run(task, model.runBatch);
  model.tolerances ??= calibrate(reference, await shakenRuns(task, model.runBatch, SHAKEN_RUNS));
  for (const [output, tolerance] of model.tolerances.entries()) {
    for (const value of reference[output]!.values) {
      if (Number.isFinite(value)) tolerance.scale = Math.max(tolerance.scale, Math.abs(value));
    }
  }
  const result = split(task.spec, task.result, task.records);
  const { tolerances } = model;
  const drift = driftOf(reference, result, tolerances);
  const suspects = differingRecords(reference, result, tolerances);
  if (suspects.length === 0) return { wrongRecords: [], drift };
  const runs = await shakenRuns(task, model.runBatch, SECOND_LOOK_RUNS);
  return { wrongRecords: suspects.filter((record) => !isExcused(reference, result, runs, tolerances, record)), drift };
}

async function run(task: CheckTask, runBatch: RunBatch): Promise<OutputValues[]> {
  const bytes = await runRecords(
    task.spec,
    { payload: task.payload, unitCount: task.records },
    runBatch,
    async () => {},
  );
  return split(task.spec, bytes, task.records);
}

/** The same records with inputs moved in their last bits. */
async function shakenRuns(task: CheckTask, runBatch: RunBatch, count: number): Promise<OutputValues[][]> {
  const shake = (data: TensorData) => (data instanceof Float32Array ? shaken(data, Math.random) : data);
  const runs: OutputValues[][] = [];
  for (let i = 0; i < count; i++) {
    runs.push(await run(task, (inputs, records) => runBatch(inputs.map(shake), records)));
  }
  return runs;
}

/** FP32 result bytes by output. Copied, so that the floats lie aligned. */
function split(spec: CheckTask["spec"], bytes: Uint8Array, records: number): OutputValues[] {
  let offset = 0;
  return spec.outputs.map((output) => {
    const width = elementsPerRecord(output);
    const end = offset + 4 * width * records;
    const values = new Float32Array(bytes.slice(offset, end).buffer);
    offset = end;
    return { width, values };
  });
}

/** Least recently used models are closed first. */
async function open({ modelPath, spec }: CheckTask): Promise<OpenModel> {
  // Outputs and inputs belong to the stage, the session to the model: one model may serve stages with other inputs.
  const key = `${spec.model.digest} ${JSON.stringify([spec.inputs, spec.outputs])}`;
  const known = models.get(key);
  if (known) {
    models.delete(key);
    models.set(key, known);
    return known;
  }
  const opened: OpenModel = {
    ...(await openSession(spec, new Uint8Array(await readFile(modelPath)))),
    tolerances: undefined,
  };
  models.set(key, opened);
  for (const [oldest, model] of models) {
    if (models.size <= OPEN_MODELS) break;
    models.delete(oldest);
    await model.release();
  }
  return opened;
}

async function openSession(
  spec: CheckTask["spec"],
  model: Uint8Array<ArrayBuffer>,
): Promise<Omit<OpenModel, "tolerances">> {
  if (spec.kernel === "tfjs") {
    const { runBatch, dispose } = await openTfjsSession("wasm", spec, model);
    return { runBatch, release: async () => dispose() };
  }
  const { runBatch, release } = await openOnnxSession(
    await loadOrt("wasm", { threads: 1, wasmPath }),
    "wasm",
    spec,
    model,
  );
  return { runBatch, release };
}
