/**
 * NPY arrays (format versions 1.0 to 3.0: numpy.lib.format in the NumPy manual). The first axis counts records.
 * Bytes go from file to section in blocks, without an object per value: as fast as they are read.
 */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { StoredData, StoredDtype } from "./array-writer.ts";
import { type ByteTaker, takeFrom } from "./byte-stream.ts";
import { float16Value } from "./float16.ts";
import { type ByteSource, streamOf } from "./source.ts";

export interface NpyHeader {
  /** As in the file: b1, u1, i1, u2, …, f8. */
  readonly element: keyof typeof ELEMENTS;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  /** With the record axis. */
  readonly shape: readonly number[];
  /** Where the values start. */
  readonly dataStart: number;
  /** Of all values. */
  readonly dataBytes: number;
}

interface Element {
  readonly bytes: number;
  readonly stored: StoredDtype;
}

const ELEMENTS = {
  b1: { bytes: 1, stored: "BOOL" },
  u1: { bytes: 1, stored: "UINT8" },
  i1: { bytes: 1, stored: "INT8" },
  u2: { bytes: 2, stored: "UINT16" },
  i2: { bytes: 2, stored: "INT16" },
  u4: { bytes: 4, stored: "UINT32" },
  i4: { bytes: 4, stored: "INT32" },
  u8: { bytes: 8, stored: "INT64" },
  i8: { bytes: 8, stored: "INT64" },
  f2: { bytes: 2, stored: "FP32" },
  f4: { bytes: 4, stored: "FP32" },
  f8: { bytes: 8, stored: "FP32" },
} as const satisfies Record<string, Element>;

/** A file or an entry of an NPZ. `name` is for errors; `source` where the bytes can be read in any order. */
export interface NpyInput {
  readonly name: string;
  readonly bytes: number;
  open(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  readonly source: ByteSource | null;
}

export function npyInput(name: string, source: ByteSource): NpyInput {
  return { name, bytes: source.bytes, open: () => streamOf(source), source };
}

export function storedDtype(header: NpyHeader): StoredDtype {
  return ELEMENTS[header.element].stored;
}

/** Reads and checks the header; throws dataset_unreadable, dataset_unsafe (pickles) or dataset_too_large. */
export async function readNpyHeader(input: NpyInput): Promise<NpyHeader> {
  const taker = takeFrom(input.open());
  try {
    return await takeHeader(input, taker);
  } finally {
    await taker.close();
  }
}

/** Every value, in record order and row-major, to `write` in blocks of whole elements. */
export async function copyNpy(input: NpyInput, header: NpyHeader, write: (values: StoredData) => Promise<void>) {
  if (header.fortranOrder && header.shape.length > 1) return copyFortran(input, header, write);
  const taker = takeFrom(input.open());
  await taker.take(header.dataStart);
  let element = 0;
  for await (const block of taker.rest(ELEMENTS[header.element].bytes)) {
    const values = toStored(header, block, (index) => elementError(input, header, element + index));
    element += values.length;
    await write(values);
  }
}

async function takeHeader(input: NpyInput, taker: ByteTaker): Promise<NpyHeader> {
  const start = await taker.take(8);
  if (start.byteLength < 8 || start[0] !== 0x93 || String.fromCharCode(...start.subarray(1, 6)) !== "NUMPY") {
    throw unreadable(input, "it does not start like an NPY file: write it with numpy.save");
  }
  const major = start[6]!;
  if (major < 1 || major > 3) throw unreadable(input, `NPY version ${major} is not known: write it with numpy.save`);
  const lengthBytes = major === 1 ? 2 : 4;
  const length = littleEndian(await taker.take(lengthBytes));
  if (length > DATASET_LIMITS.npyHeaderBytes) {
    throw unreadable(input, `its header claims ${length} bytes: write it with numpy.save, one plain array per file`);
  }
  const bytes = await taker.take(length);
  if (bytes.byteLength < length) throw unreadable(input, "it ends inside its header: upload the whole file");
  const fields = parseHeader(input, new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(bytes));
  return checkHeader(input, fields, 8 + lengthBytes + length);
}

interface HeaderFields {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** The header is a Python dict literal of three keys; nothing else is accepted, and nothing is evaluated. */
function parseHeader(input: NpyInput, text: string): HeaderFields {
  if (/'descr'\s*:\s*\[/.test(text)) {
    throw unreadable(
      input,
      "it holds a structured array: save each field as its own array, in one file with numpy.savez",
    );
  }
  const descr = /'descr'\s*:\s*'([^']{1,16})'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || shape === undefined) {
    throw unreadable(input, "its header is damaged: write it again with numpy.save");
  }
  const axes = shape.split(",").map((axis) => axis.trim().replace(/L$/, ""));
  return {
    descr,
    fortranOrder: order === "True",
    shape: axes.filter((axis) => axis !== "").map(Number),
  };
}

function checkHeader(input: NpyInput, fields: HeaderFields, dataStart: number): NpyHeader {
  const [, order, code] = /^([<>|=])?(\w+)$/.exec(fields.descr) ?? [];
  if (code?.startsWith("O")) {
    throw new FluxError(
      "dataset_unsafe",
      `"${input.name}" holds pickled Python objects, which are never opened: they can run code. ` +
        `Save numbers: numpy.save(file, array.astype("float32"), allow_pickle=False).`,
      { param: input.name },
    );
  }
  if (code === undefined || !isElement(code)) {
    throw unreadable(input, `its element type ${fields.descr} is not a number type: use array.astype("float32")`);
  }
  if (fields.shape.length === 0) throw unreadable(input, "it is a single number: the first axis must count records");
  if (fields.shape.slice(1).includes(0)) {
    throw new FluxError(
      "dataset_empty",
      `"${input.name}" has shape (${fields.shape.join(", ")}): its records have no values. Save an array with no axis of 0.`,
      { param: input.name },
    );
  }
  if (fields.shape.length > 9) throw unreadable(input, `it has ${fields.shape.length} axes: reshape it to 9 or fewer`);
  const dataBytes = fields.shape.reduce((product, axis) => product * axis, ELEMENTS[code].bytes);
  const heldBytes = input.bytes - dataStart;
  if (dataBytes !== heldBytes) {
    throw unreadable(
      input,
      `its header declares shape (${fields.shape.join(", ")}), ${dataBytes} bytes of values, but ${heldBytes} follow: ` +
        (dataBytes > heldBytes ? "the file is cut off or damaged; upload it again" : "write it again with numpy.save"),
    );
  }
  return {
    element: code,
    bigEndian: order === ">",
    fortranOrder: fields.fortranOrder,
    shape: fields.shape,
    dataStart,
    dataBytes,
  };
}

function isElement(code: string): code is keyof typeof ELEMENTS {
  return Object.hasOwn(ELEMENTS, code);
}

/**
 * Column-major: the values of one record lie `records` apart, those of one record element side by side. Small arrays are held
 * whole; of large ones, blocks of records are gathered from one run per element, as long as runs are worth a read.
 */
async function copyFortran(input: NpyInput, header: NpyHeader, write: (values: StoredData) => Promise<void>) {
  const { bytes: size } = ELEMENTS[header.element];
  const records = header.shape[0]!;
  const rowMajor = rowMajorPositions(header.shape.slice(1));
  const width = rowMajor.length;
  const recordBytes = width * size;
  const held = header.dataBytes <= DATASET_LIMITS.heldBytes ? await readWhole(input) : null;
  const source = held ? null : input.source;
  const cached = Math.max(1, Math.floor(FORTRAN_BLOCK_BYTES / recordBytes));
  const wanted = held ? cached : Math.max(cached, Math.ceil(FORTRAN_RUN_BYTES / size));
  const blockRecords = Math.min(records, wanted);
  if (!held && (!source || blockRecords * recordBytes > DATASET_LIMITS.heldBytes)) {
    throw new FluxError(
      "dataset_too_large",
      `"${input.name}" is ${header.dataBytes} bytes in Fortran order, which cannot be read record by record: save it with ` +
        `numpy.save(file, numpy.ascontiguousarray(array)).`,
      { param: input.name },
    );
  }
  for (let start = 0; start < records; start += blockRecords) {
    const count = Math.min(blockRecords, records - start);
    const block = new Uint8Array(count * recordBytes);
    for (let element = 0; element < width; element++) {
      const at = header.dataStart + (element * records + start) * size;
      const run = held ? held.subarray(at, at + count * size) : await source!.read(at, count * size);
      scatter(run, block, rowMajor[element]! * size, recordBytes, size);
    }
    await write(toStored(header, block, (index) => elementError(input, header, start * width + index)));
  }
}

/** Stays in the processor's cache while it is filled: 140 MB take 1.6 s of CPU, with 8 MiB 2.4 s, with 64 MiB 3.4 s. */
const FORTRAN_BLOCK_BYTES = 2 * 1024 * 1024;
/** Shorter reads cost more than the bytes that they bring. */
const FORTRAN_RUN_BYTES = 512;

/** One element of each record: from `run` to the same place in every record of `block`. */
function scatter(run: Uint8Array, block: Uint8Array, offset: number, recordBytes: number, size: number): void {
  for (let from = 0, to = offset; from < run.length; from += size, to += recordBytes) {
    for (let byte = 0; byte < size; byte++) block[to + byte] = run[from + byte]!;
  }
}

function readWhole(input: NpyInput): Promise<Uint8Array<ArrayBuffer>> {
  return input.source ? input.source.read(0, input.bytes) : takeFrom(input.open()).take(input.bytes);
}

/** For each position in column-major order of the record's axes: its position in row-major order. */
function rowMajorPositions(axes: readonly number[]): Int32Array {
  const width = axes.reduce((product, axis) => product * axis, 1);
  const positions = new Int32Array(width);
  for (let position = 0; position < width; position++) {
    let rest = position;
    let stride = width;
    let target = 0;
    for (const axis of axes) {
      stride /= axis;
      target += (rest % axis) * stride;
      rest = Math.floor(rest / axis);
    }
    positions[position] = target;
  }
  return positions;
}

/** One block of whole elements in the stored type. `fail` is told the index of a value that cannot be stored. */
function toStored(header: NpyHeader, block: Uint8Array<ArrayBuffer>, fail: (index: number) => FluxError): StoredData {
  const { bytes: size } = ELEMENTS[header.element];
  const bytes = block.byteOffset % size === 0 && !header.bigEndian ? block : block.slice();
  if (header.bigEndian) swapBytes(bytes, size);
  const { buffer, byteOffset } = bytes;
  const length = bytes.byteLength / size;
  switch (header.element) {
    case "b1":
      return bytes.map((value) => (value === 0 ? 0 : 1));
    case "u1":
      return bytes;
    case "i1":
      return new Int8Array(buffer, byteOffset, length);
    case "u2":
      return new Uint16Array(buffer, byteOffset, length);
    case "i2":
      return new Int16Array(buffer, byteOffset, length);
    case "u4":
      return new Uint32Array(buffer, byteOffset, length);
    case "i4":
      return new Int32Array(buffer, byteOffset, length);
    case "i8":
      return new BigInt64Array(buffer, byteOffset, length);
    case "u8": {
      const values = new BigInt64Array(buffer, byteOffset, length);
      const tooLarge = values.findIndex((value) => value < 0n);
      if (tooLarge >= 0) throw fail(tooLarge);
      return values;
    }
    case "f2":
      return finite(Float32Array.from(new Uint16Array(buffer, byteOffset, length), float16Value), fail);
    case "f4":
      return finite(new Float32Array(buffer, byteOffset, length), fail);
    case "f8":
      return finite(new Float32Array(new Float64Array(buffer, byteOffset, length)), fail);
  }
}

function finite(values: Float32Array<ArrayBuffer>, fail: (index: number) => FluxError): Float32Array<ArrayBuffer> {
  // x − x is 0 for every finite x and NaN otherwise: one check per block in the common case.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  if (sum !== 0) throw fail(values.findIndex((value) => !Number.isFinite(value)));
  return values;
}

function elementError(input: NpyInput, header: NpyHeader, element: number): FluxError {
  const width = header.shape.slice(1).reduce((product, axis) => product * axis, 1);
  const where = `record ${Math.floor(element / width)}, value ${element % width}`;
  return new FluxError(
    "dataset_value",
    header.element === "u8"
      ? `"${input.name}", ${where}: larger than 2^63 − 1. Use array.astype("int64") or a smaller type.`
      : `"${input.name}", ${where}: not a finite float32. Replace NaN and infinities, e.g. numpy.nan_to_num(array).`,
    { param: input.name },
  );
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.byteLength; at += size) bytes.subarray(at, at + size).reverse();
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function unreadable(input: NpyInput, why: string): FluxError {
  return new FluxError("dataset_unreadable", `"${input.name}" cannot be read: ${why}.`, { param: input.name });
}
