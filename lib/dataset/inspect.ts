/**
 * A first look at a dataset, before the submitter has stated anything: columns, what they seem to hold, and a preprocessing that
 * would be accepted. Reads the beginning of the file only. In the browser it looks at a File that is not uploaded yet.
 */
import type { ColumnSpec, DatasetInspection, Preprocessing } from "../protocol/datasets.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { IngestContext } from "./context.ts";
import { csvLayout } from "./csv.ts";
import { imageEntries, imageSpec } from "./images.ts";
import { type IngestOptions, npyFile, openFile, statedPreprocessing, unpackedFirst } from "./ingest.ts";
import { jsonlSamples } from "./jsonl.ts";
import { storedDtype } from "./npy.ts";
import { arraySpecs, type NamedArray, npyArrays, npzArrays } from "./npz.ts";
import { parquetSamples } from "./parquet.ts";
import type { Cell } from "./records.ts";
import { memorySections } from "./sections.ts";
import type { ByteSource } from "./source.ts";
import { isNumberText, MISSING_WORDS, NO, YES } from "./table.ts";
import { readZipDirectory } from "./zip.ts";

type Column = DatasetInspection["columns"][number];
type Found = Pick<DatasetInspection, "columns" | "arrays" | "sampledRecords"> & { understood: Partial<Preprocessing> };

const EXAMPLES = 5;

/** Throws as `ingestDataset` does, but not for text without an encoding: that is what it finds out. */
export async function inspectDataset(source: ByteSource, options: IngestOptions): Promise<DatasetInspection> {
  const { name, format, packed, open } = await openFile(source, options);
  const warnings: string[] = [];
  const context: IngestContext = {
    source,
    name,
    preprocessing: statedPreprocessing(options),
    ...(options.modelImages ? { modelImages: options.modelImages } : {}),
    sink: memorySections(),
    storeAs: null,
    warnings,
    decoders: options.decoders ?? {},
    open,
  };
  const { understood, ...found } = await look();
  return { format, ...found, warnings, suggestion: { ...context.preprocessing, ...understood } };

  async function look(): Promise<Found> {
    switch (format) {
      case "csv": {
        const { names, samples, delimiter, header } = await csvLayout(open, context.preprocessing);
        const found = table(names, samples, context.preprocessing);
        return { ...found, understood: { ...found.understood, csv: { delimiter, header } } };
      }
      case "jsonl": {
        const { names, samples } = await jsonlSamples(open);
        return table(names, samples, context.preprocessing);
      }
      case "parquet": {
        const { names, samples } = await parquetSamples(await unpackedFirst(format, packed, context));
        return table(names, samples, context.preprocessing);
      }
      case "npy":
        return tensors(context, await npyArrays(await npyFile(packed, context)));
      case "npz":
        return tensors(context, await npzArrays(await unpackedFirst(format, packed, context)));
      case "images": {
        const unpacked = await unpackedFirst(format, packed, context);
        const entries = imageEntries(await readZipDirectory(unpacked.source), warnings);
        const { spec } = await imageSpec(unpacked, entries);
        const shape = [spec.channels === "grey" ? 1 : 3, spec.height, spec.width];
        const folders = new Set(entries.map((entry) => entry.name.split("/").slice(0, -1).join("/")));
        const label = folders.size > 1 ? ("folder" as const) : ("none" as const);
        return {
          columns: [],
          arrays: [
            { name: "images", dtype: "UINT8", shape: spec.layout === "chw" ? shape : [...shape.slice(1), shape[0]!] },
          ],
          sampledRecords: 1,
          understood: { images: { label, ...spec } },
        };
      }
    }
  }
}

function tensors(context: IngestContext, arrays: readonly NamedArray[]): Found {
  return {
    columns: [],
    arrays: arrays.map(({ name, header }) => ({ name, dtype: storedDtype(header), shape: header.shape.slice(1) })),
    sampledRecords: 0,
    understood: { arrays: [...arraySpecs(context, arrays).values()] },
  };
}

function table(names: readonly string[], samples: readonly (readonly Cell[])[], stated: Preprocessing): Found {
  const specs = new Map((stated.columns ?? []).map((spec) => [spec.name, spec]));
  const taken = new Set([...specs.values()].map(({ use }) => use));
  const columns = names.map((name, position) => {
    const column = lookAt(
      name,
      samples.map((cells) => cells[position]),
      taken,
    );
    return { ...column, suggestion: { ...column.suggestion, ...specs.get(name) } };
  });
  const suggested = columns.map(({ suggestion }) => suggestion).filter((spec) => Object.keys(spec).length > 1);
  return {
    columns,
    arrays: [],
    sampledRecords: samples.length,
    understood: suggested.length > 0 ? { columns: suggested } : {},
  };
}

/** `taken` is told when the column is suggested as the label or the id, so that no other one is. */
function lookAt(name: string, cells: readonly Cell[], taken: Set<ColumnSpec["use"]>): Column {
  if (cells.some((cell) => Array.isArray(cell))) {
    return { name, datatype: "tensor", examples: [], missing: 0, suggestion: { name } };
  }
  const texts = cells.map((cell) =>
    cell === null || cell === undefined || typeof cell === "object" ? "" : String(cell),
  );
  const present = texts.filter((text) => !MISSING_WORDS.has(text));
  const distinct = [...new Set(present)];
  const words = distinct.filter((text) => !isNumberText(text));
  const examples = distinct.slice(0, EXAMPLES).map((text) => text.slice(0, 80));
  const missing = texts.length - present.length;
  const of = (datatype: Column["datatype"], spec: Omit<ColumnSpec, "name">): Column => {
    return { name, datatype, examples, missing, suggestion: { name, ...spec } };
  };
  for (const [use, pattern] of [
    ["label", /^(label|labels|target)$/i],
    ["id", /^(id|record_id)$/i],
  ] as const) {
    if (taken.has(use) || !pattern.test(name)) continue;
    taken.add(use);
    return of(words.length > 0 ? "text" : "number", { use });
  }
  const fill =
    missing > 0 ? { missing: { kind: "fill" as const, fill: words.length > 0 ? (distinct[0] ?? "0") : "0" } } : {};
  if (words.length === 0) return of("number", fill);
  if (distinct.every((word) => YES.includes(word) || NO.includes(word))) {
    return of("bool", { encoding: { kind: "bool", yes: [...YES], no: [...NO] }, ...fill });
  }
  const repeated = distinct.length <= Math.max(2, present.length / 2) && distinct.length <= DATASET_LIMITS.categories;
  if (repeated && distinct.length <= MAX_SUGGESTED) {
    return of("category", { encoding: { kind: "one_hot", categories: distinct.toSorted() }, ...fill });
  }
  return of("text", { use: "ignore" });
}

/** More categories than this are more likely names or free text. */
const MAX_SUGGESTED = 100;
