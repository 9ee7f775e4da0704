/**
 * Reads an untrusted dataset file once, into the normalised form (sections.ts) and its description. Runs in a worker thread on
 * the coordinator and in the page for end-to-end custody: it needs a source and a sink, no file system.
 */
import type { DatasetDescription, DatasetFormat, ImageSpec, Preprocessing } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { NarrowingFailed } from "./array-writer.ts";
import { type ByteStream, takeFrom } from "./byte-stream.ts";
import type { Decoders, IngestContext, Ingested } from "./context.ts";
import { readCsv } from "./csv.ts";
import { describeDataset } from "./describe.ts";
import { checkDeclared, unpack } from "./gzip.ts";
import { readImages } from "./images.ts";
import { readJsonl } from "./jsonl.ts";
import { type NpyInput, npyInput } from "./npy.ts";
import { readNpyFile, readNpz } from "./npz.ts";
import { readParquet } from "./parquet.ts";
import type { SectionSink } from "./sections.ts";
import { type ByteSource, memorySource, streamOf } from "./source.ts";
import { readZipDirectory } from "./zip.ts";

const GZIP = [0x1f, 0x8b];

export interface IngestOptions {
  /** Shown in errors and used to tell formats apart; never as a path. */
  readonly fileName?: string;
  readonly format?: DatasetFormat;
  readonly preprocessing?: Preprocessing;
  /** Short forms of `preprocessing.columns` (POST /datasets): they win over it. */
  readonly columns?: readonly string[];
  readonly labelColumn?: string;
  readonly idColumn?: string;
  /** What the model reads (images-of-model.ts): for images of which `preprocessing` says nothing. */
  readonly modelImages?: ImageSpec;
  /** Needed for images, and for Parquet files packed with zstd or brotli. */
  readonly decoders?: Decoders;
}

/** Throws a FluxError (dataset_…) that names row, column or entry and the fix. */
export async function ingestDataset(
  source: ByteSource,
  options: IngestOptions,
  sink: SectionSink,
): Promise<DatasetDescription> {
  const { name, packed, open, format } = await openFile(source, options);
  const preprocessing = statedPreprocessing(options);
  for (const storeAs of [null, "FP32"] as const) {
    const warnings: string[] = [];
    try {
      const decoders = options.decoders ?? {};
      const { modelImages } = options;
      const images = modelImages ? { modelImages } : {};
      const context = { source, name, preprocessing, ...images, sink, storeAs, warnings, decoders, open };
      return describeDataset(format, await readFormat(format, packed, context), context);
    } catch (error) {
      if (!(error instanceof NarrowingFailed)) throw error;
      await sink.clear();
    }
  }
  throw new FluxError("internal", "Float32 storage failed to take the values: please report this file.");
}

export interface OpenedFile {
  readonly name: string;
  readonly format: DatasetFormat;
  /** In gzip, around the format. */
  readonly packed: boolean;
  /** The file from its start, unpacked. */
  open(): ByteStream;
}

export async function openFile(source: ByteSource, options: IngestOptions): Promise<OpenedFile> {
  if (source.bytes === 0) {
    throw new FluxError("dataset_empty", "The file is empty: upload one with at least one record.");
  }
  const name = options.fileName ?? "the file";
  const packed = source.bytes > 18 && startsWith(await source.read(0, 2), GZIP);
  const bounds = { name, packedBytes: source.bytes };
  if (packed) checkDeclared(await source.read(source.bytes - 4, 4), bounds);
  const open = () => (packed ? unpack("gzip", streamOf(source), bounds) : streamOf(source));
  return { name, packed, open, format: options.format ?? (await detectFormat(source, open(), name)) };
}

async function readFormat(format: DatasetFormat, packed: boolean, context: IngestContext): Promise<Ingested> {
  switch (format) {
    case "csv":
      return readCsv(context);
    case "jsonl":
      return readJsonl(context);
    case "npy":
      return readNpyFile(context, await npyFile(packed, context));
    case "npz":
      return readNpz(await unpackedFirst(format, packed, context));
    case "parquet":
      return readParquet(await unpackedFirst(format, packed, context));
    case "images":
      return readImages(await unpackedFirst(format, packed, context));
  }
}

/** Zip and Parquet are read in any order: inside gzip, where they gain nothing, only what can be held whole is taken. */
export async function unpackedFirst(
  format: DatasetFormat,
  packed: boolean,
  context: IngestContext,
): Promise<IngestContext> {
  if (!packed) return context;
  const taker = takeFrom(context.open());
  const bytes = await taker.take(DATASET_LIMITS.heldBytes + 1);
  await taker.close();
  if (bytes.byteLength > DATASET_LIMITS.heldBytes) {
    throw new FluxError(
      "dataset_too_large",
      `"${context.name}" is ${format} inside gzip and larger than ${DATASET_LIMITS.heldBytes} bytes: it is compressed already, ` +
        `upload it without the outer gzip.`,
    );
  }
  return { ...context, source: memorySource(bytes) };
}

/** An NPY header is checked against the file's length: in gzip that is counted in a first pass. */
export async function npyFile(packed: boolean, { name, source, open }: IngestContext): Promise<NpyInput> {
  if (!packed) return npyInput(name, source);
  let bytes = 0;
  for await (const chunk of open()) bytes += chunk.byteLength;
  return { name, bytes, open, source: null };
}

/** NPZ is a zip of .npy entries; inside gzip, where it cannot be looked into yet, its name tells. */
async function holdsArrays(source: ByteSource, name: string): Promise<boolean> {
  if (/\.npz(\.gz)?$/i.test(name)) return true;
  const magic = await source.read(0, Math.min(2, source.bytes));
  return magic[0] === 0x50 && (await readZipDirectory(source)).some((entry) => entry.name.endsWith(".npy"));
}

async function detectFormat(source: ByteSource, stream: ByteStream, name: string): Promise<DatasetFormat> {
  const taker = takeFrom(stream);
  const start = await taker.take(64);
  await taker.close();
  if (startsWith(start, GZIP)) {
    throw new FluxError("dataset_unreadable", `"${name}" is gzip inside gzip: upload it compressed once.`);
  }
  if (startsWith(start, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59])) return "npy";
  if (startsWith(start, [0x50, 0x41, 0x52, 0x31])) return "parquet";
  if (startsWith(start, [0x50, 0x4b])) return (await holdsArrays(source, name)) ? "npz" : "images";
  const text = new TextDecoder().decode(start).trimStart();
  return text.startsWith("{") || text.startsWith("[") ? "jsonl" : "csv";
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** The short forms folded into one Preprocessing. */
export function statedPreprocessing(options: IngestOptions): Preprocessing {
  const stated: Preprocessing = options.preprocessing ?? { version: 1 };
  const columns = new Map((stated.columns ?? []).map((spec) => [spec.name, spec]));
  for (const [use, name] of [
    ["label", options.labelColumn],
    ["id", options.idColumn],
  ] as const) {
    if (name !== undefined) columns.set(name, { ...columns.get(name), name, use });
  }
  return {
    ...stated,
    ...(columns.size > 0 ? { columns: [...columns.values()] } : {}),
    ...(options.columns ? { features: [...options.columns] } : {}),
  };
}
