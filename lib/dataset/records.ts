/**
 * Records of named cells (JSONL, Parquet): scalars become columns of a table, lists (nested as deep as the tensor has axes)
 * become arrays of their own. The first record says which cells are lists and which shapes they have.
 */
import type { ColumnInfo } from "../protocol/datasets.ts";
import type { AffineEntries } from "../protocol/decode.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { type ArrayWriter, arrayWriter } from "./array-writer.ts";
import type { IngestContext, Ingested } from "./context.ts";
import { MAX_FLOAT32 } from "./csv-scan.ts";
import { createTable, planColumns, statedColumns, type Table } from "./table.ts";

export type Cell =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | readonly Cell[]
  | { readonly [key: string]: unknown };

export interface RecordSource {
  readonly names: readonly string[];
  /** The first records, cells in the order of `names`; at least one. */
  readonly samples: readonly (readonly Cell[])[];
  /** For errors: "Line 7". */
  where(record: number): string;
  /** All records, from the first. */
  records(): AsyncIterable<readonly Cell[]>;
}

/** One list-valued column: collected as doubles in batches of whole records. */
interface TensorColumn {
  readonly name: string;
  readonly position: number;
  readonly shape: number[];
  readonly writer: ArrayWriter;
  readonly batch: Float64Array;
  held: number;
}

/** At most 64 arrays have such a batch: 32 MiB. */
const BATCH_VALUES = 64 * 1024;

export async function readRecords(context: IngestContext, source: RecordSource): Promise<Ingested> {
  const { names, samples } = source;
  const first = samples[0]!;
  const lists = new Set(names.filter((_, position) => Array.isArray(first[position])));
  if (lists.size > DATASET_LIMITS.arrays) {
    throw new FluxError(
      "dataset_too_large",
      `${source.where(0)} has ${lists.size} lists, at most ${DATASET_LIMITS.arrays} are taken: put them into one nested list.`,
    );
  }
  const scalars = names.map((name, position) => ({ name, position })).filter(({ name }) => !lists.has(name));
  const { columns = [], arrays: arraySpecs = [], features, ...others } = context.preprocessing;
  const listSpecs = new Map([...columns, ...arraySpecs].filter(({ name }) => lists.has(name)).map((s) => [s.name, s]));
  const tablePreprocessing = {
    ...others,
    ...(features ? { features: features.filter((name) => !lists.has(name)) } : {}),
    columns: columns.filter(({ name }) => !listSpecs.has(name)),
  };
  const texts = samples.map((cells) => scalars.map(({ position }) => scalarText(cells[position])));
  const scalarNames = scalars.map(({ name }) => name);
  const plans = planColumns(scalarNames, texts, tablePreprocessing, context.warnings);
  const table = createTable(context.sink, plans, tablePreprocessing, context.storeAs);
  const chosen = features && new Set(features);
  const used = [...lists].filter(
    (name) => (listSpecs.get(name)?.use ?? (chosen?.has(name) === false ? "ignore" : "feature")) === "feature",
  );
  const tensors = used.map((name, index) =>
    tensorColumn(context, { name, position: names.indexOf(name) }, first, source, listSpecs.get(name), index),
  );
  if (table.features > 0 && tensors.some(({ name }) => name === "features")) {
    throw new FluxError("dataset_mismatch", `"features" is a list while other cells are numbers: rename it.`);
  }

  let record = 0;
  const where = () => source.where(record);
  for await (const cells of source.records()) {
    readScalars(table, scalars, cells, where);
    for (const tensor of tensors) {
      if (tensor.held === tensor.batch.length) await flushTensor(tensor);
      readTensor(tensor, cells, where);
    }
    if (table.full) await table.flush();
    record++;
  }
  await table.flush(true);
  for (const tensor of tensors) await flushTensor(tensor);
  const read = table.finish();
  return {
    ...read,
    records: table.rows,
    arrays: [...read.arrays, ...tensors.map(({ writer }) => writer)],
    columns: [...read.columns, ...[...lists].map((name) => listInfo(name, used.includes(name)))],
    understood: { columns: [...statedColumns(plans), ...columns.filter(({ name }) => lists.has(name))] },
  };
}

function listInfo(name: string, used: boolean): ColumnInfo {
  const role = used ? "feature" : "ignored";
  return { name, datatype: "tensor", role, encoding: null, missing: 0, min: null, max: null };
}

interface ListSpec {
  readonly scale?: AffineEntries | undefined;
  readonly offset?: AffineEntries | undefined;
  readonly inner?: number | undefined;
}

function tensorColumn(
  context: IngestContext,
  { name, position }: { name: string; position: number },
  first: readonly Cell[],
  source: RecordSource,
  spec: ListSpec | undefined,
  index: number,
): TensorColumn {
  const shape = shapeOf(first[position], name, source.where(0));
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
  return { name, position, shape, writer, batch: new Float64Array(batchRecords * elements), held: 0 };
}

function shapeOf(cell: Cell, name: string, where: string): number[] {
  const shape: number[] = [];
  for (let inner = cell; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  if (shape.includes(0)) {
    throw new FluxError("dataset_value", `${where}, "${name}": an empty list has no shape. Fill it or leave it out.`);
  }
  if (shape.length > 8) {
    throw new FluxError(
      "dataset_value",
      `${where}, "${name}": ${shape.length} nested lists, at most 8 axes are taken.`,
    );
  }
  return shape;
}

function readScalars(
  table: Table,
  scalars: readonly { position: number }[],
  cells: readonly Cell[],
  where: () => string,
): void {
  table.beginRow();
  for (let index = 0; index < scalars.length; index++) {
    const plan = table.plans[index]!;
    if (plan.use === "ignore") continue;
    const cell = cells[scalars[index]!.position];
    if (cell === undefined || cell === null) table.setMissing(plan, where);
    else if (typeof cell === "number") table.setNumber(plan, cell, where);
    else if (typeof cell === "bigint" && plan.use === "feature") table.setNumber(plan, Number(cell), where);
    else if (typeof cell === "object") {
      throw new FluxError(
        "dataset_ragged",
        `${where()}, "${plan.name}": ${Array.isArray(cell) ? "a list" : "an object"} where a single value is wanted. ` +
          `Give every record the same form; nested objects have to be flattened.`,
        { param: plan.name },
      );
    } else table.setText(plan, String(cell), where);
  }
}

function readTensor(tensor: TensorColumn, cells: readonly Cell[], where: () => string): void {
  const cell = cells[tensor.position];
  if (cell === undefined || cell === null) {
    throw new FluxError("dataset_value", `${where()}: "${tensor.name}" is missing. Add it, or leave the record out.`, {
      param: tensor.name,
    });
  }
  tensor.held = flatten(cell, tensor, 0, tensor.held, where);
}

async function flushTensor(tensor: TensorColumn): Promise<void> {
  if (tensor.held > 0) await tensor.writer.writeNumbers(tensor.batch.subarray(0, tensor.held));
  tensor.held = 0;
}

/** Writes the values of `cell` from position `at`; returns the position behind them. */
function flatten(cell: Cell, tensor: TensorColumn, axis: number, at: number, where: () => string): number {
  if (axis === tensor.shape.length) {
    const number = typeof cell === "boolean" || typeof cell === "bigint" ? Number(cell) : cell;
    if (typeof number !== "number" || !(Math.abs(number) <= MAX_FLOAT32)) {
      throw new FluxError(
        Array.isArray(cell) ? "dataset_ragged" : "dataset_value",
        `${where()}, "${tensor.name}": ${shown(cell)} where a finite number is wanted. Correct the value.`,
        { param: tensor.name },
      );
    }
    tensor.batch[at] = number;
    return at + 1;
  }
  if (!Array.isArray(cell) || cell.length !== tensor.shape[axis]) {
    throw new FluxError(
      "dataset_ragged",
      `${where()}, "${tensor.name}": ${Array.isArray(cell) ? `a list of ${cell.length}` : "no list"} at depth ${axis + 1}, ` +
        `the first record has shape [${tensor.shape.join(", ")}]. Pad or cut every record to one shape.`,
      { param: tensor.name },
    );
  }
  let position = at;
  for (const item of cell) position = flatten(item, tensor, axis + 1, position, where);
  return position;
}

function shown(cell: Cell): string {
  if (Array.isArray(cell)) return "a list";
  return typeof cell === "object" && cell !== null
    ? "an object"
    : typeof cell === "string"
      ? `"${cell.slice(0, 60)}"`
      : String(cell);
}

function scalarText(cell: Cell): string | null {
  return cell === undefined || cell === null || typeof cell === "object" ? null : String(cell);
}
