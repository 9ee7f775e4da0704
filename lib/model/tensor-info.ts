/** Inputs and outputs of a model in KServe v2 names, as the REST interface shows them. */
import type { TensorInfo } from "#lib/protocol/api/uploads.ts";
import type { OnnxPort } from "./onnx/inspect.ts";

const KSERVE_NAMES: Readonly<Record<string, string>> = {
  float32: "FP32",
  float64: "FP64",
  float16: "FP16",
  bfloat16: "BF16",
  string: "BYTES",
};

export function tensorInfo(port: OnnxPort): TensorInfo {
  return {
    name: port.name,
    datatype: KSERVE_NAMES[port.dtype] ?? port.dtype.toUpperCase(),
    shape: (port.shape ?? []).map((axis) => (typeof axis === "number" ? axis : -1)),
  };
}
