/** TensorFlow.js models (layers and graph) on tfjs's WASM backend, or WebGPU where that gives the same numbers sooner. */
import type { TensorData } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { TfjsStageSpec } from "#lib/protocol/stage.ts";
import { readTfjsArtefact } from "#lib/protocol/tfjs-artefact.ts";
import { loadTfjs, loadTfjsConverter, loadTfjsLayers, type Tfjs, type TfjsBackend } from "../runtimes/tfjs.ts";
import type { Kernel, PreparedStage } from "./kernel.ts";
import { largestDifference, type RunBatch, runRecords, sampleInputs } from "./records.ts";

/** As in onnx.ts. */
const GPU_TOLERANCE = 2e-5;

interface OpenModel {
  runBatch: RunBatch;
  dispose(): void;
}

export const tfjsKernel: Kernel<TfjsStageSpec> = {
  async prepare(spec, artefact, context) {
    const wasm = await openModel("wasm", spec, artefact);
    const gpu = context.allowed.includes("tfjs-webgpu") ? await openFasterGpu(spec, artefact, wasm) : null;
    if (gpu) wasm.dispose();
    return prepared(spec, gpu ?? wasm, gpu ? "tfjs-webgpu" : "tfjs-wasm");
  },
};

function prepared(spec: TfjsStageSpec, model: OpenModel, runtime: PreparedStage["runtime"]): PreparedStage {
  return {
    runtime,
    run: (task, breathe) => runRecords(spec, task, model.runBatch, breathe),
    dispose: async () => model.dispose(),
  };
}

async function openFasterGpu(
  spec: TfjsStageSpec,
  artefact: Uint8Array<ArrayBuffer>,
  wasm: OpenModel,
): Promise<OpenModel | null> {
  try {
    const gpu = await openModel("webgpu", spec, artefact);
    const sample = sampleInputs(spec, spec.batchRecords);
    const expected = await timed(wasm.runBatch, sample, spec.batchRecords);
    const got = await timed(gpu.runBatch, sample, spec.batchRecords);
    if (largestDifference(expected.values, got.values) <= GPU_TOLERANCE && got.ms < expected.ms) return gpu;
    gpu.dispose();
  } catch {
    // No adapter, or an operator that the GPU backend lacks: WASM has it.
  }
  return null;
}

async function timed(runBatch: RunBatch, inputs: readonly TensorData[], records: number) {
  const values = await runBatch(inputs, records);
  const startMs = performance.now();
  await runBatch(inputs, records);
  return { values, ms: performance.now() - startMs };
}

async function openModel(
  backend: TfjsBackend,
  spec: TfjsStageSpec,
  artefact: Uint8Array<ArrayBuffer>,
): Promise<OpenModel> {
  const { topology, weights } = readTfjsArtefact(artefact);
  const core = await loadTfjs(backend);
  const handler = { load: async () => ({ ...topology, weightData: weights }) };
  try {
    const model =
      spec.format === "layers"
        ? await (await loadTfjsLayers()).loadLayersModel(handler)
        : await (await loadTfjsConverter()).loadGraphModel(handler);
    return {
      async runBatch(inputs, records) {
        // The backend is global to tfjs: another stage may have changed it.
        if (core.getBackend() !== backend) await core.setBackend(backend);
        return runModel(core, model, spec, inputs, records);
      },
      dispose: () => model.dispose(),
    };
  } catch (cause) {
    throw new FluxError("model_unsupported", `TensorFlow.js cannot open the model: ${String(cause)}`, { cause });
  }
}

type Model = { predict(inputs: never): unknown } & { dispose(): void };

async function runModel(
  core: Tfjs,
  model: Model,
  spec: TfjsStageSpec,
  inputs: readonly TensorData[],
  records: number,
): Promise<Float32Array[]> {
  const tensors = spec.inputs.map(({ model: wanted }, index) =>
    core.tensor(toTfjsData(inputs[index]!), [records, ...wanted.shape], wanted.dtype === "FP32" ? "float32" : "int32"),
  );
  const predicted: unknown = model.predict((tensors.length === 1 ? tensors[0] : tensors) as never);
  const outputs = Array.isArray(predicted) ? predicted : [predicted];
  try {
    return await Promise.all(
      outputs.map(async (output) => {
        if (!(output instanceof core.Tensor))
          throw new FluxError("model_unsupported", "The model's answer is no tensor");
        return Float32Array.from(await output.data());
      }),
    );
  } finally {
    core.dispose(tensors);
    core.dispose(outputs);
  }
}

function toTfjsData(data: TensorData): Float32Array | Int32Array {
  if (data instanceof Float32Array || data instanceof Int32Array) return data;
  if (data instanceof BigInt64Array) return Int32Array.from(data, Number);
  return data instanceof Float64Array ? Float32Array.from(data) : Int32Array.from(data);
}
