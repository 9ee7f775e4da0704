/**
 * Rows of named columns (CSV, JSONL, Parquet) → one array "features", labels and ids. Readers hand over cells; this file
 * knows encodings, missing values and statistics. Features are collected as doubles in batches of whole rows.
 */
import type { ColumnEncoding, ColumnInfo, ColumnSpec, ColumnUse, Preprocessing } from "../protocol/datasets.ts";
import type { AffineEntries } from "../protocol/decode.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { type ArrayWriter, arrayWriter, type StoredDtype } from "./array-writer.ts";
import { type IdWriter, idWriter, type LabelWriter, labelWriter } from "./labels.ts";
import type { SectionSink } from "./sections.ts";

/** One column as it is read. */
export interface ColumnPlan {
  readonly name: string;
  readonly use: ColumnUse;
  readonly encoding: ColumnEncoding;
  /** First feature position and number of features; 0 wide for label, id and ignored columns. */
  readonly at: number;
  readonly width: number;
  /** Category or bool word → number; null for plain numbers. */
  readonly words: ReadonlyMap<string, number> | null;
  /** Text that stands in for a missing cell; null refuses it. */
  readonly fill: string | null;
  readonly scale: number;
  readonly offset: number;
  missing: number;
}

export interface Table {
  readonly plans: readonly ColumnPlan[];
  readonly features: number;
  readonly rows: number;
  /** Opens a row: all features 0 until set. */
  beginRow(): void;
  /** A plain number in a number column that is a feature: the fast path. */
  setFeature(plan: ColumnPlan, value: number): void;
  /** Many of them: feature `features[i]` is `values[fields[i]]`. */
  setFeatures(values: Float64Array, fields: Int32Array, features: Int32Array): void;
  /** Any cell as text, trimmed by the reader where its format trims. `where` names the row, e.g. "row 7". */
  setText(plan: ColumnPlan, text: string, where: () => string): void;
  setNumber(plan: ColumnPlan, value: number, where: () => string): void;
  setMissing(plan: ColumnPlan, where: () => string): void;
  /** True when `flush` should be awaited before the next row. */
  readonly full: boolean;
  flush(force?: boolean): Promise<void>;
  finish(): { arrays: ArrayWriter[]; columns: ColumnInfo[]; labels: LabelWriter | null; ids: IdWriter | null };
}

/** Cells that mean "nothing here", as pandas and R read them. */
export const MISSING_WORDS: ReadonlySet<string> = new Set([
  "", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "none", "?", "-",
]); // biome-ignore format: a word list

const BATCH_VALUES = 256 * 1024;

/** Columns with their uses and encodings. `samples` are the first rows' texts, to say what to state for text columns. */
export function planColumns(
  names: readonly string[],
  samples: readonly (readonly (string | null)[])[],
  preprocessing: Preprocessing,
  warnings: string[],
): ColumnPlan[] {
  const stated = new Map((preprocessing.columns ?? []).map((spec) => [spec.name, spec]));
  const known = new Set(names);
  const chosen = preprocessing.features && new Set(preprocessing.features);
  for (const name of [...stated.keys(), ...(chosen ?? [])]) {
    if (!known.has(name)) {
      throw new FluxError(
        "dataset_mismatch",
        `There is no column "${name}". The file's columns are: ${names.slice(0, 30).join(", ")}${names.length > 30 ? ", …" : ""}.`,
        { param: name },
      );
    }
  }
  const specs = withGuesses(names, stated, chosen, warnings);
  const order = new Set([...(chosen ?? []), ...names]);
  const position = new Map(names.map((name, index) => [name, index]));
  const problems: { param: string; detail: string }[] = [];
  let at = 0;
  const plans = new Map<string, ColumnPlan>();
  for (const name of order) {
    const spec = specs.get(name)!;
    const index = position.get(name)!;
    const texts = samples.map((row) => row[index]).filter((text) => typeof text === "string");
    const encoding = spec.encoding ?? guessEncoding(spec, texts, problems, warnings);
    const width = spec.use === "feature" ? (encoding.kind === "one_hot" ? encoding.categories.length : 1) : 0;
    plans.set(name, {
      name,
      use: spec.use,
      encoding,
      at,
      width,
      words: wordsOf(encoding),
      fill: spec.missing?.kind === "fill" ? spec.missing.fill : null,
      scale: spec.scale ?? 1,
      offset: spec.offset ?? 0,
      missing: 0,
    });
    at += width;
  }
  if (problems.length > 0) {
    throw new FluxError(
      "dataset_value",
      problems
        .map(({ detail }) => detail)
        .slice(0, 3)
        .join(" "),
      {
        param: problems[0]!.param,
        errors: problems,
      },
    );
  }
  if (at > DATASET_LIMITS.columns) {
    throw new FluxError(
      "dataset_too_large",
      `The columns make ${at} features, at most ${DATASET_LIMITS.columns} are taken: use "ordinal" instead of "one_hot" for long category lists.`,
    );
  }
  return names.map((name) => plans.get(name)!);
}

type UsedSpec = ColumnSpec & { use: ColumnUse };

/** Where neither a label nor an id is stated, columns called so are taken as such, and a warning says it. */
function withGuesses(
  names: readonly string[],
  stated: ReadonlyMap<string, ColumnSpec>,
  chosen: ReadonlySet<string> | undefined,
  warnings: string[],
): Map<string, UsedSpec> {
  const taken = new Set([...stated.values()].map(({ use }) => use));
  const guessed = new Map<string, ColumnUse>();
  for (const [use, pattern] of [
    ["label", /^(label|labels|target)$/i],
    ["id", /^(id|record_id)$/i],
  ] as const) {
    const name = taken.has(use) ? undefined : names.find((candidate) => pattern.test(candidate));
    if (name === undefined || stated.get(name)?.use || chosen?.has(name)) continue;
    guessed.set(name, use);
    warnings.push(
      `Column "${name}" is taken as the ${use}, by its name. If it is a feature, state {"name": "${name}", "use": "feature"}.`,
    );
  }
  const specs = names.map((name) => {
    const spec = stated.get(name) ?? { name };
    const fallback = chosen?.has(name) === false ? "ignore" : "feature";
    return [name, { ...spec, use: spec.use ?? guessed.get(name) ?? fallback }] as const;
  });
  for (const use of ["label", "id"] as const) {
    const several = specs.filter(([, spec]) => spec.use === use);
    if (several.length > 1) {
      throw new FluxError(
        "invalid_request",
        `${several.map(([name]) => `"${name}"`).join(" and ")} are both stated as the ${use}: keep one.`,
      );
    }
  }
  return new Map(specs);
}

export const YES = ["true", "True", "TRUE"];
export const NO = ["false", "False", "FALSE"];

function guessEncoding(
  spec: UsedSpec,
  texts: readonly string[],
  problems: { param: string; detail: string }[],
  warnings: string[],
): ColumnEncoding {
  const words = [...new Set(texts)].filter((text) => !MISSING_WORDS.has(text) && !isNumberText(text));
  if (spec.use !== "feature" || words.length === 0) return { kind: "number" };
  if (words.every((word) => YES.includes(word) || NO.includes(word))) {
    warnings.push(`Column "${spec.name}" is read as bool: true is 1, false is 0.`);
    return { kind: "bool", yes: YES, no: NO };
  }
  if (words.every((word) => /^[+-]?\d+,\d+$/.test(word))) {
    problems.push({
      param: spec.name,
      detail: `Column "${spec.name}" has decimal commas ("${words[0]}"): write decimals with a point.`,
    });
    return { kind: "number" };
  }
  const few = words.length <= 20;
  const categories = JSON.stringify((few ? words : words.slice(0, 3)).toSorted());
  problems.push({
    param: spec.name,
    detail:
      `Column "${spec.name}" holds text (${words
        .slice(0, 5)
        .map((word) => `"${word.slice(0, 40)}"`)
        .join(", ")}${words.length > 5 ? ", …" : ""}): ` +
      `state in preprocessing.columns how it becomes numbers, {"name": "${spec.name}", "encoding": {"kind": "one_hot", "categories": ${few ? categories : `${categories.slice(0, -1)}, …]`}}} ` +
      `(or "ordinal"), or leave it out with "use": "ignore".`,
  });
  return { kind: "number" };
}

function wordsOf(encoding: ColumnEncoding): ReadonlyMap<string, number> | null {
  switch (encoding.kind) {
    case "number":
      return null;
    case "bool":
      return new Map([
        ...encoding.yes.map((word) => [word, 1] as const),
        ...encoding.no.map((word) => [word, 0] as const),
      ]);
    case "ordinal":
    case "one_hot":
      return new Map(encoding.categories.map((word, index) => [word, index]));
  }
}

/** The plans as they would be stated, plain features left out. */
export function statedColumns(plans: readonly ColumnPlan[]): ColumnSpec[] {
  return plans
    .filter((plan) => plan.use !== "feature" || plan.words || plan.fill || plan.scale !== 1 || plan.offset)
    .map((plan) => ({
      name: plan.name,
      use: plan.use,
      encoding: plan.encoding,
      ...(plan.fill === null ? {} : { missing: { kind: "fill" as const, fill: plan.fill } }),
      ...(plan.scale === 1 ? {} : { scale: plan.scale }),
      ...(plan.offset === 0 ? {} : { offset: plan.offset }),
    }));
}

/** A finite decimal number as CSV writers put it. */
export function isNumberText(text: string): boolean {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text);
}

/** `storeAs`: null to choose the narrowest type, "FP32" after NarrowingFailed. */
export function createTable(
  sink: SectionSink,
  plans: readonly ColumnPlan[],
  preprocessing: Preprocessing,
  storeAs: StoredDtype | null,
): Table {
  const features = plans.reduce((sum, plan) => sum + plan.width, 0);
  const label = plans.find(({ use }) => use === "label");
  const id = plans.find(({ use }) => use === "id");
  const labels =
    label === undefined
      ? null
      : labelWriter(sink, label.name, label.encoding.kind === "number" ? null : labelClasses(label.encoding));
  const ids: IdWriter | null = id === undefined ? null : idWriter(sink, id.name);
  const writer = features === 0 ? null : arrayWriter(sink, featuresSetup(plans, features, preprocessing), storeAs);
  const batchRows = Math.max(1, Math.floor(BATCH_VALUES / Math.max(features, 1)));
  const batch = new Float64Array(batchRows * features);
  const low = new Float64Array(features).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(features).fill(Number.NEGATIVE_INFINITY);
  const fractional = new Uint8Array(features);
  let batchCount = 0;
  let base = -features;
  let rows = 0;

  function noteRange(values: Float64Array): void {
    for (let at = 0; at < values.length; at += features) {
      for (let column = 0; column < features; column++) {
        const value = values[at + column]!;
        if (value < low[column]!) low[column] = value;
        if (value > high[column]!) high[column] = value;
        if (value !== Math.trunc(value)) fractional[column] = 1;
      }
    }
  }

  const table: Table = {
    plans,
    features,
    get rows() {
      return rows;
    },
    beginRow() {
      if (rows === DATASET_LIMITS.records) {
        throw new FluxError("dataset_too_large", `More than ${rows} records: split the file into several datasets.`);
      }
      rows++;
      base = batchCount++ * features;
      batch.fill(0, base, base + features);
    },
    setFeature(plan, value) {
      batch[base + plan.at] = value;
    },
    setFeatures(values, fields, features) {
      for (let i = 0; i < fields.length; i++) batch[base + features[i]!] = values[fields[i]!]!;
    },
    setText(plan, text, where) {
      if (plan.use === "ignore") return;
      if (plan.use === "id") return ids!.add(text, where());
      const known = plan.words?.get(text);
      if (known === undefined && MISSING_WORDS.has(text)) return table.setMissing(plan, where);
      if (plan.use === "label") return known === undefined ? labels!.addText(text, where()) : labels!.addNumber(known);
      if (plan.words === null) {
        if (!isNumberText(text)) throw notNumber(plan, text, where());
        return table.setNumber(plan, Number(text), where);
      }
      if (known === undefined) throw notCategory(plan, text, where());
      if (plan.encoding.kind === "one_hot") batch[base + plan.at + known] = 1;
      else batch[base + plan.at] = known;
    },
    setNumber(plan, value, where) {
      if (Number.isNaN(value)) return table.setMissing(plan, where);
      if (plan.use === "feature" && plan.words === null) {
        if (!(Math.abs(value) <= MAX_FLOAT32)) throw notFinite(plan, value, where());
        batch[base + plan.at] = value;
      } else if (plan.use === "label" && plan.words === null && labels!.numeric) labels!.addNumber(value);
      else table.setText(plan, String(value), where);
    },
    setMissing(plan, where) {
      plan.missing++;
      if (plan.use === "ignore") return;
      if (plan.use === "id") return ids!.add("", where());
      if (plan.fill !== null) {
        if (MISSING_WORDS.has(plan.fill)) throw badFill(plan);
        return table.setText(plan, plan.fill, where);
      }
      if (plan.use === "label") return labels!.addMissing();
      throw new FluxError(
        "dataset_value",
        `${where()}, column "${plan.name}": no value. Fill the gap in the file, or state what stands for it: ` +
          `{"name": "${plan.name}", "missing": {"kind": "fill", "fill": "0"}}.`,
        { param: plan.name },
      );
    },
    get full() {
      return batchCount === batchRows;
    },
    async flush(force = false) {
      if (batchCount > 0 && (force || batchCount === batchRows)) {
        const values = batch.subarray(0, batchCount * features);
        noteRange(values);
        if (writer) await writer.writeNumbers(values);
        batchCount = 0;
      }
      await labels?.flush(force);
      await ids?.flush(force);
    },
    finish() {
      const columns = plans.map((plan) => columnInfo(plan, low, high, fractional, labels));
      return { arrays: writer ? [writer] : [], columns, labels, ids };
    },
  };
  return table;
}

const MAX_FLOAT32 = 3.4028235677973366e38;

function labelClasses(encoding: ColumnEncoding): readonly string[] | null {
  if (encoding.kind === "ordinal" || encoding.kind === "one_hot") return encoding.categories;
  if (encoding.kind === "bool") return [encoding.no[0]!, encoding.yes[0]!];
  return null;
}

function featuresSetup(plans: readonly ColumnPlan[], features: number, preprocessing: Preprocessing) {
  const columns = new Array<string>(features);
  const scale = new Array<number>(features);
  const offset = new Array<number>(features);
  for (const plan of plans) {
    for (let i = 0; i < plan.width; i++) {
      columns[plan.at + i] =
        plan.encoding.kind === "one_hot" ? `${plan.name}=${plan.encoding.categories[i]}` : plan.name;
      scale[plan.at + i] = plan.scale;
      offset[plan.at + i] = plan.offset;
    }
  }
  return {
    name: "features",
    section: "features",
    shape: [features],
    columns,
    scale: compact(scale, preprocessing.scale, 1),
    offset: compact(offset, preprocessing.offset, 0),
  };
}

/** One number where all are the same; the dataset's own entries where no column states any. */
function compact(values: readonly number[], general: AffineEntries | undefined, neutral: number): AffineEntries {
  if (values.every((value) => value === neutral)) return general ?? neutral;
  return values.every((value) => value === values[0]) ? values[0]! : [...values];
}

function columnInfo(
  plan: ColumnPlan,
  low: Float64Array,
  high: Float64Array,
  fractional: Uint8Array,
  labels: LabelWriter | null,
): ColumnInfo {
  const numeric = plan.use === "feature" && plan.width === 1 && low[plan.at]! <= high[plan.at]!;
  return {
    name: plan.name,
    datatype: datatypeOf(plan, fractional, labels),
    role: plan.use === "ignore" ? "ignored" : plan.use,
    encoding: plan.use === "feature" ? plan.encoding : null,
    missing: plan.missing,
    min: numeric ? low[plan.at]! : null,
    max: numeric ? high[plan.at]! : null,
  };
}

function datatypeOf(plan: ColumnPlan, fractional: Uint8Array, labels: LabelWriter | null): ColumnInfo["datatype"] {
  if (plan.use === "label") return labels?.classes ? "category" : "float";
  if (plan.use !== "feature") return "text";
  if (plan.encoding.kind === "bool") return "bool";
  if (plan.encoding.kind !== "number") return "category";
  return fractional[plan.at] ? "float" : "int";
}

function notNumber(plan: ColumnPlan, text: string, where: string): FluxError {
  return new FluxError(
    "dataset_value",
    `${where}, column "${plan.name}": "${text.slice(0, 80)}" is not a number. ${/^[+-]?\d+,\d+$/.test(text) ? "Write decimals with a point" : "Correct the cell"}, or state an encoding or "use": "ignore" for the column.`,
    { param: plan.name },
  );
}

function notFinite(plan: ColumnPlan, value: number, where: string): FluxError {
  return new FluxError(
    "dataset_value",
    `${where}, column "${plan.name}": ${value} is not a finite float32 (at most 3.4e38). Correct the cell or rescale the column.`,
    { param: plan.name },
  );
}

function notCategory(plan: ColumnPlan, text: string, where: string): FluxError {
  return new FluxError(
    "dataset_value",
    `${where}, column "${plan.name}": "${text.slice(0, 80)}" is not among the stated categories. Add it to the encoding of "${plan.name}", or correct the cell.`,
    { param: plan.name },
  );
}

function badFill(plan: ColumnPlan): FluxError {
  return new FluxError(
    "invalid_request",
    `The fill of column "${plan.name}" is itself a missing value: state a number or a category.`,
    { param: plan.name },
  );
}
