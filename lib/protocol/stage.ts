/**
 * A stage: the part of a job whose microtasks share one kernel and its artefacts. Its spec is an immutable JSON document
 * that donors fetch by digest; a microtask then is only a range of the stage's units plus a payload of fixed size.
 *
 * Units: records for `onnx` and `tfjs` stages (payload: the records' stored bytes, input after input; result: the
 * outputs as little-endian FP32, output after output, each `[records, …shape]`); lanes of one prime for `lanes` stages
 * (payload and result: lib/lanes/block.ts).
 */
import { z } from "zod";
import { InputDecoding } from "./decode.ts";
import { Digest, JobId, StageId } from "./ids.ts";
import { RecordTensor } from "./tensors.ts";

export const KernelKind = z.enum(["onnx", "tfjs", "lanes"]);
export type KernelKind = z.infer<typeof KernelKind>;

/** A runtime on a donor's machine that can run a kernel. */
export const RuntimeId = z.enum(["lane-simd", "ort-wasm", "ort-webgpu", "tfjs-wasm", "tfjs-webgpu"]);
export type RuntimeId = z.infer<typeof RuntimeId>;

/** An immutable file: fetched from /artefacts/{digest}, checked by the donor before use. */
export const Artefact = z.object({ digest: Digest, bytes: z.int().positive() });
export type Artefact = z.infer<typeof Artefact>;

/** One model input: its name and how the stored bytes of a record become what the model reads (decode.ts). */
export const StageInput = InputDecoding.extend({ name: z.string().min(1).max(512) });
export type StageInput = z.infer<typeof StageInput>;

const PlainStage = {
  version: z.literal(1),
  jobId: JobId,
  stageId: StageId,
  model: Artefact,
  inputs: z.array(StageInput).min(1).max(64),
  /** Only FP32 outputs travel; the coordinator converts other dtypes when it writes results. */
  outputs: z.array(RecordTensor).min(1).max(64),
  /** Largest batch a kernel runs at once; 1 where the model's batch axis is fixed to one. */
  batchRecords: z.int().positive(),
};

export const OnnxStageSpec = z.object({ kernel: z.literal("onnx"), ...PlainStage });
export const TfjsStageSpec = z.object({
  kernel: z.literal("tfjs"),
  format: z.enum(["layers", "graph"]),
  ...PlainStage,
});
export const LanesStageSpec = z.object({
  kernel: z.literal("lanes"),
  version: z.literal(1),
  jobId: JobId,
  stageId: StageId,
  /** The lane program (lib/lanes/program-codec.ts). */
  program: Artefact,
});

export const StageSpec = z.discriminatedUnion("kernel", [OnnxStageSpec, TfjsStageSpec, LanesStageSpec]);
export type OnnxStageSpec = z.infer<typeof OnnxStageSpec>;
export type TfjsStageSpec = z.infer<typeof TfjsStageSpec>;
export type LanesStageSpec = z.infer<typeof LanesStageSpec>;
export type StageSpec = z.infer<typeof StageSpec>;
