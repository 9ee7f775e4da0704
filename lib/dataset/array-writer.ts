/**
 * Writes one array of the normalised dataset: converts, checks, keeps its range and the first records for the preview.
 *
 * Values that come as doubles (CSV, JSONL, Parquet) are stored in the narrowest type that holds the first batch exactly;
 * when a later batch does not fit, `NarrowingFailed` asks for another pass with float32. That costs a second reading in
 * the rare case and saves up to three quarters of every payload in the common ones (pixels, counts, categories, flags).
 */
import type { StoredArray } from "../protocol/datasets.ts";
import { type Affine, type DataByDtype, decodeInput } from "../protocol/decode.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { bytesPerRecord, type Dtype, elementsPerRecord } from "../protocol/tensors.ts";
import type { SectionSink } from "./sections.ts";

/** Stored types: float64 is rounded to float32, which is what models read. */
export type StoredDtype = Exclude<Dtype, "FP64">;
export type StoredData = DataByDtype[StoredDtype];

export interface ArraySetup extends Affine {
  readonly name: string;
  readonly section: string;
  /** Of one record. */
  readonly shape: number[];
  readonly columns: string[] | null;
}

export interface ArrayWriter {
  /** Whole records, already in the stored type. */
  writeStored(values: StoredData): Promise<void>;
  /** Whole records as doubles. Throws NarrowingFailed when they do not fit the type that the first batch chose. */
  writeNumbers(values: Float64Array): Promise<void>;
  readonly bytes: number;
  finish(): StoredArray;
  /** Values of one of the first records as the model reads them, at most DATASET_LIMITS.previewValues. */
  preview(record: number): (number | null)[];
}

export class NarrowingFailed extends Error {
  override readonly name = "NarrowingFailed";
}

/** Of the first records, kept for the preview. */
const PREVIEW_BYTES = 4 * 1024 * 1024;

/** `dtype` null: chosen by the first batch of `writeNumbers`. */
export function arrayWriter(sink: SectionSink, setup: ArraySetup, dtype: StoredDtype | null): ArrayWriter {
  const elements = elementsPerRecord(setup);
  if (elements > DATASET_LIMITS.recordElements) {
    throw new FluxError(
      "dataset_too_large",
      `"${setup.name}" has ${elements} values per record; at most ${DATASET_LIMITS.recordElements} are taken. ` +
        `The first axis counts records: split large records, or transpose the array.`,
      { param: setup.name },
    );
  }
  let stored = dtype;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let integer = true;
  let bytes = 0;
  const head: Uint8Array<ArrayBuffer>[] = [];
  let headBytes = 0;

  async function writeStored(values: StoredData): Promise<void> {
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    if (bytes + raw.byteLength > DATASET_LIMITS.normalisedBytes) throw tooLarge();
    if (headBytes < PREVIEW_BYTES && raw.byteLength > 0) {
      const kept = raw.slice(0, PREVIEW_BYTES - headBytes);
      head.push(kept);
      headBytes += kept.byteLength;
    }
    noteRange(values);
    bytes += raw.byteLength;
    await sink.write(setup.section, raw);
  }

  function noteRange(values: StoredData): void {
    if (values instanceof BigInt64Array) {
      for (const value of values) {
        if (Number(value) < min) min = Number(value);
        if (Number(value) > max) max = Number(value);
      }
      return;
    }
    // Four comparisons a value: 0.9 GB/s for bytes, far above any reader.
    let low = min;
    let high = max;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    min = low;
    max = high;
    if (integer && values instanceof Float32Array) integer = values.every((value) => value === Math.trunc(value));
  }

  return {
    writeStored,
    async writeNumbers(values) {
      stored ??= narrowest(values);
      await writeStored(narrowed(values, stored));
    },
    get bytes() {
      return bytes;
    },
    finish() {
      const known = min <= max;
      return { ...setup, dtype: stored ?? "FP32", min: known ? min : null, max: known ? max : null, integer };
    },
    preview(record) {
      const of = { name: setup.name, dtype: stored ?? "FP32", shape: setup.shape };
      const stride = bytesPerRecord(of);
      if ((record + 1) * stride > headBytes) return [];
      const first = new Uint8Array(stride);
      let at = 0;
      for (const part of head) {
        const from = Math.max(record * stride - at, 0);
        const to = Math.min((record + 1) * stride - at, part.byteLength);
        if (from < to) first.set(part.subarray(from, to), at + from - record * stride);
        at += part.byteLength;
      }
      const decoded = decodeInput({ ...setup, stored: of, model: { ...of, dtype: "FP32" } }, first, 1);
      return Array.from(decoded.subarray(0, DATASET_LIMITS.previewValues), Number);
    },
  };

  function tooLarge(): FluxError {
    return new FluxError(
      "dataset_too_large",
      `"${setup.name}" becomes more than ${DATASET_LIMITS.normalisedBytes} bytes of numbers: split the file into several ` +
        `datasets, or use fewer one-hot categories.`,
      { param: setup.name },
    );
  }
}

/** Types that doubles are tried in, narrowest first; float32 takes the rest. */
const NARROW = [
  ["UINT8", 0, 255],
  ["INT8", -128, 127],
  ["UINT16", 0, 65_535],
  ["INT16", -32_768, 32_767],
  ["INT32", -(2 ** 31), 2 ** 31 - 1],
] as const;

function narrowest(values: Float64Array): StoredDtype {
  let min = 0;
  let max = 0;
  for (const value of values) {
    if (value !== Math.trunc(value) || Object.is(value, -0)) return "FP32";
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return NARROW.find(([, low, high]) => min >= low && max <= high)?.[0] ?? "FP32";
}

function narrowed(values: Float64Array, dtype: StoredDtype): StoredData {
  if (dtype === "FP32") return new Float32Array(values);
  const copy = copyAs(values, dtype);
  for (let i = 0; i < values.length; i++) if (copy[i] !== values[i]) throw new NarrowingFailed();
  return copy;
}

function copyAs(values: Float64Array, dtype: StoredDtype) {
  switch (dtype) {
    case "UINT8":
      return new Uint8Array(values);
    case "INT8":
      return new Int8Array(values);
    case "UINT16":
      return new Uint16Array(values);
    case "INT16":
      return new Int16Array(values);
    case "INT32":
      return new Int32Array(values);
    default:
      return new Float32Array(values);
  }
}
