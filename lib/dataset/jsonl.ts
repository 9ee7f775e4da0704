/**
 * JSON Lines: one record a line. Objects give columns (scalars) and arrays (lists, nested as deep as the tensor has axes);
 * plain lists are one array "features". The first record says which keys there are and which shapes they have.
 */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { type ArrayWriter, arrayWriter } from "./array-writer.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IngestContext, Ingested } from "./context.ts";
import { lines } from "./lines.ts";
import { createTable, planColumns, statedColumns, type Table } from "./table.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

interface Line {
  readonly number: number;
  readonly record: ReadonlyMap<string, Json>;
}

/** One list-valued key: collected as doubles in batches of whole records. */
interface TensorColumn {
  readonly name: string;
  readonly shape: number[];
  readonly writer: ArrayWriter;
  readonly batch: Float64Array;
  held: number;
}

const SAMPLE_RECORDS = 200;
/** At most 64 arrays have such a batch: 32 MiB. */
const BATCH_VALUES = 64 * 1024;
/** Plain lists as records go under this name. */
const LIST_NAME = "features";

export async function readJsonl(context: IngestContext): Promise<Ingested> {
  const samples = await firstRecords(context.open());
  const first = samples[0];
  if (!first)
    throw new FluxError("dataset_empty", "The file has no records: put one JSON object or list on each line.");
  const lists = [...first.record].filter(([, value]) => Array.isArray(value)).map(([name]) => name);
  if (lists.length > DATASET_LIMITS.arrays) {
    throw new FluxError(
      "dataset_too_large",
      `Line ${first.number} has ${lists.length} keys with lists, at most ${DATASET_LIMITS.arrays}: put them into one nested list.`,
    );
  }
  const scalars = [...first.record.keys()].filter((name) => !lists.includes(name));
  const { columns = [], arrays: arraySpecs = [], ...others } = context.preprocessing;
  const listSpecs = new Map(
    [...columns, ...arraySpecs].filter(({ name }) => lists.includes(name)).map((s) => [s.name, s]),
  );
  const tablePreprocessing = {
    ...others,
    ...(others.features ? { features: others.features.filter((name) => !lists.includes(name)) } : {}),
    columns: columns.filter(({ name }) => !listSpecs.has(name)),
  };
  const texts = samples.map(({ record }) => scalars.map((name) => scalarText(record.get(name))));
  const plans = planColumns(scalars, texts, tablePreprocessing, context.warnings);
  const table = createTable(context.sink, plans, tablePreprocessing, context.storeAs);
  const tensors = lists
    .filter((name) => {
      const left = others.features?.includes(name) === false ? "ignore" : "feature";
      return (listSpecs.get(name)?.use ?? left) === "feature";
    })
    .map((name, index) => tensorColumn(context, name, first, listSpecs.get(name), index));
  if (table.features > 0 && tensors.some(({ name }) => name === LIST_NAME)) {
    throw new FluxError(
      "dataset_mismatch",
      `The key "${LIST_NAME}" holds a list while other keys are numbers: rename it.`,
    );
  }

  for await (const line of records(context.open())) {
    checkKeys(line, first);
    readScalars(table, line);
    for (const tensor of tensors) await readTensor(tensor, line);
    if (table.full) await table.flush();
  }
  await table.flush(true);
  for (const tensor of tensors) await flushTensor(tensor);
  const read = table.finish();
  return {
    ...read,
    records: table.rows,
    arrays: [...read.arrays, ...tensors.map(({ writer }) => writer)],
    columns: [...read.columns, ...tensors.map(({ name }) => tensorInfo(name))],
    understood: { columns: statedColumns(plans) },
  };
}

function tensorInfo(name: string) {
  return {
    name,
    datatype: "tensor" as const,
    role: "feature" as const,
    encoding: null,
    missing: 0,
    min: null,
    max: null,
  };
}

function tensorColumn(
  context: IngestContext,
  name: string,
  first: Line,
  spec:
    | { scale?: number | number[] | undefined; offset?: number | number[] | undefined; inner?: number | undefined }
    | undefined,
  index: number,
): TensorColumn {
  const shape = shapeOf(first.record.get(name)!, name, first.number);
  const elements = shape.reduce((product, axis) => product * axis, 1);
  const setup = {
    name,
    section: `array${index}`,
    shape,
    scale: spec?.scale ?? context.preprocessing.scale ?? 1,
    offset: spec?.offset ?? context.preprocessing.offset ?? 0,
    ...(spec?.inner === undefined ? {} : { inner: spec.inner }),
    columns: null,
  };
  const writer = arrayWriter(context.sink, setup, context.storeAs);
  const batchRecords = Math.max(1, Math.floor(BATCH_VALUES / elements));
  return { name, shape, writer, batch: new Float64Array(batchRecords * elements), held: 0 };
}

function shapeOf(value: Json, name: string, line: number): number[] {
  const shape: number[] = [];
  for (let inner: Json | undefined = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  if (shape.includes(0))
    throw new FluxError(
      "dataset_value",
      `Line ${line}, "${name}": an empty list has no shape. Fill it or leave the key out.`,
    );
  if (shape.length > 8)
    throw new FluxError(
      "dataset_value",
      `Line ${line}, "${name}": ${shape.length} nested lists, at most 8 axes are taken.`,
    );
  return shape;
}

function readScalars(table: Table, { number, record }: Line): void {
  const where = () => `Line ${number}`;
  table.beginRow();
  for (const plan of table.plans) {
    const value = record.get(plan.name);
    if (plan.use === "ignore") continue;
    if (value === undefined || value === null) table.setMissing(plan, where);
    else if (typeof value === "number") table.setNumber(plan, value, where);
    else if (typeof value === "object") {
      throw new FluxError(
        "dataset_ragged",
        `Line ${number}, "${plan.name}": ${Array.isArray(value) ? "a list" : "an object"} where the first record has a single value. ` +
          `Give every record the same form; nested objects have to be flattened.`,
        { param: plan.name },
      );
    } else table.setText(plan, String(value), where);
  }
}

async function readTensor(tensor: TensorColumn, { number, record }: Line): Promise<void> {
  if (tensor.held === tensor.batch.length) await flushTensor(tensor);
  const value = record.get(tensor.name);
  if (value === undefined || value === null) {
    throw new FluxError(
      "dataset_value",
      `Line ${number}: "${tensor.name}" is missing. Add it, or leave the record out.`,
      { param: tensor.name },
    );
  }
  tensor.held = flatten(value, tensor, 0, tensor.held, number);
}

async function flushTensor(tensor: TensorColumn): Promise<void> {
  if (tensor.held > 0) await tensor.writer.writeNumbers(tensor.batch.subarray(0, tensor.held));
  tensor.held = 0;
}

/** Writes the values of `value` from position `at`; returns the position behind them. */
function flatten(value: Json, tensor: TensorColumn, axis: number, at: number, line: number): number {
  if (axis === tensor.shape.length) {
    const number = typeof value === "boolean" ? Number(value) : value;
    if (typeof number !== "number" || !(Math.abs(number) <= 3.4028234663852886e38)) {
      throw new FluxError(
        Array.isArray(value) ? "dataset_ragged" : "dataset_value",
        `Line ${line}, "${tensor.name}": ${JSON.stringify(value).slice(0, 60)} where a finite number is wanted. Correct the value.`,
        { param: tensor.name },
      );
    }
    tensor.batch[at] = number;
    return at + 1;
  }
  if (!Array.isArray(value) || value.length !== tensor.shape[axis]) {
    throw new FluxError(
      "dataset_ragged",
      `Line ${line}, "${tensor.name}": ${Array.isArray(value) ? `a list of ${value.length}` : "no list"} at depth ${axis + 1}, ` +
        `the first record has shape [${tensor.shape.join(", ")}]. Pad or cut every record to one shape.`,
      { param: tensor.name },
    );
  }
  let position = at;
  for (const item of value) position = flatten(item, tensor, axis + 1, position, line);
  return position;
}

/** Keys may be missing (a missing value), but never new. */
function checkKeys({ number, record }: Line, first: Line): void {
  for (const key of record.keys()) {
    if (first.record.has(key)) continue;
    throw new FluxError(
      "dataset_ragged",
      `Line ${number} has the key "${key.slice(0, 80)}", which the first record lacks. Give every record the same keys.`,
      { param: key.slice(0, 80) },
    );
  }
}

function scalarText(value: Json | undefined): string | null {
  return value === undefined || value === null || typeof value === "object" ? null : String(value);
}

async function firstRecords(stream: ByteStream): Promise<Line[]> {
  const found: Line[] = [];
  for await (const line of records(stream)) if (found.push(line) === SAMPLE_RECORDS) break;
  return found;
}

async function* records(stream: ByteStream): AsyncGenerator<Line> {
  for await (const { bytes, number } of lines(stream)) {
    checkDepth(bytes, number);
    yield { number, record: toRecord(parse(bytes, number), number) };
  }
}

const decoder = new TextDecoder("utf-8");

function parse(bytes: Uint8Array, number: number): Json {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new FluxError(
      "dataset_unreadable",
      `Line ${number} is not JSON by itself: put each record on one line (jq -c '.[]' in.json > out.jsonl).`,
      { param: `line ${number}`, cause },
    );
  }
}

function toRecord(value: Json, number: number): ReadonlyMap<string, Json> {
  if (Array.isArray(value)) return new Map([[LIST_NAME, value]]);
  if (value === null || typeof value !== "object") {
    throw new FluxError("dataset_unreadable", `Line ${number} is a single value: records are objects or lists.`);
  }
  const entries = Object.entries(value);
  if (entries.length > DATASET_LIMITS.columns) {
    throw new FluxError(
      "dataset_too_large",
      `Line ${number} has ${entries.length} keys, at most ${DATASET_LIMITS.columns}.`,
    );
  }
  for (const [key] of entries) {
    if (key === "__proto__") {
      throw new FluxError("dataset_unsafe", `Line ${number} has the key "__proto__", which is never read: rename it.`);
    }
    if (key.length > 512)
      throw new FluxError("dataset_unreadable", `Line ${number} has a key of ${key.length} characters: at most 512.`);
  }
  return new Map(entries);
}

/** Before parsing: a line of brackets would otherwise become objects without bound. */
function checkDepth(bytes: Uint8Array, number: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === 92) i++;
      else if (byte === 34) inString = false;
    } else if (byte === 34) inString = true;
    else if (byte === 91 || byte === 123) {
      if (++depth > DATASET_LIMITS.jsonDepth) {
        throw new FluxError(
          "dataset_unsafe",
          `Line ${number} is nested deeper than ${DATASET_LIMITS.jsonDepth} levels: flatten the record.`,
        );
      }
    } else if (byte === 93 || byte === 125) depth--;
  }
}
