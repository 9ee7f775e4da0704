/**
 * Which part of a dataset feeds which input of a model: stated by the submitter or guessed, and always shown back.
 * Shapes are compared without axes of length 1; a flat input takes any shape of as many elements.
 */
import type { ColumnMapping, DatasetDescription, InputMapping, StoredArray } from "../protocol/datasets.ts";
import type { AffineEntries, InputDecoding } from "../protocol/decode.ts";
import { FluxError } from "../protocol/errors.ts";
import { type Dtype, elementsPerRecord } from "../protocol/tensors.ts";

/** A model's input without its batch axis; null is an axis that takes any length. */
export interface ModelInput {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly (number | null)[];
}

export interface InputBinding extends InputDecoding {
  /** The model's input. */
  readonly name: string;
  readonly array: string;
  /** Positions in the stored record that feed the input, in order; null takes all. */
  readonly columns: readonly number[] | null;
}

export interface Binding {
  readonly inputs: readonly InputBinding[];
  /** What was guessed, in words, for the submitter to check. */
  readonly notes: readonly string[];
}

/** Throws `dataset_mismatch` naming both shapes and the fix. */
export function bindInputs(
  dataset: DatasetDescription,
  modelInputs: readonly ModelInput[],
  mapping: ColumnMapping = { inputs: [] },
): Binding {
  const notes: string[] = [];
  for (const { input } of mapping.inputs) {
    if (!modelInputs.some(({ name }) => name === input)) {
      throw new FluxError(
        "dataset_mismatch",
        `The mapping names the input "${input}", but the model's inputs are ${quoted(modelInputs)}: use one of these.`,
        { param: "inputs" },
      );
    }
  }
  const split = splitByWidth(dataset, modelInputs, mapping, notes);
  const inputs = modelInputs.map((input) => {
    const stated = mapping.inputs.find((entry) => entry.input === input.name) ?? split.get(input.name);
    return bindInput(dataset, modelInputs, input, stated ?? { input: input.name }, notes);
  });
  return { inputs, notes };
}

function bindInput(
  dataset: DatasetDescription,
  modelInputs: readonly ModelInput[],
  input: ModelInput,
  stated: InputMapping,
  notes: string[],
): InputBinding {
  const array = chooseArray(dataset, modelInputs, input, stated, notes);
  const columns = stated.columns ? stated.columns.map((name) => columnPosition(array, name)) : null;
  const storedShape = columns ? [columns.length] : array.shape;
  const modelShape = fitShape(dataset, input, array, storedShape);
  const affine = {
    scale: stated.scale ?? pick(array.scale, columns),
    offset: stated.offset ?? pick(array.offset, columns),
  };
  checkElements(input, array, affine);
  return {
    name: input.name,
    array: array.name,
    columns,
    stored: { name: array.name, dtype: array.dtype, shape: storedShape },
    model: { name: input.name, dtype: input.dtype, shape: modelShape },
    ...affine,
    inner: stated.inner ?? array.inner,
  };
}

function chooseArray(
  dataset: DatasetDescription,
  modelInputs: readonly ModelInput[],
  input: ModelInput,
  stated: InputMapping,
  notes: string[],
): StoredArray {
  if (stated.array !== undefined) {
    const named = dataset.arrays.find(({ name }) => name === stated.array);
    if (named) return named;
    throw new FluxError(
      "dataset_mismatch",
      `The mapping feeds "${input.name}" from "${stated.array}", but the dataset's arrays are ${quoted(dataset.arrays)}.`,
      { param: input.name },
    );
  }
  const sameName = dataset.arrays.find(({ name }) => name === input.name);
  if (sameName) return sameName;
  const only = dataset.arrays.length === 1 ? dataset.arrays[0] : undefined;
  if (only && (modelInputs.length === 1 || stated.columns)) return only;
  const fitting = dataset.arrays.filter(({ shape }) => matchShape(shape, input.shape) !== null);
  if (fitting.length === 1) {
    notes.push(`Input "${input.name}" is fed from "${fitting[0]!.name}": the only array of that shape.`);
    return fitting[0]!;
  }
  throw new FluxError(
    "dataset_mismatch",
    `Nothing says which of ${quoted(dataset.arrays)} feeds the model's input "${input.name}" ${shapeText(input.shape)}: ` +
      `add {"input": "${input.name}", "array": …} to "inputs", or name the array "${input.name}".`,
    { param: input.name },
  );
}

/** Several inputs, one table: consecutive columns in the order of the inputs, if the widths add up. */
function splitByWidth(
  dataset: DatasetDescription,
  modelInputs: readonly ModelInput[],
  mapping: ColumnMapping,
  notes: string[],
): Map<string, InputMapping> {
  const split = new Map<string, InputMapping>();
  const table = dataset.arrays.length === 1 ? dataset.arrays[0] : undefined;
  if (!table?.columns || modelInputs.length < 2 || mapping.inputs.length > 0) return split;
  const widths = modelInputs.map(({ shape }) => shape.reduce<number>((n, d) => n * (d ?? Number.NaN), 1));
  if (widths.reduce((sum, width) => sum + width, 0) !== table.columns.length) return split;
  let at = 0;
  modelInputs.forEach(({ name }, index) => {
    const columns = table.columns!.slice(at, at + widths[index]!);
    at += columns.length;
    split.set(name, { input: name, array: table.name, columns });
    notes.push(`Input "${name}" is fed from columns ${columns.at(0)} to ${columns.at(-1)}, in file order.`);
  });
  return split;
}

function columnPosition(array: StoredArray, name: string): number {
  const position = array.columns?.indexOf(name) ?? -1;
  if (position >= 0) return position;
  throw new FluxError(
    "dataset_mismatch",
    `There is no feature column "${name}"${array.columns ? `; the features are ${array.columns.slice(0, 20).join(", ")}` : ""}. ` +
      `One-hot columns are named column=category.`,
    { param: name },
  );
}

function fitShape(
  dataset: DatasetDescription,
  input: ModelInput,
  array: StoredArray,
  stored: readonly number[],
): number[] {
  const fitted = matchShape(stored, input.shape);
  if (fitted) return fitted;
  const found = elementsPerRecord({ shape: stored });
  const wanted = input.shape.reduce<number>((n, d) => n * (d ?? 1), 1);
  const fix =
    array.columns !== null && stored.length === 1
      ? found > wanted
        ? `Leave ${found - wanted} column${found - wanted === 1 ? "" : "s"} out: name the features in "columns"` +
          `${dataset.label ? "" : ', or the label in "label_column"'}.`
        : `Add the ${wanted - found} missing column${wanted - found === 1 ? "" : "s"} to the file or to "columns".`
      : found === wanted
        ? "The axes are in another order: transpose the data before uploading, or state preprocessing.images.layout for images."
        : `Resize or reshape the data to ${shapeText(input.shape)} per record, or choose a model made for ${shapeText(stored)}.`;
  throw new FluxError(
    "dataset_mismatch",
    `The model's input "${input.name}" wants ${shapeText(input.shape)} per record, the dataset's "${array.name}" has ${shapeText(stored)}. ${fix}`,
    { param: input.name },
  );
}

/** The model's shape with its free axes filled in, or null where the two do not fit. */
export function matchShape(stored: readonly number[], model: readonly (number | null)[]): number[] | null {
  const elements = elementsPerRecord({ shape: stored });
  const fixed = model.filter((d) => d !== null);
  if (fixed.length === model.length) {
    const shape = [...fixed];
    if (elementsPerRecord({ shape }) !== elements) return null;
    const flat = shape.filter((d) => d !== 1).length <= 1 || stored.filter((d) => d !== 1).length <= 1;
    return flat || sameAxes(stored, shape) ? shape : null;
  }
  // Free axes take the stored lengths axis by axis; a single free axis also takes whatever is left over.
  for (const candidate of [stored, [1, ...stored], [...stored, 1]]) {
    if (candidate.length === model.length && model.every((d, i) => d === null || d === candidate[i]))
      return [...candidate];
  }
  const rest = elements / fixed.reduce<number>((n, d) => n * d, 1);
  const oneFree = fixed.length === model.length - 1 && Number.isInteger(rest) && rest > 0;
  return oneFree && fixed.every((d) => d === 1) ? model.map((d) => d ?? rest) : null;
}

function sameAxes(a: readonly number[], b: readonly number[]): boolean {
  const left = a.filter((d) => d !== 1);
  const right = b.filter((d) => d !== 1);
  return left.length === right.length && left.every((d, i) => d === right[i]);
}

const INTEGER_RANGE: Partial<Record<Dtype, readonly [number, number]>> = {
  BOOL: [0, 1],
  INT8: [-128, 127],
  UINT8: [0, 255],
  INT16: [-32_768, 32_767],
  UINT16: [0, 65_535],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  UINT32: [0, 2 ** 32 - 1],
  INT64: [-(2 ** 63), 2 ** 63],
};

function checkElements(
  input: ModelInput,
  array: StoredArray,
  affine: { scale: AffineEntries; offset: AffineEntries },
): void {
  const range = INTEGER_RANGE[input.dtype];
  if (!range) return;
  const mapped = affine.scale !== 1 || affine.offset !== 0;
  const outside = array.min !== null && array.max !== null && (array.min < range[0] || array.max > range[1]);
  if (array.integer && !mapped && !outside) return;
  throw new FluxError(
    "dataset_mismatch",
    `The model's input "${input.name}" takes ${input.dtype}, ` +
      (mapped
        ? `but a scale or offset is stated for "${array.name}": leave both out for integer inputs.`
        : outside
          ? `but "${array.name}" goes from ${array.min} to ${array.max}: only ${range[0]} to ${range[1]} fit.`
          : `but "${array.name}" holds values that are not whole numbers: round them, or use a model with a FP32 input.`),
    { param: input.name },
  );
}

function pick(entries: AffineEntries, columns: readonly number[] | null): AffineEntries {
  if (typeof entries === "number" || columns === null) return entries;
  return columns.map((column) => entries[column % entries.length]!);
}

function shapeText(shape: readonly (number | null)[]): string {
  return `[${shape.map((d) => d ?? "any").join(", ")}]`;
}

function quoted(named: readonly { name: string }[]): string {
  return named.map(({ name }) => `"${name}"`).join(", ");
}
