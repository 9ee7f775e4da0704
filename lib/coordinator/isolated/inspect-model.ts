/** Task: reads an uploaded model and answers its format, its form, and whether encrypted jobs can run it. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { encryptedSupport } from "#lib/lanes/compile/encryptable.ts";
import { type LoadedModel, loadModel } from "#lib/model/load.ts";
import type { OnnxPort } from "#lib/model/onnx/inspect.ts";
import { tensorInfo } from "#lib/model/tensor-info.ts";
import type { ModelFormat, ModelResource } from "#lib/protocol/api/uploads.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { openTfjsModel, type TfjsPort } from "#worker/kernels/tfjs.ts";
import { serveTask } from "./task.ts";
import { limitWasmMemory } from "./wasm-memory.ts";

const Input = z.union([
  z.object({ path: z.string(), filename: z.string() }),
  z.object({ bytes: z.instanceof(Uint8Array), filename: z.string() }),
]);
export type InspectInput = z.input<typeof Input>;

type Details = Pick<ModelResource, "opset" | "inputs" | "outputs" | "operators" | "weights_bytes" | "encrypted">;

interface Inspected {
  readonly format: z.infer<typeof ModelFormat>;
  readonly details: Details;
  /** What donors run, where it is not the uploaded file itself: ONNX written from the model, TensorFlow.js' own file. */
  readonly onnx: Uint8Array | null;
  readonly tfjs: LoadedModel["tfjs"];
}

/** A model that only TensorFlow.js knows is opened with it: no more than a donor may be asked for. */
const WASM_BYTES = 512 * 2 ** 20;

await serveTask(async (raw): Promise<Inspected> => {
  const input = Input.parse(raw);
  const bytes = "path" in input ? await readFile(input.path) : input.bytes;
  const model = await loadModel(bytes, input.filename);
  const ports = model.onnx ? model : await tfjsPorts(model);
  return {
    format: model.format,
    details: {
      opset: model.opset,
      inputs: ports.inputs.map(tensorInfo),
      outputs: ports.outputs.map(tensorInfo),
      operators: model.operators.map(({ op, count }) => ({ operator: op, count })),
      weights_bytes: model.weightsBytes,
      encrypted: encryptedSupport(model.graph),
    },
    onnx: model.format === "onnx" ? null : model.onnx,
    tfjs: model.tfjs,
  };
});

/** What TensorFlow.js says of a model that import does not know; import's own refusal where it cannot open it either. */
async function tfjsPorts({ tfjs, graph }: LoadedModel): Promise<{ inputs: OnnxPort[]; outputs: OnnxPort[] }> {
  if (!tfjs) throw new Error("a model runs with onnxruntime or TensorFlow.js");
  limitWasmMemory(WASM_BYTES);
  try {
    const model = await openTfjsModel("wasm", tfjs.format, new Uint8Array(tfjs.bytes));
    const port = ({ name, dtype, shape }: TfjsPort): OnnxPort => ({ name: name.replace(/:0$/, ""), dtype, shape });
    return { inputs: model.inputs.map(port), outputs: model.outputs.map(port) };
  } catch (error) {
    throw isFluxError(graph) ? graph : error;
  }
}
