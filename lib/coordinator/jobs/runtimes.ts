/**
 * With what donors run a model in a public job. ONNX files, and what is written as ONNX from Keras and SavedModel files, run
 * with onnxruntime. TensorFlow.js models have both ways: their own file with TensorFlow.js, and ONNX written from them. Which is
 * faster depends on the network (`npm run bench:tensorflow`: onnxruntime 1.3 to 7 times as fast on dense networks, 0.9 to 1.1
 * times on plain convolutions), so it is measured for every job, on its first records, unless the job names one.
 */
import type { CreateJob } from "#lib/protocol/api/jobs.ts";
import type { ModelRuntime } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import type { RuntimeId, TfjsStageSpec } from "#lib/protocol/stage.ts";
import type { ModelRecord } from "#lib/storage/records.ts";

/** One way to run a model: a kernel and the file that it opens. */
export type ModelRun =
  | { readonly runtime: "onnxruntime"; readonly digest: Digest }
  | { readonly runtime: "tfjs"; readonly digest: Digest; readonly format: TfjsStageSpec["format"] };

/** What a donor may answer with, by runtime. */
export const DONOR_RUNTIMES: Readonly<Record<ModelRuntime, RuntimeId[]>> = {
  onnxruntime: ["ort-wasm", "ort-webgpu"],
  tfjs: ["tfjs-wasm", "tfjs-webgpu"],
};

/** The model's own runtime is left only for one that is this much faster: less is within the measurement's noise. */
const WORTH_LEAVING = 1.1;

export function runtimesOf({ sha256, details: { tfjs } }: ModelRecord): readonly ModelRun[] {
  const onnx: ModelRun[] = tfjs?.digest === sha256 ? [] : [{ runtime: "onnxruntime", digest: sha256 }];
  return tfjs ? [...onnx, { runtime: "tfjs", ...tfjs }] : onnx;
}

/** The ways that a job leaves open. @throws FluxError invalid_request when it names one that the model does not have */
export function candidates(model: ModelRecord, wanted: CreateJob["runtime"]): readonly ModelRun[] {
  const all = runtimesOf(model);
  const left = wanted === "auto" ? all : all.filter(({ runtime }) => runtime === wanted);
  if (left.length > 0) return left;
  throw new FluxError(
    "invalid_request",
    wanted === "tfjs"
      ? `${model.name} is no TensorFlow.js model, so TensorFlow.js cannot run it: leave "runtime" out, or upload model.json with its shards as a zip.`
      : `${model.name} has layers that only TensorFlow.js knows: leave "runtime" out, or convert the model to ONNX with tf2onnx.`,
    { param: "runtime" },
  );
}

export interface Tried<Probe> {
  readonly run: ModelRun;
  readonly probe: Probe;
}

interface Probed {
  readonly msPerRecord: number;
  /** Per output, the first record's values. */
  readonly firstRecord: readonly (readonly number[])[];
}

/** The faster one, as long as both say the same. @returns also why, in words, for the plan */
export function chooseRun<Probe extends Probed>(
  tried: readonly Tried<Probe>[],
  wanted: CreateJob["runtime"],
): { readonly chosen: Tried<Probe>; readonly why: string } {
  const own = tried.find(({ run }) => run.runtime === "tfjs");
  const onnx = tried.find(({ run }) => run.runtime === "onnxruntime");
  const only = own ?? onnx;
  if (!only) throw new Error("no way to run the model was tried");
  if (wanted !== "auto") return { chosen: only, why: "the job names it" };
  if (!own || !onnx) return { chosen: only, why: "the only runtime that runs this model" };
  if (!sameValues(own.probe.firstRecord, onnx.probe.firstRecord)) {
    return { chosen: own, why: "the model's own; onnxruntime's answer for the first record differs from it" };
  }
  const factor = own.probe.msPerRecord / onnx.probe.msPerRecord;
  return factor >= WORTH_LEAVING
    ? { chosen: onnx, why: `${factor.toFixed(1)} times as fast as TensorFlow.js on the first records, one thread here` }
    : {
        chosen: own,
        why: `the model's own; onnxruntime is ${factor.toFixed(1)} times as fast on the first records here`,
      };
}

/** Within what sums in another order move float32 results by (as in the donors' comparison of a GPU with WASM, and more). */
const SAME = 1e-3;

function sameValues(a: Probed["firstRecord"], b: Probed["firstRecord"]): boolean {
  return (
    a.length === b.length &&
    a.every((values, output) => {
      const others = b[output]!;
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      return (
        values.length === others.length &&
        values.every((value, i) => Object.is(value, others[i]) || Math.abs(value - others[i]!) <= SAME * largest)
      );
    })
  );
}
