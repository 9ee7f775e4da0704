/** JSON Lines: one record a line, an object of cells or a list of numbers (nested lists are tensors). */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IngestContext, Ingested } from "./context.ts";
import { lines } from "./lines.ts";
import { type Cell, readRecords } from "./records.ts";

type JsonObject = { readonly [key: string]: Cell };

interface Line {
  readonly number: number;
  readonly bytes: number;
  readonly value: JsonObject;
}

const SAMPLE_RECORDS = 200;
/** Lines may have 16 MiB each: the samples are held together. */
const SAMPLE_BYTES = 1024 * 1024;
/** Plain lists as records go under this name. */
const LIST_NAME = "features";

export async function readJsonl(context: IngestContext): Promise<Ingested> {
  const samples = await firstLines(context.open());
  const first = samples[0];
  if (!first)
    throw new FluxError("dataset_empty", "The file has no records: put one JSON object or list on each line.");
  const names = Object.keys(first.value);
  const positions = new Map(names.map((name, index) => [name, index]));
  let line = first.number;
  return readRecords(context, {
    names,
    samples: samples.map((sample) => cellsOf(sample, positions)),
    where: () => `Line ${line}`,
    async *records() {
      for await (const record of objects(context.open())) {
        line = record.number;
        yield cellsOf(record, positions);
      }
    },
  });
}

/** Keys of the first record, and the first records. */
export async function jsonlSamples(open: () => ByteStream): Promise<{ names: string[]; samples: Cell[][] }> {
  const lines = await firstLines(open());
  const first = lines[0];
  if (!first)
    throw new FluxError("dataset_empty", "The file has no records: put one JSON object or list on each line.");
  const names = Object.keys(first.value);
  const positions = new Map(names.map((name, index) => [name, index]));
  return { names, samples: lines.map((line) => cellsOf(line, positions)) };
}

/** Keys may be missing (a missing value), but never new. */
function cellsOf({ number, value }: Line, positions: ReadonlyMap<string, number>): Cell[] {
  const cells = new Array<Cell>(positions.size);
  for (const key of Object.keys(value)) {
    const position = positions.get(key);
    if (position === undefined) {
      throw new FluxError(
        "dataset_ragged",
        `Line ${number} has the key "${key.slice(0, 80)}", which the first record lacks. Give every record the same keys.`,
        { param: key.slice(0, 80) },
      );
    }
    cells[position] = value[key];
  }
  return cells;
}

async function firstLines(stream: ByteStream): Promise<Line[]> {
  const found: Line[] = [];
  let bytes = 0;
  for await (const line of objects(stream)) {
    bytes += line.bytes;
    if (found.push(line) === SAMPLE_RECORDS || bytes > SAMPLE_BYTES) break;
  }
  return found;
}

async function* objects(stream: ByteStream): AsyncGenerator<Line> {
  for await (const { bytes, number } of lines(stream)) {
    checkDepth(bytes, number);
    yield { number, bytes: bytes.length, value: toObject(parse(bytes, number), number) };
  }
}

const decoder = new TextDecoder("utf-8");

function parse(bytes: Uint8Array, number: number): Cell {
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

function toObject(value: Cell, number: number): JsonObject {
  if (Array.isArray(value)) {
    if (value.every((item) => item === null || typeof item !== "object" || Array.isArray(item)))
      return { [LIST_NAME]: value };
    throw new FluxError(
      "dataset_unreadable",
      `Line ${number} is a list of objects: put each object on a line of its own (jq -c '.[]' in.json > out.jsonl).`,
    );
  }
  if (value === null || typeof value !== "object") {
    throw new FluxError("dataset_unreadable", `Line ${number} is a single value: records are objects or lists.`);
  }
  const keys = Object.keys(value);
  if (keys.length > DATASET_LIMITS.columns) {
    throw new FluxError(
      "dataset_too_large",
      `Line ${number} has ${keys.length} keys, at most ${DATASET_LIMITS.columns}: use a list.`,
    );
  }
  for (const key of keys) {
    if (key === "__proto__") {
      throw new FluxError("dataset_unsafe", `Line ${number} has the key "__proto__", which is never read: rename it.`);
    }
    if (key.length > 512) {
      throw new FluxError("dataset_unreadable", `Line ${number} has a key of ${key.length} characters: at most 512.`);
    }
  }
  return value as JsonObject;
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
