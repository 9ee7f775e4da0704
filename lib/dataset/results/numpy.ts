/** Results as NPY (one output) or NPZ (several): `[records, ...shape]`, in dataset order. NumPy files carry no id column. */
import { FluxError } from "../../protocol/errors.ts";
import { bytesPerRecord, type Dtype, type RecordTensor } from "../../protocol/tensors.ts";
import type { ResultSource } from "./source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const DESCR: Readonly<Record<Dtype, string>> = {
  FP32: "<f4",
  FP64: "<f8",
  INT8: "|i1",
  UINT8: "|u1",
  INT16: "<i2",
  UINT16: "<u2",
  INT32: "<i4",
  UINT32: "<u4",
  INT64: "<i8",
  BOOL: "|b1",
};

export async function* numpyResults(source: ResultSource): AsyncGenerator<Bytes> {
  if (source.outputs.length === 1) yield* npyFile(source, 0);
  else yield* npzFile(source);
}

async function* npyFile(source: ResultSource, index: number): AsyncGenerator<Bytes> {
  const output = source.outputs[index]!;
  yield npyHeader(output, source.records);
  for await (const { outputs } of source.chunks()) {
    if (outputs[index]!.length > 0) yield inDtype(outputs[index]!, output.dtype);
  }
}

/** NPY 1.0: magic, version, header length, a Python dict padded so that the data starts at a multiple of 64. */
function npyHeader({ dtype, shape }: RecordTensor, records: number): Bytes {
  const axes = [records, ...shape];
  const tuple = axes.length === 1 ? `${axes[0]},` : axes.join(", ");
  const dict = `{'descr': '${DESCR[dtype]}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10;
  const header = new Uint8Array(10 + length).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]);
  header.set(new TextEncoder().encode(dict), 10);
  header[header.length - 1] = 0x0a;
  return header;
}

function inDtype(values: Float32Array, dtype: Dtype): Bytes {
  const typed = converted(values, dtype);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}

function converted(values: Float32Array, dtype: Dtype) {
  switch (dtype) {
    case "FP32":
      return new Float32Array(values);
    case "FP64":
      return new Float64Array(values);
    case "INT8":
      return new Int8Array(values);
    case "UINT8":
    case "BOOL":
      return new Uint8Array(values);
    case "INT16":
      return new Int16Array(values);
    case "UINT16":
      return new Uint16Array(values);
    case "INT32":
      return new Int32Array(values);
    case "UINT32":
      return new Uint32Array(values);
    case "INT64":
      return BigInt64Array.from(values, (value) => (Number.isFinite(value) ? BigInt(Math.trunc(value)) : NO_INT64));
  }
}

/** What NumPy makes of NaN as an int64; the other integers make 0 of it, as here. */
const NO_INT64 = -(2n ** 63n);

interface Written {
  readonly name: Bytes;
  readonly crc: number;
  readonly bytes: number;
  readonly offset: number;
}

/** A zip of stored entries (APPNOTE.TXT 4.3), sizes known beforehand, checksums behind the data: nothing is held back. */
async function* npzFile(source: ResultSource): AsyncGenerator<Bytes> {
  const written: Written[] = [];
  let offset = 0;
  for (const [index, output] of source.outputs.entries()) {
    const name = new TextEncoder().encode(`${output.name}.npy`);
    const bytes = npyHeader(output, source.records).length + source.records * bytesPerRecord(output);
    if (offset + bytes > 0xfff00000) {
      throw new FluxError("payload_too_large", "NPZ holds at most 4 GB: download the results as Parquet or CSV.");
    }
    yield record(0x04034b50, [20, DATA_DESCRIPTOR, 0, 0, 0], [0, bytes, bytes], [name.length, 0], [], name);
    let crc = 0;
    for await (const block of npyFile(source, index)) {
      crc = crc32(block, crc);
      yield block;
    }
    yield record(0x08074b50, [], [crc, bytes, bytes], [], [], new Uint8Array(0));
    written.push({ name, crc, bytes, offset });
    offset += 30 + name.length + bytes + 16;
  }
  let directoryBytes = 0;
  for (const { name, crc, bytes, offset: at } of written) {
    const entry = record(
      0x02014b50,
      [20, 20, DATA_DESCRIPTOR, 0, 0, 0],
      [crc, bytes, bytes],
      [name.length, 0, 0, 0, 0],
      [0, at],
      name,
    );
    directoryBytes += entry.length;
    yield entry;
  }
  const count = written.length;
  yield record(0x06054b50, [0, 0, count, count], [directoryBytes, offset], [0], [], new Uint8Array(0));
}

/** General purpose bits 3 (checksum behind the data) and 11 (UTF-8 names). */
const DATA_DESCRIPTOR = 0x0808;

/** Signature, then runs of 16-bit and 32-bit little-endian numbers, then bytes. */
function record(
  signature: number,
  shorts: readonly number[],
  longs: readonly number[],
  moreShorts: readonly number[],
  moreLongs: readonly number[],
  tail: Bytes,
): Bytes {
  const head = 4 + 2 * (shorts.length + moreShorts.length) + 4 * (longs.length + moreLongs.length);
  const bytes = new Uint8Array(head + tail.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  let at = 4;
  for (const [numbers, width] of [
    [shorts, 2],
    [longs, 4],
    [moreShorts, 2],
    [moreLongs, 4],
  ] as const) {
    for (const number of numbers) {
      if (width === 2) view.setUint16(at, number, true);
      else view.setUint32(at, number, true);
      at += width;
    }
  }
  bytes.set(tail, head);
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

export function crc32(bytes: Uint8Array, start = 0): number {
  let crc = ~start;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
