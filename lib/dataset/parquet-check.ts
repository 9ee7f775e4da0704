/**
 * Looks a Parquet file over before hyparquet decodes it: hyparquet allocates what headers claim, so every claim is checked
 * against what is there (Thrift compact protocol; parquet.thrift of apache/parquet-format 2.10). Nothing is allocated here.
 */
import type { FileMetaData } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { ByteSource } from "./source.ts";

/** Throws dataset_unreadable or dataset_unsafe unless the footer is a well-formed struct of bounded size. */
export async function checkFooter(source: ByteSource): Promise<void> {
  if (source.bytes < 12) throw damaged("it is too short");
  const tail = await source.read(source.bytes - 8, 8);
  const view = new DataView(tail.buffer, tail.byteOffset, 8);
  if (view.getUint32(4, true) !== 0x31524150) throw damaged("its end is missing: upload the whole file");
  const bytes = view.getUint32(0, true);
  if (bytes > source.bytes - 12) throw damaged(`its metadata claims ${bytes} bytes`);
  if (bytes > DATASET_LIMITS.parquetMetadataBytes) {
    throw unsafe(
      `its metadata has ${bytes} bytes, at most ${DATASET_LIMITS.parquetMetadataBytes} are read: use larger row groups`,
    );
  }
  checkStruct(await source.read(source.bytes - 8 - bytes, bytes));
}

/** Throws unless all counts and offsets agree with each other and with the file, page by page. */
export async function checkChunks(source: ByteSource, metadata: FileMetaData): Promise<void> {
  let rows = 0n;
  let values = 0n;
  for (const group of metadata.row_groups) {
    rows += group.num_rows;
    if (group.num_rows < 0n) throw damaged("a row group has a negative number of rows");
    for (const { meta_data: chunk, file_path: path } of group.columns) {
      if (path) throw unsafe("it refers to another file: write it as one file");
      if (!chunk) throw damaged("a column chunk has no metadata");
      values += chunk.num_values;
      if (chunk.num_values < 0n || values > BigInt(DATASET_LIMITS.normalisedBytes))
        throw damaged("it claims too many values");
    }
  }
  if (rows !== metadata.num_rows) throw damaged(`it claims ${metadata.num_rows} rows, its row groups have ${rows}`);
  if (rows > BigInt(DATASET_LIMITS.records)) {
    throw new FluxError("dataset_too_large", `${rows} records, at most ${DATASET_LIMITS.records}: split the file.`);
  }
  const free = 16n * 1024n * 1024n;
  if (values > free && values > BigInt(source.bytes) * BigInt(DATASET_LIMITS.parquetValuesPerByte)) {
    throw unsafe(
      `${source.bytes} bytes stand for ${values} values, like in a decompression bomb: leave constant columns out`,
    );
  }
  for (const group of metadata.row_groups) {
    for (const { meta_data: chunk } of group.columns) {
      const start = Number(chunk!.dictionary_page_offset || chunk!.data_page_offset);
      const end = start + Number(chunk!.total_compressed_size);
      if (!(start >= 4 && start <= end && end <= source.bytes - 8))
        throw damaged("a column chunk lies outside the file");
      await checkPages(source, start, end, Number(chunk!.num_values), chunk!.path_in_schema.join("."));
    }
  }
}

/** Page headers are some dozen bytes; long statistics make them longer. */
const HEADER_BYTES = 64 * 1024;

async function checkPages(
  source: ByteSource,
  start: number,
  end: number,
  declared: number,
  column: string,
): Promise<void> {
  let at = start;
  let values = 0;
  while (at < end && values < declared) {
    const window = await source.read(at, Math.min(HEADER_BYTES, end - at));
    const headerBytes = checkStruct(window);
    const header = parquetHeader({ view: new DataView(window.buffer, window.byteOffset, headerBytes), offset: 0 });
    const count =
      header.data_page_header?.num_values ??
      header.data_page_header_v2?.num_values ??
      header.dictionary_page_header?.num_values ??
      0;
    const packed = header.compressed_page_size;
    const unpacked = header.uncompressed_page_size;
    const levels =
      (header.data_page_header_v2?.definition_levels_byte_length ?? 0) +
      (header.data_page_header_v2?.repetition_levels_byte_length ?? 0);
    const nulls = header.data_page_header_v2?.num_nulls ?? 0;
    const fits =
      inRange(packed, end - at - headerBytes) &&
      inRange(unpacked, DATASET_LIMITS.parquetPageBytes) &&
      inRange(count, DATASET_LIMITS.parquetPageValues) &&
      inRange(levels, packed) &&
      inRange(nulls, count);
    if (!fits)
      throw damaged(
        `a page of column "${column.slice(0, 80)}" claims ${count} values in ${packed} bytes (${unpacked} unpacked)`,
      );
    if (header.type !== "DICTIONARY_PAGE") values += count;
    at += headerBytes + packed;
  }
  if (values !== declared)
    throw damaged(`column "${column.slice(0, 80)}" claims ${declared} values, its pages have ${values}`);
}

function inRange(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** Thrift compact types. */
const [BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [3, 4, 5, 6, 7, 8, 9, 12];
/** parquet.thrift nests 6 deep. */
const MAX_DEPTH = 16;

/** Walks one struct; returns its length. Every list has as many elements as it says, so parsing it allocates no more than it has bytes. */
export function checkStruct(bytes: Uint8Array): number {
  let at = 0;
  let seen = 0;

  function byte(): number {
    if (at >= bytes.length) throw damaged("a header breaks off");
    return bytes[at++]!;
  }

  function varint(maxBytes: number): number {
    let value = 0;
    for (let index = 0; index < maxBytes; index++) {
      const next = byte();
      value += (next & 127) * 2 ** (7 * index);
      if (next < 128) return value;
    }
    throw damaged("a header holds a number without end");
  }

  function skip(length: number): void {
    if (length > bytes.length - at) throw damaged("a header claims more bytes than there are");
    at += length;
  }

  function element(type: number, depth: number): void {
    if (++seen > DATASET_LIMITS.parquetMetadataValues)
      throw unsafe("its metadata has too many values: use larger row groups");
    switch (type) {
      case BYTE:
        skip(1);
        return;
      case I16:
      case I32:
        varint(5);
        return;
      case I64:
        varint(10);
        return;
      case DOUBLE:
        skip(8);
        return;
      case BINARY:
        skip(varint(5));
        return;
      case LIST: {
        const head = byte();
        const size = head >> 4 === 15 ? varint(5) : head >> 4;
        const inner = head & 15;
        if (size > bytes.length - at) throw damaged("a list claims more elements than there are bytes");
        for (let index = 0; index < size; index++) element(inner <= 2 ? BYTE : inner, depth + 1);
        return;
      }
      case STRUCT:
        struct(depth + 1);
        return;
      default:
        throw damaged("a header holds an unknown type");
    }
  }

  function struct(depth: number): void {
    if (depth > MAX_DEPTH) throw unsafe("its metadata is nested too deeply: write it with a usual tool");
    for (let head = byte(); (head & 15) !== 0; head = byte()) {
      if (head >> 4 === 0) varint(5);
      // Booleans are in the type itself.
      if ((head & 15) > 2) element(head & 15, depth);
    }
  }

  struct(0);
  return at;
}

export function damaged(why: string): FluxError {
  return new FluxError(
    "dataset_unreadable",
    `The Parquet file cannot be read: ${why}. Write it again, e.g. with pyarrow.`,
  );
}

function unsafe(why: string): FluxError {
  return new FluxError("dataset_unsafe", `The Parquet file is not opened: ${why}.`);
}
