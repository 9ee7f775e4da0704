/**
 * ONNX models on onnxruntime-web. WASM is the reference; WebGPU is taken where the stage's own model gives the same numbers
 * there within a tolerance, and gives them sooner.
 */
import type { TensorData } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { OnnxStageSpec } from "#lib/protocol/stage.ts";
import { loadOrt, ORT_TYPE, type Ort } from "../runtimes/ort.ts";
import type { Kernel, KernelContext, PreparedStage } from "./kernel.ts";
import { largestDifference, type RunBatch, runRecords, sampleInputs } from "./records.ts";

/**
 * Relative to the largest output. Sums in another order move float32 results by some 1e-6 per layer; the coordinator's
 * audit allows 1e-4, so a GPU near that would be refused now and then for nothing.
 */
const GPU_TOLERANCE = 2e-5;
/** Timed after a first run that compiles shaders. */
const TIMED_RUNS = 2;

interface Session {
  runBatch: RunBatch;
  release(): Promise<void>;
}

export const onnxKernel: Kernel<OnnxStageSpec> = {
  async prepare(spec, model, context) {
    const session = context.allowed.includes("ort-webgpu") ? await fasterSession(spec, model, context) : null;
    if (session) return prepared(spec, session.session, session.runtime);
    const ort = await loadOrt("wasm", context);
    return prepared(spec, await openOnnxSession(ort, "wasm", spec, model), "ort-wasm");
  },
};

function prepared(spec: OnnxStageSpec, session: Session, runtime: PreparedStage["runtime"]): PreparedStage {
  return {
    runtime,
    run: (task, breathe) => runRecords(spec, task, session.runBatch, breathe),
    dispose: session.release,
  };
}

/** Opens the model on both backends of the WebGPU build, compares, and keeps one. Null: that build does not work here. */
async function fasterSession(spec: OnnxStageSpec, model: Uint8Array<ArrayBuffer>, context: KernelContext) {
  let ort: Ort;
  let gpu: Session;
  try {
    ort = await loadOrt("webgpu", context);
    gpu = await openOnnxSession(ort, "webgpu", spec, model);
  } catch {
    return null;
  }
  const wasm = await openOnnxSession(ort, "wasm", spec, model);
  const sample = sampleInputs(spec, spec.batchRecords);
  try {
    const expected = await timed(wasm.runBatch, sample, spec.batchRecords);
    const got = await timed(gpu.runBatch, sample, spec.batchRecords);
    if (largestDifference(expected.values, got.values) <= GPU_TOLERANCE && got.ms < expected.ms) {
      await wasm.release();
      return { session: gpu, runtime: "ort-webgpu" as const };
    }
  } catch {
    // A model that the GPU backend cannot run is no news: WASM has it.
  }
  await gpu.release();
  return { session: wasm, runtime: "ort-wasm" as const };
}

async function timed(runBatch: RunBatch, inputs: readonly TensorData[], records: number) {
  const values = await runBatch(inputs, records);
  const startMs = performance.now();
  for (let run = 0; run < TIMED_RUNS; run++) await runBatch(inputs, records);
  return { values, ms: (performance.now() - startMs) / TIMED_RUNS };
}

/** One model on one backend. The coordinator checks results with the same function. */
export async function openOnnxSession(
  ort: Ort,
  backend: "wasm" | "webgpu",
  spec: OnnxStageSpec,
  model: Uint8Array<ArrayBuffer>,
): Promise<Session> {
  const session = await ort.InferenceSession.create(model, { executionProviders: [backend] }).catch(
    (cause: unknown) => {
      throw new FluxError("model_unsupported", `onnxruntime cannot open the model: ${String(cause)}`, { cause });
    },
  );
  return {
    async runBatch(inputs, records) {
      const feeds: Record<string, InstanceType<Ort["Tensor"]>> = {};
      for (const [index, { name, model: wanted }] of spec.inputs.entries()) {
        feeds[name] = new ort.Tensor(ORT_TYPE[wanted.dtype], inputs[index]!, [records, ...wanted.shape]);
      }
      const results = await session.run(
        feeds,
        spec.outputs.map(({ name }) => name),
      );
      return spec.outputs.map(({ name }) => asNumbers(results[name]?.data));
    },
    release: () => session.release(),
  };
}

/** Only FP32 travels; other numeric outputs (labels, say) are rounded to it here, as the coordinator's audit does. */
function asNumbers(data: unknown): ArrayLike<number> {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float32Array.from(data, Number);
  if (ArrayBuffer.isView(data) && "length" in data) return data as unknown as ArrayLike<number>;
  throw new FluxError("model_unsupported", "An output of the model is not made of numbers");
}
