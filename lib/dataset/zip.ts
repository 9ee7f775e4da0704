/**
 * Zip archives by their central directory (APPNOTE.TXT 6.3.10, sections 4.3 and 4.4), with ZIP64. Nothing is written to
 * disk and no name is used as a path. Refused before anything is unpacked: too many entries, entries that overlap,
 * absurd ratios, names that climb out of the archive, encryption, archives in archives.
 */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { ByteStream } from "./byte-stream.ts";
import { bomb, unpack } from "./gzip.ts";
import { type ByteSource, streamOf } from "./source.ts";

export interface ZipEntry {
  readonly name: string;
  readonly method: "stored" | "deflated";
  readonly packedBytes: number;
  readonly bytes: number;
  /** Of its local header. */
  readonly offset: number;
}

/** Entries in archive order, folders left out. Throws dataset_unreadable or dataset_unsafe. */
export async function readZipDirectory(source: ByteSource): Promise<ZipEntry[]> {
  const directory = await findDirectory(source);
  if (directory.entries > DATASET_LIMITS.zipEntries) {
    throw unsafe(`it has ${directory.entries} entries, at most ${DATASET_LIMITS.zipEntries} are read: split it up`);
  }
  if (directory.offset + directory.bytes > source.bytes || directory.bytes > MAX_DIRECTORY_BYTES) {
    throw damaged("its directory lies outside the file");
  }
  const bytes = await source.read(directory.offset, directory.bytes);
  const entries = parseDirectory(bytes, directory.entries);
  checkLayout(entries, directory.offset);
  return entries.filter(({ name }) => !name.endsWith("/"));
}

/** The bytes of one entry, exactly `entry.bytes` of them. */
export async function* openEntry(source: ByteSource, entry: ZipEntry): ByteStreamGenerator {
  const start = await dataStart(source, entry);
  const packed = streamOf(source, start, start + entry.packedBytes);
  const stream: ByteStream =
    entry.method === "stored"
      ? packed
      : unpack("deflate-raw", packed, { name: entry.name, packedBytes: entry.packedBytes });
  let seen = 0;
  for await (const chunk of stream) {
    seen += chunk.byteLength;
    if (seen > entry.bytes) break;
    yield chunk;
  }
  if (seen !== entry.bytes) throw damaged(`"${entry.name}" does not have the ${entry.bytes} bytes that it declares`);
}

type ByteStreamGenerator = AsyncGenerator<Uint8Array<ArrayBuffer>>;

/** A stored entry as a source of its own, so that it can be read in any order; null when it is compressed. */
export async function entrySource(source: ByteSource, entry: ZipEntry): Promise<ByteSource | null> {
  if (entry.method !== "stored") return null;
  const start = await dataStart(source, entry);
  return { bytes: entry.bytes, read: (from, length) => source.read(start + from, length) };
}

const END_BYTES = 22;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
/** 200,000 entries of 1 KiB names and extra fields would be an attack; real ones stay below 100 bytes. */
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly bytes: number;
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailStart = Math.max(0, source.bytes - END_BYTES - 65_535);
  const tail = await source.read(tailStart, source.bytes - tailStart);
  const view = viewOn(tail);
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) > tail.byteLength) continue;
    const directory = {
      entries: view.getUint16(at + 10, true),
      bytes: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const large = directory.entries === 0xffff || directory.bytes === 0xffffffff || directory.offset === 0xffffffff;
    return large ? ((await findLargeDirectory(source, tailStart + at)) ?? directory) : directory;
  }
  throw damaged("its directory is missing: it was cut off, upload the whole file");
}

/** ZIP64: a locator of 20 bytes before the end record points to a record with 64-bit numbers. */
async function findLargeDirectory(source: ByteSource, endAt: number): Promise<Directory | null> {
  if (endAt < 20) return null;
  const locator = viewOn(await source.read(endAt - 20, 20));
  if (locator.getUint32(0, true) !== 0x07064b50) return null;
  const at = Number(locator.getBigUint64(8, true));
  if (at + 56 > source.bytes) throw damaged("its ZIP64 directory lies outside the file");
  const record = viewOn(await source.read(at, 56));
  if (record.getUint32(0, true) !== 0x06064b50) throw damaged("its ZIP64 directory is not where it should be");
  return {
    entries: Number(record.getBigUint64(32, true)),
    bytes: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
  };
}

function parseDirectory(bytes: Uint8Array, count: number): ZipEntry[] {
  const view = viewOn(bytes);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > bytes.byteLength || view.getUint32(at, true) !== 0x02014b50) {
      throw damaged(`its directory breaks off after ${index} of ${count} entries`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const end = at + CENTRAL_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (end > bytes.byteLength) throw damaged(`its directory breaks off in entry ${index}`);
    entries.push(parseEntry(bytes, view, at, nameBytes, extraBytes));
    at = end;
  }
  return entries;
}

function parseEntry(bytes: Uint8Array, view: DataView, at: number, nameBytes: number, extraBytes: number): ZipEntry {
  const nameStart = at + CENTRAL_BYTES;
  const name = new TextDecoder().decode(bytes.subarray(nameStart, nameStart + nameBytes));
  checkName(name);
  const flags = view.getUint16(at + 8, true);
  if (flags & 1) throw unsafe(`"${shown(name)}" is encrypted: make the zip without a password`);
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8) {
    throw damaged(`"${shown(name)}" is compressed with method ${method}: use deflate, the default of zip tools`);
  }
  const unixMode = view.getUint32(at + 38, true) >>> 16;
  if ((unixMode & 0xf000) === 0xa000) throw unsafe(`"${shown(name)}" is a symbolic link: put the file itself in`);
  const sizes = {
    bytes: view.getUint32(at + 24, true),
    packedBytes: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  };
  const wide = wideSizes(view, nameStart + nameBytes, extraBytes, sizes);
  return { name, method: method === 0 ? "stored" : "deflated", ...wide };
}

type Sizes = Pick<ZipEntry, "bytes" | "packedBytes" | "offset">;

/** Extra field 1 holds, in this order, those of the three numbers that did not fit 32 bits. */
function wideSizes(view: DataView, start: number, length: number, sizes: Sizes): Sizes {
  const wide = { ...sizes };
  for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    const end = Math.min(field + view.getUint16(at + 2, true), start + length);
    for (const key of ["bytes", "packedBytes", "offset"] as const) {
      if (sizes[key] !== 0xffffffff || field + 8 > end) continue;
      wide[key] = Number(view.getBigUint64(field, true));
      field += 8;
    }
  }
  return wide;
}

function checkName(name: string): void {
  const parts = name.split("/");
  const climbs = parts.includes("..") || name.startsWith("/") || /^[A-Za-z]:/.test(name);
  if (climbs || name.includes("\\") || name.includes("\0")) {
    throw unsafe(
      `the entry name "${shown(name)}" leads outside the archive: zip the folder itself, with relative names`,
    );
  }
  if (/\.(zip|jar|7z|rar|tar|gz|tgz|bz2|xz|zst)$/i.test(name)) {
    throw unsafe(`"${shown(name)}" is an archive inside the archive: put its files in directly`);
  }
}

/** Overlapping entries let a small file unpack to petabytes (Fifield, "A better zip bomb", WOOT 2019). */
function checkLayout(entries: readonly ZipEntry[], directoryOffset: number): void {
  let unpacked = 0;
  let packed = 0;
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    if (entry.offset < end)
      throw unsafe("its entries overlap, like in a decompression bomb: make it with a usual zip tool");
    end = entry.offset + LOCAL_BYTES + entry.packedBytes;
    if (end > directoryOffset) throw damaged(`"${shown(entry.name)}" reaches beyond the end of the file`);
    if (entry.method === "stored" && entry.bytes !== entry.packedBytes)
      throw damaged(`"${shown(entry.name)}" has two sizes`);
    unpacked += entry.bytes;
    packed += entry.packedBytes;
  }
  const bound = Math.max(DATASET_LIMITS.unpackedBytesFree, packed * DATASET_LIMITS.zipRatio);
  if (unpacked > bound || unpacked > DATASET_LIMITS.unpackedBytes) throw bomb("the archive");
}

async function dataStart(source: ByteSource, entry: ZipEntry): Promise<number> {
  if (entry.offset + LOCAL_BYTES > source.bytes) throw damaged(`"${shown(entry.name)}" lies outside the file`);
  const local = viewOn(await source.read(entry.offset, LOCAL_BYTES));
  if (local.getUint32(0, true) !== 0x04034b50) throw damaged(`"${shown(entry.name)}" is not where the directory says`);
  const start = entry.offset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  if (start + entry.packedBytes > source.bytes)
    throw damaged(`"${shown(entry.name)}" reaches beyond the end of the file`);
  return start;
}

function viewOn(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Names come from strangers: bounded and printable before they go into an error. */
export function shown(name: string): string {
  return name.replace(/[^\x20-\x7e\u00a0-\uffff]/g, "?").slice(0, 80);
}

function damaged(why: string): FluxError {
  return new FluxError("dataset_unreadable", `The zip file cannot be read: ${why}.`);
}

function unsafe(why: string): FluxError {
  return new FluxError("dataset_unsafe", `The zip file is not opened: ${why}.`);
}
