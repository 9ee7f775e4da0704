/** Task: reads an uploaded model and answers its format, its form, and whether encrypted jobs can run it. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { importOnnxFile } from "#lib/model/onnx/import.ts";
import { inspectOnnxFile, type OnnxPort } from "#lib/model/onnx/inspect.ts";
import { type OnnxFile, readOnnx } from "#lib/model/onnx/read.ts";
import type { ModelFormat, ModelResource, TensorInfo } from "#lib/protocol/api/uploads.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import { serveTask } from "./task.ts";

const Input = z.union([
  z.object({ path: z.string(), filename: z.string() }),
  z.object({ bytes: z.instanceof(Uint8Array), filename: z.string() }),
]);
export type InspectInput = z.input<typeof Input>;

type Details = Pick<ModelResource, "opset" | "inputs" | "outputs" | "operators" | "weights_bytes" | "encrypted">;

const KSERVE_NAMES: Readonly<Record<string, string>> = {
  float32: "FP32",
  float64: "FP64",
  float16: "FP16",
  bfloat16: "BF16",
  string: "BYTES",
};

await serveTask(async (raw): Promise<{ format: z.infer<typeof ModelFormat>; details: Details }> => {
  const input = Input.parse(raw);
  const bytes = "path" in input ? await readFile(input.path) : input.bytes;
  refuseOtherFormats(bytes, input.filename);
  const file = readOnnx(bytes);
  const inspection = inspectOnnxFile(file);
  return {
    format: "onnx",
    details: {
      opset: inspection.opset,
      inputs: inspection.inputs.map(tensorInfo),
      outputs: inspection.outputs.map(tensorInfo),
      operators: inspection.operators.map(({ op, count }) => ({ operator: op, count })),
      weights_bytes: inspection.weightsBytes,
      encrypted: encryptable(file),
    },
  };
});

/** Files that people often have instead, each with what to do about it. */
function refuseOtherFormats(bytes: Uint8Array, filename: string): void {
  const starts = (...magic: number[]) => magic.every((byte, index) => bytes[index] === byte);
  const unreadable = (what: string, fix: string) =>
    new FluxError("model_unreadable", `${filename} is ${what}: ${fix}.`);
  if (starts(0x50, 0x4b, 0x03, 0x04)) {
    throw unreadable(
      "a zip archive (a PyTorch .pt file is one too)",
      "export the model with torch.onnx.export and upload the .onnx file",
    );
  }
  if (starts(0x80) && bytes[1] !== undefined && bytes[1] <= 5) {
    throw unreadable("a Python pickle, which is never opened here", "export the model as ONNX and upload that");
  }
  if (starts(0x1f, 0x8b)) throw unreadable("compressed with gzip", "unpack it and upload the .onnx file");
  if (starts(0x7b)) throw unreadable("JSON", "upload an ONNX file; for TensorFlow.js, convert it with tf2onnx");
}

function encryptable(file: OnnxFile): Details["encrypted"] {
  try {
    importOnnxFile(file);
    return { supported: true, reasons: [] };
  } catch (error) {
    if (!isFluxError(error)) throw error;
    return { supported: false, reasons: [error.detail] };
  }
}

function tensorInfo(port: OnnxPort): TensorInfo {
  return {
    name: port.name,
    datatype: KSERVE_NAMES[port.dtype] ?? port.dtype.toUpperCase(),
    shape: (port.shape ?? []).map((axis) => (typeof axis === "number" ? axis : -1)),
  };
}
