/**
 * Parquet by hyparquet, after parquet-check.ts. Read column by column in slices of rows, so that memory depends neither on
 * the file nor on its row groups; a slice that ends inside a page decodes that page again.
 */
import { gunzipSync } from "fflate";
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { FluxError, isFluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { Decoders, IngestContext, Ingested } from "./context.ts";
import { checkChunks, checkFooter, damaged } from "./parquet-check.ts";
import { type Cell, type RecordSource, readRecords } from "./records.ts";
import type { ByteSource } from "./source.ts";

/** Values of all columns of one slice, as JavaScript arrays: 8 bytes each, more for lists. */
const SLICE_VALUES = 2 * 1024 * 1024;
const SLICE_ROWS = 256 * 1024;
const SAMPLE_ROWS = 200;

export function readParquet(context: IngestContext): Promise<Ingested> {
  return guarded(async () => readRecords(context, await openParquet(context)));
}

/** Column names and the first rows. */
export async function parquetSamples(context: IngestContext) {
  const { names, samples } = await guarded(() => openParquet(context));
  return { names, samples };
}

/** Whatever hyparquet throws at a file is the file's fault. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFluxError(error) || (error instanceof Error && error.name === "NarrowingFailed")) throw error;
    throw damaged(error instanceof Error ? error.message.slice(0, 200) : "it is damaged");
  }
}

async function openParquet(context: IngestContext): Promise<RecordSource> {
  const { source, decoders } = context;
  await checkFooter(source);
  const file = asyncBuffer(source);
  const metadata = await parquetMetadataAsync(file);
  checkCodecs(metadata, decoders);
  await checkChunks(source, metadata);
  const names = columnNames(metadata);
  const rows = Number(metadata.num_rows);
  if (rows === 0) throw new FluxError("dataset_empty", "The file has no rows: upload one with at least one record.");
  const used = usedColumns(context, names);
  const slices = sliced(metadata, used);
  const readSlice = async (start: number, end: number) => {
    const columns = [];
    for (const name of used) columns.push(await readColumn(file, metadata, decoders, name, start, end));
    return columns;
  };
  const samples = await readSlice(0, Math.min(SAMPLE_ROWS, slices[0]!.end));
  let row = 0;
  return {
    names: used,
    samples: Array.from(samples[0]!, (_, index) => samples.map((column) => column[index])),
    where: () => `Row ${row + 1}`,
    async *records() {
      for (const { start, end } of slices) {
        const columns = await readSlice(start, end);
        for (row = start; row < end; row++) yield columns.map((column) => column[row - start]);
      }
    },
  };
}

/** Columns that are left out are not decoded at all. */
function usedColumns({ preprocessing }: IngestContext, names: readonly string[]): string[] {
  const stated = new Map(preprocessing.columns?.map(({ name, use }) => [name, use]));
  const chosen = preprocessing.features && new Set(preprocessing.features);
  const used = names.filter((name) => {
    const use = stated.get(name);
    if (use === "ignore") return false;
    return use === "label" || use === "id" || chosen?.has(name) !== false || GUESSED.test(name);
  });
  return used.length > 0 ? used : [...names];
}

/** Names that table.ts takes as label or id where none is stated. */
const GUESSED = /^(label|labels|target|id|record_id)$/i;

function columnNames(metadata: FileMetaData): string[] {
  const names = parquetSchema(metadata).children.map(({ element }) => element.name);
  if (names.length === 0 || names.length > DATASET_LIMITS.columns) {
    throw new FluxError(
      "dataset_too_large",
      `${names.length} columns, 1 to ${DATASET_LIMITS.columns} are read: use a list column.`,
    );
  }
  if (new Set(names).size !== names.length) throw damaged("two columns have one name");
  return names;
}

/** Never across row groups, so that no slice decodes two. */
function sliced(metadata: FileMetaData, used: readonly string[]): { start: number; end: number }[] {
  const slices: { start: number; end: number }[] = [];
  const wanted = new Set(used);
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const values = group.columns
      .filter(({ meta_data: chunk }) => wanted.has(chunk?.path_in_schema[0] ?? ""))
      .reduce((sum, { meta_data: chunk }) => sum + Number(chunk?.num_values ?? 0), 0);
    const perRow = Math.max(1, values / Math.max(rows, 1));
    if (perRow > DATASET_LIMITS.recordElements) {
      throw new FluxError(
        "dataset_too_large",
        `A row holds about ${Math.round(perRow)} values, at most ${DATASET_LIMITS.recordElements} are taken: use shorter lists.`,
      );
    }
    const step = Math.max(1, Math.min(SLICE_ROWS, Math.floor(SLICE_VALUES / perRow)));
    for (let start = 0; start < rows; start += step) {
      slices.push({ start: groupStart + start, end: groupStart + Math.min(start + step, rows) });
    }
    groupStart += rows;
  }
  return slices;
}

async function readColumn(
  file: AsyncBuffer,
  metadata: FileMetaData,
  decoders: Decoders,
  name: string,
  start: number,
  end: number,
): Promise<Cell[]> {
  const cells = new Array<Cell>(end - start);
  let seen = 0;
  await parquetRead({
    file,
    metadata,
    columns: [name],
    rowStart: start,
    rowEnd: end,
    compressors: {
      GZIP: (packed, bytes) => gunzipSync(packed, { out: new Uint8Array(bytes) }),
      ...(decoders.zstd ? { ZSTD: decoders.zstd } : {}),
      ...(decoders.brotli ? { BROTLI: decoders.brotli } : {}),
    },
    onChunk({ columnData, rowStart, rowEnd }) {
      for (let row = Math.max(rowStart, start); row < Math.min(rowEnd, end); row++) {
        cells[row - start] = toCell(columnData[row - rowStart]);
        seen++;
      }
    },
  });
  if (seen !== end - start) throw damaged(`column "${name.slice(0, 80)}" has ${seen} of ${end - start} rows`);
  return cells;
}

function toCell(value: unknown): Cell {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
    case "undefined":
      return value;
    default:
      if (value === null) return null;
      if (value instanceof Date) return value.toISOString();
      if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, toCell);
      return {};
  }
}

function checkCodecs(metadata: FileMetaData, decoders: Decoders): void {
  const known = new Set([
    "UNCOMPRESSED",
    "SNAPPY",
    "GZIP",
    ...(decoders.zstd ? ["ZSTD"] : []),
    ...(decoders.brotli ? ["BROTLI"] : []),
  ]);
  for (const group of metadata.row_groups) {
    for (const { meta_data: chunk } of group.columns) {
      if (chunk && !known.has(chunk.codec)) {
        throw new FluxError(
          "dataset_unreadable",
          `The Parquet file is packed with ${chunk.codec}, which is not read here: write it with compression="snappy".`,
        );
      }
    }
  }
}

function asyncBuffer(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.bytes,
    async slice(start, end = source.bytes) {
      if (start < 0 || end > source.bytes || start > end) throw damaged("it refers to bytes outside the file");
      const bytes = await source.read(start, end - start);
      return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
    },
  };
}
