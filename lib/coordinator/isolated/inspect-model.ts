/** Task: reads an uploaded model and answers its format, its form, and whether encrypted jobs can run it. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { loadModel } from "#lib/model/load.ts";
import { tensorInfo } from "#lib/model/tensor-info.ts";
import type { ModelFormat, ModelResource } from "#lib/protocol/api/uploads.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { serveTask } from "./task.ts";

const Input = z.union([
  z.object({ path: z.string(), filename: z.string() }),
  z.object({ bytes: z.instanceof(Uint8Array), filename: z.string() }),
]);
export type InspectInput = z.input<typeof Input>;

type Details = Pick<ModelResource, "opset" | "inputs" | "outputs" | "operators" | "weights_bytes" | "encrypted">;

interface Inspected {
  readonly format: z.infer<typeof ModelFormat>;
  readonly details: Details;
  /** What donors run, where it is not the uploaded file itself. */
  readonly converted: Uint8Array | null;
}

await serveTask(async (raw): Promise<Inspected> => {
  const input = Input.parse(raw);
  const bytes = "path" in input ? await readFile(input.path) : input.bytes;
  const model = await loadModel(bytes, input.filename);
  return {
    format: model.format,
    details: {
      opset: model.opset,
      inputs: model.inputs.map(tensorInfo),
      outputs: model.outputs.map(tensorInfo),
      operators: model.operators.map(({ op, count }) => ({ operator: op, count })),
      weights_bytes: model.weightsBytes,
      encrypted: isFluxError(model.graph)
        ? { supported: false, reasons: [model.graph.detail] }
        : { supported: true, reasons: [] },
    },
    converted: model.format === "onnx" ? null : model.onnx,
  };
});
