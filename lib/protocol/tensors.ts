/** Tensor names and element types on the wire (KServe v2 names), and their sizes. */
import { z } from "zod";

export const Dtype = z.enum(["FP32", "FP64", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "BOOL"]);
export type Dtype = z.infer<typeof Dtype>;

export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
  FP32: 4,
  FP64: 8,
  INT8: 1,
  UINT8: 1,
  INT16: 2,
  UINT16: 2,
  INT32: 4,
  UINT32: 4,
  INT64: 8,
  BOOL: 1,
};

/** A tensor of one record: the batch axis is left out of `shape`. */
export const RecordTensor = z.object({
  name: z.string().min(1).max(512),
  dtype: Dtype,
  /** Dimensions of one record, without the batch axis; `[]` is one scalar a record. */
  shape: z.array(z.int().nonnegative()).max(8),
});
export type RecordTensor = z.infer<typeof RecordTensor>;

/** Elements of one record. */
export function elementsPerRecord(tensor: { shape: readonly number[] }): number {
  return tensor.shape.reduce((product, dimension) => product * dimension, 1);
}

/** Bytes of one record. */
export function bytesPerRecord(tensor: { shape: readonly number[]; dtype: Dtype }): number {
  return elementsPerRecord(tensor) * DTYPE_BYTES[tensor.dtype];
}
