/** Which kernel computes which kind of stage. Each is loaded with its runtime when the first such stage comes. */
import type { StageSpec } from "#lib/protocol/stage.ts";
import type { KernelContext, PreparedStage } from "./kernel.ts";

export async function prepareStage(
  spec: StageSpec,
  artefact: Uint8Array<ArrayBuffer>,
  context: KernelContext,
): Promise<PreparedStage> {
  switch (spec.kernel) {
    case "onnx":
      return (await import("./onnx.ts")).onnxKernel.prepare(spec, artefact, context);
    case "tfjs":
      return (await import("./tfjs.ts")).tfjsKernel.prepare(spec, artefact, context);
    case "lanes":
      return (await import("./lanes/kernel.ts")).lanesKernel.prepare(spec, artefact, context);
  }
}
