/** TensorFlow.js models (layers and graph) on tfjs's WASM backend, or WebGPU where that gives the same numbers sooner. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { TensorData } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { TfjsStageSpec } from "#lib/protocol/stage.ts";
import type { Dtype } from "#lib/protocol/tensors.ts";
import { readTfjsArtefact } from "#lib/protocol/tfjs-artefact.ts";
import { loadTfjs, loadTfjsConverter, loadTfjsLayers, type Tfjs, type TfjsBackend } from "../runtimes/tfjs.ts";
import type { Kernel, PreparedStage } from "./kernel.ts";
import { largestDifference, type RunBatch, runRecords, sampleInputs } from "./records.ts";

/** As in onnx.ts. */
const GPU_TOLERANCE = 2e-5;

interface OpenModel {
  readonly runBatch: RunBatch;
  dispose(): void;
}

/** An input or output as TensorFlow.js names it; axes of any length, the batch axis among them, are −1. */
export interface TfjsPort {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[] | undefined;
}

/** A model that TensorFlow.js has opened on one backend. */
export interface TfjsModel {
  readonly inputs: readonly TfjsPort[];
  readonly outputs: readonly TfjsPort[];
  /** One tensor per input, in their order, to one per output. The caller frees what comes back with `free`. */
  predict(inputs: readonly TfjsInput[]): Promise<readonly Tensor[]>;
  free(tensors: readonly Tensor[]): void;
  dispose(): void;
}

export interface TfjsInput {
  readonly data: TensorData;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export const tfjsKernel: Kernel<TfjsStageSpec> = {
  async prepare(spec, artefact, context) {
    const wasm = await openTfjsSession("wasm", spec, artefact);
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
    const gpu = await openTfjsSession("webgpu", spec, artefact);
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

/** One stage's model on one backend. The coordinator checks results with the same function. */
export async function openTfjsSession(
  backend: TfjsBackend,
  spec: TfjsStageSpec,
  artefact: Uint8Array<ArrayBuffer>,
): Promise<OpenModel> {
  const model = await openTfjsModel(backend, spec.format, artefact);
  return {
    async runBatch(inputs, records) {
      const outputs = await model.predict(
        spec.inputs.map(({ model: { dtype, shape } }, index) => ({
          data: inputs[index]!,
          dtype,
          shape: [records, ...shape],
        })),
      );
      try {
        return await Promise.all(outputs.map(async (output) => Float32Array.from(await output.data())));
      } finally {
        model.free(outputs);
      }
    },
    dispose: model.dispose,
  };
}

/** @throws FluxError model_unreadable, or model_unsupported with TensorFlow.js's reason */
export async function openTfjsModel(
  backend: TfjsBackend,
  format: TfjsStageSpec["format"],
  artefact: Uint8Array<ArrayBuffer>,
): Promise<TfjsModel> {
  const { topology, weights } = readTfjsArtefact(artefact);
  const core = await loadTfjs(backend);
  const handler = { load: async () => ({ ...topology, weightData: weights }) };
  try {
    const model =
      format === "layers"
        ? await (await loadTfjsLayers()).loadLayersModel(handler)
        : await (await loadTfjsConverter()).loadGraphModel(handler);
    return {
      inputs: model.inputs.map(portOf),
      outputs: model.outputs.map(portOf),
      async predict(inputs) {
        // The backend is global to tfjs: another stage may have changed it.
        if (core.getBackend() !== backend) await core.setBackend(backend);
        const tensors = inputs.map(({ data, dtype, shape }) => tensorOf(core, data, dtype, shape));
        const kept = new Set<Tensor>();
        try {
          const predicted: unknown = model.predict((tensors.length === 1 ? tensors[0] : tensors) as never);
          for (const output of Array.isArray(predicted) ? predicted : [predicted]) {
            if (!(output instanceof core.Tensor)) {
              throw new FluxError("model_unsupported", "The model's answer is no tensor");
            }
            kept.add(output);
          }
          return [...kept];
        } finally {
          // An output may be an input as it came.
          core.dispose(tensors.filter((tensor) => !kept.has(tensor)));
        }
      },
      free: (tensors) => core.dispose([...tensors]),
      dispose: () => model.dispose(),
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FluxError("model_unsupported", `TensorFlow.js cannot open the model: ${why}`, { cause });
  }
}

/** A symbolic tensor's shape has null for the batch axis; a graph's has −1, or is missing. */
function portOf({ name, dtype, shape }: { name: string; dtype: string; shape?: readonly (number | null)[] }): TfjsPort {
  return { name, dtype, shape: shape?.map((axis) => axis ?? -1) };
}

function tensorOf(core: Tfjs, data: TensorData, dtype: Dtype, shape: readonly number[]): Tensor {
  switch (dtype) {
    case "FP32":
    case "FP64":
      return core.tensor(data instanceof Float32Array ? data : Float32Array.from(data, Number), [...shape], "float32");
    case "BOOL":
      return core.tensor(Uint8Array.from(data, Number), [...shape], "bool");
    default:
      return core.tensor(data instanceof Int32Array ? data : Int32Array.from(data, Number), [...shape], "int32");
  }
}
