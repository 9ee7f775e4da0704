/**
 * The one function that turns stored record bytes into a model's input. Submitter, coordinator, key-holder and donor all
 * call `decodeInput`, so that the same record is the same float32 everywhere, to the last bit.
 *
 * Stored form: little-endian, row-major, one fixed stride per record; narrow integers stay narrow (a grey 28×28 image is
 * 784 bytes, not 3,136) and carry the affine map that makes the model's values of them.
 */

import { z } from "zod";
import { type Dtype, elementsPerRecord, RecordTensor } from "./tensors.ts";

/** One number for all elements, or one per column or channel. */
export const AffineEntries = z.union([z.number(), z.array(z.number()).min(1).max(65_536)]);
export type AffineEntries = z.infer<typeof AffineEntries>;

/**
 * value = stored · scale + offset. With several entries, element i of a record uses entry floor(i / inner) mod entries:
 * inner 1 (the default) is one entry per column (or per channel where channels come last), height · width one per leading
 * channel.
 */
export const Affine = z.object({ scale: AffineEntries, offset: AffineEntries, inner: z.int().min(1).optional() });
export type Affine = z.infer<typeof Affine>;

/** How one input of a model is made from stored records. Plain JSON; travels with the stage. */
export const InputDecoding = z.object({
  /** As the bytes lie. */
  stored: RecordTensor,
  /** As the model wants it; as many elements as `stored`. */
  model: RecordTensor,
  ...Affine.shape,
});
export type InputDecoding = z.infer<typeof InputDecoding>;

export interface DataByDtype {
  FP32: Float32Array<ArrayBuffer>;
  FP64: Float64Array<ArrayBuffer>;
  INT8: Int8Array<ArrayBuffer>;
  UINT8: Uint8Array<ArrayBuffer>;
  INT16: Int16Array<ArrayBuffer>;
  UINT16: Uint16Array<ArrayBuffer>;
  INT32: Int32Array<ArrayBuffer>;
  UINT32: Uint32Array<ArrayBuffer>;
  INT64: BigInt64Array<ArrayBuffer>;
  /** 0 or 1. */
  BOOL: Uint8Array<ArrayBuffer>;
}
export type TensorData = DataByDtype[Dtype];
type NumberData = Exclude<TensorData, BigInt64Array>;

/**
 * Stored bytes of `count` records → the values of a model input `[count, ...model.shape]`.
 *
 * Defined as: stored value as a double, times scale, plus offset (no fused multiply-add), then one rounding to the
 * model's type. Integer inputs take integers with scale 1 and offset 0, which lib/dataset/bind.ts checks.
 * Where the stored type is the model's and the map is the identity, the result is a view on `bytes` if they lie aligned.
 *
 * @param scratch an earlier result for this input whose values are no longer needed: written anew where it is long enough.
 * In a browser, fresh memory for every batch costs a donor as much as the decoding itself (2.5 µs a 784-byte image).
 */
export function decodeInput(
  input: InputDecoding,
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  scratch?: TensorData,
): TensorData {
  const elements = count * elementsPerRecord(input.stored);
  const stored = viewOf(input.stored.dtype, bytes);
  if (stored.length !== elements) {
    throw new RangeError(`${stored.length} stored elements where ${count} records have ${elements}`);
  }
  const identity = input.scale === 1 && input.offset === 0;
  if (identity && input.stored.dtype === input.model.dtype) return stored;
  if (input.model.dtype === "INT64") return widen(stored);
  const values = reuse(scratch, input.model.dtype, elements) ?? allocate(input.model.dtype, elements);
  if (stored instanceof BigInt64Array) mapWide(input, stored, values);
  else if (identity) values.set(stored);
  else if (typeof input.scale === "number" && typeof input.offset === "number") {
    const { scale, offset } = input;
    if (stored instanceof Uint8Array && values instanceof Float32Array) mapBytes(stored, scale, offset, values);
    else for (let i = 0; i < elements; i++) values[i] = stored[i]! * scale + offset;
  } else mapPerElement(input, stored, values);
  return values;
}

/** A typed view on little-endian bytes; copies only where they lie unaligned. */
export function viewOf<D extends Dtype>(dtype: D, bytes: Uint8Array<ArrayBuffer>): DataByDtype[D];
export function viewOf(dtype: Dtype, bytes: Uint8Array<ArrayBuffer>): TensorData {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  switch (dtype) {
    case "FP32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "FP64":
      return new Float64Array(buffer, byteOffset, byteLength / 8);
    case "INT8":
      return new Int8Array(buffer, byteOffset, byteLength);
    case "UINT8":
    case "BOOL":
      return new Uint8Array(buffer, byteOffset, byteLength);
    case "INT16":
      return new Int16Array(buffer, byteOffset, byteLength / 2);
    case "UINT16":
      return new Uint16Array(buffer, byteOffset, byteLength / 2);
    case "INT32":
      return new Int32Array(buffer, byteOffset, byteLength / 4);
    case "UINT32":
      return new Uint32Array(buffer, byteOffset, byteLength / 4);
    case "INT64":
      return new BigInt64Array(buffer, byteOffset, byteLength / 8);
  }
}

function allocate(dtype: Exclude<Dtype, "INT64">, length: number): NumberData {
  switch (dtype) {
    case "FP32":
      return new Float32Array(length);
    case "FP64":
      return new Float64Array(length);
    case "INT8":
      return new Int8Array(length);
    case "UINT8":
    case "BOOL":
      return new Uint8Array(length);
    case "INT16":
      return new Int16Array(length);
    case "UINT16":
      return new Uint16Array(length);
    case "INT32":
      return new Int32Array(length);
    case "UINT32":
      return new Uint32Array(length);
  }
}

function reuse(
  scratch: TensorData | undefined,
  dtype: Exclude<Dtype, "INT64">,
  length: number,
): NumberData | undefined {
  if (!scratch || scratch instanceof BigInt64Array || scratch.length < length) return undefined;
  if (scratch.constructor !== allocate(dtype, 0).constructor) return undefined;
  return scratch.length === length ? scratch : scratch.subarray(0, length);
}

function widen(stored: TensorData): BigInt64Array<ArrayBuffer> {
  const wide = new BigInt64Array(stored.length);
  for (let i = 0; i < stored.length; i++) wide[i] = BigInt(stored[i]!);
  return wide;
}

/**
 * Bytes are most of what is stored (images), and decoding is on the way of every record to a donor's kernel: a table of the
 * 256 values gives the same bits without a multiplication each. The loop for all types takes 2–3 µs for a 784-byte image.
 */
function mapBytes(stored: Uint8Array, scale: number, offset: number, values: Float32Array): void {
  const table = new Float32Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = byte * scale + offset;
  for (let i = 0; i < values.length; i++) values[i] = table[stored[i]!]!;
}

function mapPerElement(input: InputDecoding, stored: NumberData, values: NumberData): void {
  const { scale, offset } = perElement(input);
  for (let at = 0; at < stored.length; at += scale.length) {
    for (let i = 0; i < scale.length; i++) values[at + i] = stored[at + i]! * scale[i]! + offset[i]!;
  }
}

function mapWide(input: InputDecoding, stored: BigInt64Array, values: NumberData): void {
  const { scale, offset } = perElement(input);
  for (let i = 0; i < stored.length; i++) {
    values[i] = Number(stored[i]!) * scale[i % scale.length]! + offset[i % scale.length]!;
  }
}

/** Scale and offset of every element of a record. */
function perElement(input: InputDecoding): { scale: Float64Array; offset: Float64Array } {
  const width = elementsPerRecord(input.stored);
  const scales = typeof input.scale === "number" ? [input.scale] : input.scale;
  const offsets = typeof input.offset === "number" ? [input.offset] : input.offset;
  const inner = input.inner ?? 1;
  const scale = new Float64Array(width);
  const offset = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    const entry = Math.floor(i / inner);
    scale[i] = scales[entry % scales.length]!;
    offset[i] = offsets[entry % offsets.length]!;
  }
  return { scale, offset };
}
