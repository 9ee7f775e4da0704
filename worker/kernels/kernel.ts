/**
 * The port of a kernel: what computes the microtasks of one kind of stage. Implementations: onnx.ts, tfjs.ts, lanes/.
 * A kernel runs in the compute worker, one microtask at a time.
 */
import type { RuntimeId, StageSpec } from "#lib/protocol/stage.ts";
import type { ComputeTask } from "../messages.ts";

export interface KernelContext {
  /** Runtimes that passed their self-test here. */
  readonly allowed: readonly RuntimeId[];
  /** Threads of WASM runtimes. */
  readonly threads: number;
}

/** Between pieces of work: rests as the duty cycle wants, tells how far the task is, and throws when it was given up. */
export type Breathe = (unitsDone: number) => Promise<void>;

export interface PreparedStage {
  readonly runtime: RuntimeId;
  /** The result's bytes as stage.ts declares them. Calls `breathe` at least every few hundred milliseconds. */
  run(task: ComputeTask, breathe: Breathe): Promise<Uint8Array<ArrayBuffer>>;
  /** Frees sessions and device memory. */
  dispose(): Promise<void>;
}

export interface Kernel<Spec extends StageSpec> {
  /** Loads runtime and model. Throws a FluxError whose detail can be shown to the submitter. */
  prepare(spec: Spec, artefact: Uint8Array<ArrayBuffer>, context: KernelContext): Promise<PreparedStage>;
}
