/** ONNX element types (TensorProto.DataType) by the names the graph uses. */
import type { DType } from "../graph.ts";
import { TensorProto_DataType as DataType } from "./generated/onnx_pb.ts";

const NAMES: ReadonlyMap<number, DType> = new Map([
  [DataType.FLOAT, "float32"],
  [DataType.DOUBLE, "float64"],
  [DataType.FLOAT16, "float16"],
  [DataType.BFLOAT16, "bfloat16"],
  [DataType.INT8, "int8"],
  [DataType.INT16, "int16"],
  [DataType.INT32, "int32"],
  [DataType.INT64, "int64"],
  [DataType.UINT8, "uint8"],
  [DataType.UINT16, "uint16"],
  [DataType.UINT32, "uint32"],
  [DataType.UINT64, "uint64"],
  [DataType.BOOL, "bool"],
]);
const CODES: ReadonlyMap<DType, number> = new Map([...NAMES].map(([code, name]) => [name, code]));

/** Undefined for text, complex, 8-bit floats and 4-bit integers. */
export function dtypeOfCode(code: number): DType | undefined {
  return NAMES.get(code);
}

export function codeOfDtype(dtype: DType): number {
  return CODES.get(dtype)!;
}

/** A name for every code, for inspection and errors. */
export function describeCode(code: number): string {
  if (code === DataType.STRING) return "string";
  return NAMES.get(code) ?? `element type ${code}`;
}

export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
};
