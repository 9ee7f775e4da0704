/** NPY files and NPZ archives: one array per entry, all with as many records; one may hold labels, one ids. */
import type { ArraySpec, ColumnInfo, ColumnUse } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { type ArrayWriter, arrayWriter } from "./array-writer.ts";
import type { IngestContext, Ingested } from "./context.ts";
import { type IdWriter, idWriter, type LabelWriter, labelWriter } from "./labels.ts";
import { copyNpy, type NpyHeader, type NpyInput, readNpyHeader, storedDtype } from "./npy.ts";
import { entrySource, openEntry, readZipDirectory, shown } from "./zip.ts";

export interface NamedArray {
  readonly name: string;
  readonly input: NpyInput;
  readonly header: NpyHeader;
}

export async function readNpyFile(context: IngestContext, input: NpyInput): Promise<Ingested> {
  return readArrays(context, await npyArrays(input));
}

export async function npyArrays(input: NpyInput): Promise<NamedArray[]> {
  return [{ name: "features", input, header: await readNpyHeader(input) }];
}

export async function readNpz(context: IngestContext): Promise<Ingested> {
  return readArrays(context, await npzArrays(context));
}

export async function npzArrays(context: IngestContext): Promise<NamedArray[]> {
  const { source, warnings } = context;
  const entries = await readZipDirectory(source);
  const npy = entries.filter(({ name }) => name.endsWith(".npy"));
  if (npy.length < entries.length) {
    const other = entries.find(({ name }) => !name.endsWith(".npy"))!;
    warnings.push(
      `${entries.length - npy.length} entries that are not .npy are left out, e.g. "${shown(other.name)}".`,
    );
  }
  if (npy.length === 0 || npy.length > DATASET_LIMITS.arrays) {
    throw new FluxError(
      npy.length === 0 ? "dataset_empty" : "dataset_too_large",
      `The archive holds ${npy.length} arrays, 1 to ${DATASET_LIMITS.arrays} are read: write it with numpy.savez(file, x=array).`,
    );
  }
  const arrays: NamedArray[] = [];
  for (const entry of npy) {
    const name = shown(entry.name.slice(0, -".npy".length));
    const input = {
      name,
      bytes: entry.bytes,
      open: () => openEntry(source, entry),
      source: await entrySource(source, entry),
    };
    arrays.push({ name, input, header: await readNpyHeader(input) });
  }
  return arrays;
}

async function readArrays(context: IngestContext, arrays: readonly NamedArray[]): Promise<Ingested> {
  const specs = arraySpecs(context, arrays);
  const records = commonRecords(arrays.filter(({ name }) => specs.get(name)!.use !== "ignore"));
  const writers: ArrayWriter[] = [];
  const columns: ColumnInfo[] = [];
  let labels: LabelWriter | null = null;
  let ids: IdWriter | null = null;
  for (const array of arrays) {
    const spec = specs.get(array.name)!;
    columns.push(arrayColumn(array, spec.use));
    if (spec.use === "feature") writers.push(await copyFeatures(context, array, spec, writers.length));
    if (spec.use === "label") labels = await copyLabels(context, array);
    if (spec.use === "id") ids = await copyIds(context, array);
  }
  return { records, arrays: writers, columns, labels, ids, understood: { arrays: [...specs.values()] } };
}

type UsedSpec = ArraySpec & { use: ColumnUse };

export function arraySpecs(
  { preprocessing, warnings }: IngestContext,
  arrays: readonly NamedArray[],
): Map<string, UsedSpec> {
  const stated = new Map([...(preprocessing.columns ?? []), ...(preprocessing.arrays ?? [])].map((s) => [s.name, s]));
  const names = arrays.map(({ name }) => name);
  for (const name of [...stated.keys(), ...(preprocessing.features ?? [])]) {
    if (names.includes(name)) continue;
    throw new FluxError("dataset_mismatch", `There is no array "${name}": the file holds ${names.join(", ")}.`, {
      param: name,
    });
  }
  const labelStated = [...stated.values()].some(({ use }) => use === "label");
  const guess = arrays.find(
    ({ name, header }) =>
      arrays.length > 1 && header.shape.length === 1 && /^(y|y_train|y_test|labels?|targets?)$/i.test(name),
  );
  const specs = arrays.map(({ name }): [string, UsedSpec] => {
    const spec = stated.get(name);
    const guessed = !labelStated && !spec?.use && name === guess?.name;
    if (guessed) {
      warnings.push(
        `Array "${name}" is taken as the label, by its name. If it is an input, state {"name": "${name}", "use": "feature"}.`,
      );
    }
    const use =
      spec?.use ?? (guessed ? "label" : preprocessing.features?.includes(name) === false ? "ignore" : "feature");
    const scale = spec?.scale ?? preprocessing.scale;
    const offset = spec?.offset ?? preprocessing.offset;
    const inner = spec && "inner" in spec ? spec.inner : undefined;
    return [name, { name, use, ...defined({ scale, offset, inner }) }];
  });
  return new Map(specs);
}

function defined<T extends Record<string, unknown>>(entries: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept = Object.entries(entries).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> };
}

function commonRecords(arrays: readonly NamedArray[]): number {
  const [first, ...others] = arrays;
  if (!first) return 0;
  const records = first.header.shape[0]!;
  const odd = others.find(({ header }) => header.shape[0] !== records);
  if (odd) {
    throw new FluxError(
      "dataset_ragged",
      `"${first.name}" has ${records} records and "${odd.name}" has ${odd.header.shape[0]}: the first axis of all arrays ` +
        `counts records. Leave arrays out with {"name": "${odd.name}", "use": "ignore"}.`,
      { param: odd.name },
    );
  }
  if (records > DATASET_LIMITS.records) {
    throw new FluxError("dataset_too_large", `${records} records, at most ${DATASET_LIMITS.records}: split the file.`);
  }
  return records;
}

async function copyFeatures(
  context: IngestContext,
  array: NamedArray,
  spec: UsedSpec,
  index: number,
): Promise<ArrayWriter> {
  const setup = {
    name: array.name,
    section: `array${index}`,
    shape: array.header.shape.slice(1),
    scale: spec.scale ?? 1,
    offset: spec.offset ?? 0,
    ...defined({ inner: spec.inner }),
    columns: null,
  };
  const writer = arrayWriter(context.sink, setup, storedDtype(array.header));
  await copyNpy(array.input, array.header, (values) => writer.writeStored(values));
  return writer;
}

async function copyLabels(context: IngestContext, array: NamedArray): Promise<LabelWriter> {
  checkFlat(array, "label");
  const labels = labelWriter(context.sink, array.name, null);
  await copyNpy(array.input, array.header, async (values) => {
    for (const value of values) labels.addNumber(Number(value));
    await labels.flush(false);
  });
  await labels.flush(true);
  return labels;
}

async function copyIds(context: IngestContext, array: NamedArray): Promise<IdWriter> {
  checkFlat(array, "id");
  const ids = idWriter(context.sink, array.name);
  await copyNpy(array.input, array.header, async (values) => {
    for (const value of values) ids.add(String(value), `Record ${ids.records}`);
    await ids.flush(false);
  });
  await ids.flush(true);
  return ids;
}

function checkFlat({ name, header }: NamedArray, use: string): void {
  if (header.shape.slice(1).every((axis) => axis === 1)) return;
  throw new FluxError(
    "dataset_mismatch",
    `"${name}" is stated as the ${use}, but has shape (${header.shape.join(", ")}): a ${use} is one value per record` +
      `${use === "label" ? "; turn one-hot rows into classes with array.argmax(1)" : ""}.`,
    { param: name },
  );
}

function arrayColumn({ name, header }: NamedArray, use: ColumnUse): ColumnInfo {
  return {
    name,
    datatype: header.shape.length > 1 ? "tensor" : header.element.startsWith("f") ? "float" : "int",
    role: use === "ignore" ? "ignored" : use,
    encoding: null,
    missing: 0,
    min: null,
    max: null,
  };
}
