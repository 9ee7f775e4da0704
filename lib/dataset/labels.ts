/** The two things beside the features: labels (section "labels") and ids (sections "ids" and "ids.ends"). */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { SectionSink } from "./sections.ts";

const FLUSH_RECORDS = 64 * 1024;

export interface LabelWriter {
  addNumber(value: number): void;
  addMissing(): void;
  /** A label as text: a number, or a class when the first label was no number or classes were stated. `where` is for errors. */
  addText(text: string, where: string): void;
  flush(force: boolean): Promise<void>;
  readonly name: string;
  /** No class has been stated or seen. */
  readonly numeric: boolean;
  readonly classes: readonly string[] | null;
  readonly records: number;
  /** Label of one of the first records. */
  preview(record: number): string | number | null;
}

/** `stated`: the classes in the order of the model's outputs; null to take numbers, or classes as they appear. */
export function labelWriter(sink: SectionSink, column: string, stated: readonly string[] | null): LabelWriter {
  let values = new Float64Array(FLUSH_RECORDS);
  let held = 0;
  let records = 0;
  const head: number[] = [];
  let classes = stated ? new Map(stated.map((name, index) => [name, index])) : null;

  function add(value: number): void {
    if (held === values.length) {
      const grown = new Float64Array(2 * held);
      grown.set(values);
      values = grown;
    }
    values[held++] = value;
    if (records++ < DATASET_LIMITS.previewRecords) head.push(value);
  }

  function classOf(text: string, where: string): number {
    const known = classes?.get(text);
    if (known !== undefined) return known;
    if (stated) {
      throw labelError(column, where, `"${text.slice(0, 80)}" is not among the stated categories: add it to them`);
    }
    if (text.length > DATASET_LIMITS.categoryChars) {
      throw labelError(
        column,
        where,
        `a label of ${text.length} characters, at most ${DATASET_LIMITS.categoryChars}: shorten it`,
      );
    }
    if (classes && classes.size >= DATASET_LIMITS.categories) {
      throw labelError(
        column,
        where,
        `more than ${DATASET_LIMITS.categories} classes: is "${column}" really the label?`,
      );
    }
    classes ??= new Map();
    classes.set(text, classes.size);
    return classes.size - 1;
  }

  return {
    addNumber: add,
    addMissing: () => add(Number.NaN),
    addText(text, where) {
      const number = Number(text);
      if (classes === null && text.trim() !== "" && Number.isFinite(number)) return add(number);
      if (classes === null && records > 0 && values.subarray(0, held).some(Number.isFinite)) {
        throw labelError(
          column,
          where,
          `"${text.slice(0, 80)}" is not a number like the labels before it: correct it, or state the classes as ` +
            `{"name": "${column}", "use": "label", "encoding": {"kind": "ordinal", "categories": […]}}`,
        );
      }
      add(classOf(text, where));
    },
    async flush(force) {
      if (held === 0 || (!force && held < FLUSH_RECORDS)) return;
      await sink.write("labels", new Uint8Array(values.buffer, 0, held * 8));
      values = new Float64Array(FLUSH_RECORDS);
      held = 0;
    },
    name: column,
    get numeric() {
      return classes === null;
    },
    get classes() {
      return classes ? [...classes.keys()] : null;
    },
    get records() {
      return records;
    },
    preview(record) {
      const value = head[record];
      if (value === undefined || Number.isNaN(value)) return null;
      return classes ? ([...classes.keys()][value] ?? value) : value;
    },
  };
}

function labelError(column: string, where: string, why: string): FluxError {
  return new FluxError("dataset_value", `${where}, label column "${column}": ${why}.`, { param: column });
}

export interface IdWriter {
  readonly name: string;
  readonly records: number;
  /** Of section "ids". */
  readonly bytes: number;
  preview(record: number): string;
  add(id: string, where: string): void;
  flush(force: boolean): Promise<void>;
}

/** Ids are unique: results and feedback name records by them. */
export function idWriter(sink: SectionSink, column: string): IdWriter {
  const seen = hashSet();
  const encoder = new TextEncoder();
  let text: string[] = [];
  let ends: bigint[] = [];
  let end = 0n;
  let records = 0;
  const head: string[] = [];

  return {
    name: column,
    get records() {
      return records;
    },
    get bytes() {
      return Number(end);
    },
    preview: (record) => head[record] ?? "",
    add(raw, where) {
      const id = raw.toWellFormed();
      if (id === "") {
        throw new FluxError("dataset_value", `${where}, id column "${column}": empty. Every record needs an id.`, {
          param: column,
        });
      }
      const bytes = utf8Bytes(id);
      if (bytes > DATASET_LIMITS.idBytes) {
        throw new FluxError(
          "dataset_value",
          `${where}, id column "${column}": ${bytes} bytes, at most ${DATASET_LIMITS.idBytes} are taken. Use a shorter id.`,
          { param: column },
        );
      }
      if (!seen.add(id)) {
        throw new FluxError(
          "dataset_value",
          `${where}, id column "${column}": "${id.slice(0, 80)}" occurs twice. Make the ids unique, or leave id_column out.`,
          { param: column },
        );
      }
      end += BigInt(bytes);
      if (records++ < DATASET_LIMITS.previewRecords) head.push(id);
      text.push(id);
      ends.push(end);
    },
    async flush(force) {
      if (ends.length === 0 || (!force && ends.length < FLUSH_RECORDS)) return;
      await sink.write("ids", encoder.encode(text.join("")));
      await sink.write("ids.ends", new Uint8Array(new BigInt64Array(ends).buffer));
      text = [];
      ends = [];
    },
  };
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7ff) bytes += unit >= 0xd800 && unit < 0xe000 ? 1 : 2;
    else if (unit > 0x7f) bytes += 1;
  }
  return bytes;
}

/**
 * Set of 63-bit hashes in open addressing: 16 to 32 bytes an id, where a Set<string> takes over 100. At 50 million ids the
 * chance of any two colliding is below 2e-4, and a collision only asks for another id.
 */
function hashSet() {
  let low = new Uint32Array(1024);
  let high = new Uint32Array(1024);
  let size = 0;

  function insert(a: number, b: number): boolean {
    const mask = low.length - 1;
    let at = (a ^ (b >>> 7)) & mask;
    while (low[at] !== 0 || high[at] !== 0) {
      if (low[at] === a && high[at] === b) return false;
      at = (at + 1) & mask;
    }
    low[at] = a;
    high[at] = b;
    return true;
  }

  function grow(): void {
    const [oldLow, oldHigh] = [low, high];
    low = new Uint32Array(2 * oldLow.length);
    high = new Uint32Array(2 * oldHigh.length);
    for (let i = 0; i < oldLow.length; i++) if (oldLow[i] !== 0 || oldHigh[i] !== 0) insert(oldLow[i]!, oldHigh[i]!);
  }

  return {
    add(text: string): boolean {
      if (size * 2 > low.length) grow();
      // FNV-1a beside a multiply-and-shift hash of the positions: 32 and 31 bits.
      let a = 0x811c9dc5;
      let b = 0x9747b28c;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        a = Math.imul(a ^ unit, 0x01000193);
        b = Math.imul(b ^ (unit + i), 0x85ebca6b);
        b ^= b >>> 13;
      }
      const added = insert(a >>> 0, (b | 1) >>> 0);
      if (added) size++;
      return added;
    },
  };
}
