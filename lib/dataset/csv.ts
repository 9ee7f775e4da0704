/** CSV: delimiter and header found, then rows streamed into a table. Ragged rows are refused by number. */
import type { Preprocessing } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IngestContext, Ingested } from "./context.ts";
import { type CsvScanner, csvScanner, MAX_FLOAT32, NUMBER_FIELD, TEXT_FIELD } from "./csv-scan.ts";
import {
  type ColumnPlan,
  createTable,
  isNumberText,
  MISSING_WORDS,
  planColumns,
  statedColumns,
  type Table,
} from "./table.ts";

export type CsvDelimiter = "," | ";" | "\t" | "|";

/** From the first bytes: delimiter, header, column names and some rows of text. */
export interface CsvLayout {
  readonly delimiter: CsvDelimiter;
  readonly header: boolean;
  readonly names: readonly string[];
  readonly samples: readonly (readonly string[])[];
}

/** Room for a header of 65,536 names. */
const SAMPLE_BYTES = 2 * 1024 * 1024;
const SAMPLE_ROWS = 1000;

export async function readCsv({ open, preprocessing, sink, storeAs, warnings }: IngestContext): Promise<Ingested> {
  const layout = await csvLayout(open, preprocessing);
  const plans = planColumns(layout.names, layout.samples, preprocessing, warnings);
  const table = createTable(sink, plans, preprocessing, storeAs);
  const scanner = csvScanner(layout.delimiter.charCodeAt(0));
  const where = () => `Row ${scanner.row}`;
  let headerPending = layout.header;
  let first = true;

  const fast = fastPath(plans);

  async function drain(): Promise<void> {
    while (true) {
      if (!headerPending && scanner.nextNumbers(fast.kinds, fast.values)) readFastRow(scanner, table, fast, where);
      else if (!scanner.next()) return;
      else if (headerPending) headerPending = false;
      else readRow(scanner, table, where);
      if (table.full) await table.flush();
    }
  }

  for await (const chunk of open()) {
    scanner.push(first ? withoutMark(chunk) : chunk);
    first = false;
    await drain();
  }
  scanner.end();
  await drain();
  await table.flush(true);
  const csv = { delimiter: layout.delimiter, header: layout.header };
  return { records: table.rows, ...table.finish(), understood: { csv, columns: statedColumns(plans) } };
}

interface FastPath {
  readonly kinds: Uint8Array;
  /** One per field of the row. */
  readonly values: Float64Array;
  /** Fields that are read as text, or are numbers but no feature (the label). */
  readonly special: readonly number[];
  /** Every number field in a row, and where its feature lies. */
  readonly fields: Int32Array;
  readonly features: Int32Array;
}

function fastPath(plans: readonly ColumnPlan[]): FastPath {
  const indices = plans.map((_, index) => index);
  const numeric = indices.filter((index) => plans[index]!.use === "feature" && plans[index]!.words === null);
  return {
    kinds: Uint8Array.from(plans, (plan) =>
      plan.use === "feature" && plan.words === null ? NUMBER_FIELD : TEXT_FIELD,
    ),
    values: new Float64Array(plans.length),
    special: indices.filter((index) => !numeric.includes(index) && plans[index]!.use !== "ignore"),
    fields: Int32Array.from(numeric),
    features: Int32Array.from(numeric, (index) => plans[index]!.at),
  };
}

function readFastRow(scanner: CsvScanner, table: Table, fast: FastPath, where: () => string): void {
  table.beginRow();
  table.setFeatures(fast.values, fast.fields, fast.features);
  for (const field of fast.special) table.setText(table.plans[field]!, scanner.text(field), where);
}

function readRow(scanner: CsvScanner, table: Table, where: () => string): void {
  const { plans } = table;
  if (scanner.fields !== plans.length) throw ragged(scanner, plans.length);
  table.beginRow();
  for (let field = 0; field < plans.length; field++) {
    const plan = plans[field]!;
    if (plan.use === "feature" && plan.words === null) {
      const value = scanner.number(field);
      // NaN and infinity fail both comparisons: text, gaps and overflow take the slow way, which names them.
      if (value >= -MAX_FLOAT32 && value <= MAX_FLOAT32) {
        table.setFeature(plan, value);
        continue;
      }
    }
    if (plan.use !== "ignore") table.setText(plan, scanner.text(field), where);
  }
}

function ragged(scanner: CsvScanner, expected: number): FluxError {
  return new FluxError(
    "dataset_ragged",
    `Row ${scanner.row} has ${scanner.fields} value${scanner.fields === 1 ? "" : "s"}, the rows before it have ${expected}. ` +
      `Add or remove delimiters in that row, and quote values that contain one.`,
    { param: `row ${scanner.row}` },
  );
}

async function firstBytes(stream: ByteStream): Promise<Uint8Array<ArrayBuffer>> {
  const sample = new Uint8Array(SAMPLE_BYTES);
  let length = 0;
  for await (const chunk of stream) {
    sample.set(chunk.subarray(0, SAMPLE_BYTES - length), length);
    length = Math.min(length + chunk.length, SAMPLE_BYTES);
    if (length === SAMPLE_BYTES) break;
  }
  return sample.subarray(0, length);
}

export async function csvLayout(open: () => ByteStream, preprocessing: Preprocessing): Promise<CsvLayout> {
  const sample = await firstBytes(open());
  refuseBinary(sample);
  const text = withoutMark(sample);
  const whole = sample.length < SAMPLE_BYTES;
  const delimiter = preprocessing.csv?.delimiter ?? guessDelimiter(text, whole);
  const rows = sampleRows(text, delimiter, whole);
  if (rows.length === 0) {
    if (!whole) {
      // One row is longer than the sample: its fields are counted when it is read, its names are numbered.
      throw new FluxError(
        "dataset_too_large",
        `The first row is longer than ${SAMPLE_BYTES} bytes: check the line ends, or use NPY for records that long.`,
      );
    }
    throw new FluxError("dataset_empty", "The file has no rows: upload a CSV with at least one record.");
  }
  const header = preprocessing.csv?.header ?? looksLikeHeader(rows);
  const names = header ? headerNames(rows[0]!) : rows[0]!.map((_, index) => `column_${index + 1}`);
  return { delimiter, header, names, samples: header ? rows.slice(1) : rows };
}

function sampleRows(text: Uint8Array<ArrayBuffer>, delimiter: CsvDelimiter, whole: boolean): string[][] {
  const scanner = csvScanner(delimiter.charCodeAt(0));
  scanner.push(text);
  if (whole) scanner.end();
  const rows: string[][] = [];
  while (rows.length < SAMPLE_ROWS && scanner.next()) {
    rows.push(Array.from({ length: scanner.fields }, (_, field) => scanner.text(field)));
  }
  return rows;
}

/** The delimiter that cuts the first rows into the most pieces, as many in each. */
function guessDelimiter(text: Uint8Array<ArrayBuffer>, whole: boolean): CsvDelimiter {
  const candidates: CsvDelimiter[] = [",", "\t", ";", "|"];
  const start = text.subarray(0, 64 * 1024);
  const scored = candidates.map((delimiter) => {
    const counts = fieldCounts(start, delimiter, whole && start.length === text.length);
    const usual = counts[Math.floor(counts.length / 2)] ?? 1;
    const agreeing = counts.filter((count) => count === usual).length;
    return { delimiter, score: usual > 1 ? agreeing / counts.length + usual / 1e6 : 0 };
  });
  return scored.reduce((best, next) => (next.score > best.score ? next : best)).delimiter;
}

function fieldCounts(text: Uint8Array<ArrayBuffer>, delimiter: CsvDelimiter, whole: boolean): number[] {
  const scanner = csvScanner(delimiter.charCodeAt(0));
  scanner.push(text);
  if (whole) scanner.end();
  const counts: number[] = [];
  try {
    while (counts.length < 100 && scanner.next()) counts.push(scanner.fields);
  } catch {
    return []; // quotes do not work out under this delimiter
  }
  return counts.toSorted((a, b) => a - b);
}

/** Names are not numbers, not gaps, and differ; a file of text only has a header too (its columns need an encoding anyway). */
function looksLikeHeader(rows: readonly (readonly string[])[]): boolean {
  const first = rows[0]!;
  return first.every((cell) => !isNumberText(cell) && !MISSING_WORDS.has(cell)) && new Set(first).size === first.length;
}

function headerNames(cells: readonly string[]): string[] {
  const names = cells.map((cell, index) => (cell === "" ? `column_${index + 1}` : cell));
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) {
      throw new FluxError(
        "dataset_unreadable",
        `Two columns are called "${name.slice(0, 80)}": give each its own name.`,
        {
          param: name,
        },
      );
    }
    if (name.length > 512)
      throw new FluxError("dataset_unreadable", "A column name is longer than 512 characters: shorten it.");
    seen.add(name);
  }
  if (names.length > DATASET_LIMITS.columns) {
    throw new FluxError("dataset_too_large", `${names.length} columns, at most ${DATASET_LIMITS.columns}: use NPY.`);
  }
  return names;
}

function refuseBinary(sample: Uint8Array): void {
  const utf16 = (sample[0] === 0xff && sample[1] === 0xfe) || (sample[0] === 0xfe && sample[1] === 0xff);
  if (utf16) throw new FluxError("dataset_unreadable", "The file is UTF-16 text: save it as CSV in UTF-8.");
  if (sample.includes(0)) {
    throw new FluxError(
      "dataset_unreadable",
      "The file is neither text nor a format that is read here: upload CSV, JSONL, NPY, NPZ, Parquet or a zip of images.",
    );
  }
}

export function withoutMark(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return marked ? bytes.subarray(3) : bytes;
}
