/**
 * How a dataset is to be read, as options of the command line: every field of `Preprocessing` (lib/protocol/datasets.ts) that people
 * state often has one, and `--preprocessing FILE` takes the whole document as JSON. Options win over the file.
 */
import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type ColumnSpec, DatasetFormat, ImageSpec, type InputMapping, Preprocessing } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { IngestSettings } from "../custody/engine-calls.ts";

export interface DatasetOptions {
  readonly dataFormat?: DatasetFormat;
  readonly label?: string;
  readonly id?: string;
  readonly columns?: string;
  readonly ignore?: string;
  readonly category?: readonly Named<string[]>[];
  readonly oneHot?: readonly Named<string[]>[];
  readonly bool?: readonly Named<{ yes: string[]; no: string[] }>[];
  readonly fill?: readonly Named<string>[];
  readonly delimiter?: NonNullable<Preprocessing["csv"]>["delimiter"];
  /** Commander's --no-header. */
  readonly header: boolean;
  readonly scale?: number[];
  readonly mean?: number[];
  readonly std?: number[];
  readonly imageSize?: { readonly width: number; readonly height: number };
  readonly fit?: ImageSpec["fit"];
  readonly channels?: ImageSpec["channels"];
  readonly layout?: ImageSpec["layout"];
  readonly folderLabels?: boolean;
  readonly input?: readonly InputMapping[];
  readonly preprocessing?: string;
}

interface Named<Value> {
  readonly name: string;
  readonly value: Value;
}

/** Adds the options to a command, under a heading of their own. */
export function withDatasetOptions(command: Command): Command {
  const heading = "How the dataset is read:";
  const add = (flags: string, description: string, setUp: (option: Option) => Option = (option) => option) =>
    command.addOption(setUp(new Option(flags, description).helpGroup(heading)));
  const each = <Value>(parse: (text: string) => Value) => {
    return (option: Option) => option.argParser<Value[]>((text, before) => [...(before ?? []), parse(text)]);
  };
  const one = <Value>(parse: (text: string) => Value) => {
    return (option: Option) => option.argParser<Value>((text) => parse(text));
  };
  const numbers = one((text) => text.split(",").map(fraction));

  add("--data-format <format>", "by the file's content when left out", (option) =>
    option.choices(DatasetFormat.options),
  );
  add("--label <column>", "the column that holds the right answers");
  add("--id <column>", "the column that names the records; it comes back with the results");
  add("--columns <names>", "features, in the order of the model's input, separated by commas");
  add("--ignore <names>", "columns that are left out, separated by commas");
  add("--category <column=a,b,…>", "words become their position in the list: 0, 1, …", each(named(list)));
  add("--one-hot <column=a,b,…>", "words become one feature each: 1 at the record's own", each(named(list)));
  add("--bool <column=yes/no>", "words become 1 and 0; several with commas: y,yes/n,no", each(named(yesNo)));
  add(
    "--fill <column=value>",
    "what stands in for missing cells; without it they are an error",
    each(named((text) => text)),
  );
  add("--delimiter <character>", "of a CSV file, when it is not guessed right", (option) =>
    option.choices([",", ";", "\t", "|"]),
  );
  add("--no-header", "the CSV file has no line of names: columns are called column_1, column_2, …");
  add(
    "--scale <factors>",
    "the model reads value × factor; 1/255 for bytes that it wants as 0..1. One, or one per channel",
    numbers,
  );
  add("--mean <values>", "then minus this: one number, or one per channel", numbers);
  add("--std <values>", "then divided by this: one number, or one per channel", numbers);
  add("--image-size <WIDTHxHEIGHT>", "what all images are brought to", one(imageSize));
  add("--fit <how>", "cover: fill and cut the middle out; contain: whole, on black; stretch", (option) =>
    option.choices(ImageSpec.shape.fit.options),
  );
  add("--channels <order>", "of the images' pixels", (option) => option.choices(ImageSpec.shape.channels.options));
  add("--layout <order>", "chw: channels first (PyTorch); hwc: channels last (TensorFlow)", (option) =>
    option.choices(ImageSpec.shape.layout.options),
  );
  add("--folder-labels", "cats/1.png has the label cats");
  add(
    "--input <input=array[:a,b,…]>",
    "which array, or which of its columns, feeds an input of the model",
    each(inputMapping),
  );
  add("--preprocessing <file>", "all of this and more as JSON: a dataset's `preprocessing`");
  return command;
}

/** @throws FluxError invalid_request naming the option that does not fit */
export async function readDatasetOptions(
  options: DatasetOptions,
): Promise<{ readonly ingest: IngestSettings; readonly inputs: readonly InputMapping[] }> {
  const stated =
    options.preprocessing === undefined ? { version: 1 as const } : await preprocessingFile(options.preprocessing);
  const columns = columnsOf(options, stated.columns ?? []);
  const images = imagesOf(options, stated.images);
  const preprocessing: Preprocessing = {
    ...stated,
    ...(columns.length > 0 ? { columns } : {}),
    ...(images ? { images } : {}),
    ...(options.delimiter !== undefined || !options.header
      ? {
          csv: {
            ...stated.csv,
            ...(options.delimiter === undefined ? {} : { delimiter: options.delimiter }),
            ...(options.header ? {} : { header: false }),
          },
        }
      : {}),
    ...affineOf(options),
  };
  return {
    ingest: {
      ...(options.dataFormat === undefined ? {} : { format: options.dataFormat }),
      ...(options.label === undefined ? {} : { labelColumn: options.label }),
      ...(options.id === undefined ? {} : { idColumn: options.id }),
      ...(options.columns === undefined ? {} : { columns: list(options.columns) }),
      ...(Object.keys(preprocessing).length > 1 ? { preprocessing } : {}),
    },
    inputs: options.input ?? [],
  };
}

async function preprocessingFile(path: string): Promise<Preprocessing> {
  const text = await readFile(path, "utf8").catch(() => {
    throw new FluxError("invalid_request", `There is no file ${path}: check --preprocessing.`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FluxError("invalid_request", `${path} is not JSON: see \`flux inspect DATASET --json\` for its form.`, {
      cause,
    });
  }
  // What `flux inspect --json` printed holds it as its suggestion.
  const suggested = typeof json === "object" && json !== null && "suggestion" in json ? json.suggestion : json;
  const parsed = Preprocessing.safeParse(suggested);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FluxError(
    "invalid_request",
    `${path} is no preprocessing: ${issue?.path.join(".") || "it"}: ${issue?.message}. See \`flux inspect DATASET --json\` for its form.`,
  );
}

function columnsOf(options: DatasetOptions, stated: readonly ColumnSpec[]): ColumnSpec[] {
  const columns = new Map(stated.map((spec) => [spec.name, spec]));
  const add = (name: string, spec: Omit<ColumnSpec, "name">) =>
    columns.set(name, { ...columns.get(name), name, ...spec });
  for (const name of list(options.ignore ?? "")) add(name, { use: "ignore" });
  for (const { name, value } of options.category ?? []) add(name, { encoding: { kind: "ordinal", categories: value } });
  for (const { name, value } of options.oneHot ?? []) add(name, { encoding: { kind: "one_hot", categories: value } });
  for (const { name, value } of options.bool ?? []) add(name, { encoding: { kind: "bool", ...value } });
  for (const { name, value } of options.fill ?? []) add(name, { missing: { kind: "fill", fill: value } });
  return [...columns.values()];
}

function imagesOf(options: DatasetOptions, stated: ImageSpec | undefined): ImageSpec | undefined {
  const { imageSize: size, fit, channels, layout, folderLabels } = options;
  if (!size && fit === undefined && channels === undefined && layout === undefined && !folderLabels) return stated;
  if (!size && !stated) {
    throw new FluxError(
      "invalid_request",
      "Images need --image-size too, e.g. --image-size 224x224: what the model reads.",
    );
  }
  return {
    ...(stated ?? { width: 1, height: 1, fit: "cover", channels: "rgb", layout: "chw" }),
    ...size,
    ...(fit === undefined ? {} : { fit }),
    ...(channels === undefined ? {} : { channels }),
    ...(layout === undefined ? {} : { layout }),
    ...(folderLabels ? { label: "folder" as const } : {}),
  };
}

/** (value · scale − mean) / std = value · (scale / std) − mean / std. */
function affineOf({ scale, mean, std }: DatasetOptions): Pick<Preprocessing, "scale" | "offset"> {
  if (!scale && !mean && !std) return {};
  const length = Math.max(scale?.length ?? 1, mean?.length ?? 1, std?.length ?? 1);
  for (const [name, values] of Object.entries({ scale, mean, std })) {
    if (values && values.length !== 1 && values.length !== length) {
      throw new FluxError(
        "invalid_request",
        `--${name} has ${values.length} values where another option has ${length}: give one, or ${length}.`,
      );
    }
  }
  const at = (values: readonly number[] | undefined, index: number, otherwise: number) =>
    values ? values[values.length === 1 ? 0 : index]! : otherwise;
  const scales = Array.from({ length }, (_, i) => at(scale, i, 1) / at(std, i, 1));
  const offsets = Array.from({ length }, (_, i) => 0 - at(mean, i, 0) / at(std, i, 1));
  if (![...scales, ...offsets].every(Number.isFinite)) throw new FluxError("invalid_request", "--std may not be 0.");
  const flat = (values: number[]) => (length === 1 ? values[0]! : values);
  return { scale: flat(scales), ...(mean ? { offset: flat(offsets) } : {}) };
}

// ---------------------------------------------------------------- one option's text

/** "0.5" or "1/255". */
export function fraction(text: string): number {
  const [numerator, denominator = "1", ...rest] = text.trim().split("/");
  const value = Number(numerator) / Number(denominator);
  if (rest.length > 0 || numerator === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError("a number like 0.5 or 1/255");
  }
  return value;
}

function list(text: string): string[] {
  return text === "" ? [] : text.split(",").map((part) => part.trim());
}

function named<Value>(parse: (text: string) => Value): (text: string) => Named<Value> {
  return (text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new InvalidArgumentError("it is written column=…");
    return { name: text.slice(0, at), value: parse(text.slice(at + 1)) };
  };
}

function yesNo(text: string): { yes: string[]; no: string[] } {
  const [yes = "", no = "", ...rest] = text.split("/");
  if (yes === "" || no === "" || rest.length > 0) throw new InvalidArgumentError("it is written column=yes/no");
  return { yes: list(yes), no: list(no) };
}

function imageSize(text: string): { width: number; height: number } {
  const match = /^(\d+)(?:[x×](\d+))?$/.exec(text);
  if (!match) throw new InvalidArgumentError("it is written 224x224 (width × height)");
  return { width: Number(match[1]), height: Number(match[2] ?? match[1]) };
}

function inputMapping(text: string): InputMapping {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("it is written input=array or input=array:column,column");
  const [array = "", ...columns] = text.slice(at + 1).split(":");
  const names = list(columns.join(":"));
  return {
    input: text.slice(0, at),
    ...(array === "" ? {} : { array }),
    ...(names.length > 0 ? { columns: names } : {}),
  };
}
