/** Records of a normalised dataset, by range: what microtask payloads, encryption and results are made from. */
import type { DatasetDescription, StoredArray } from "../protocol/datasets.ts";
import { decodeInput, type TensorData, viewOf } from "../protocol/decode.ts";
import { bytesPerRecord, DTYPE_BYTES } from "../protocol/tensors.ts";
import type { InputBinding } from "./bind.ts";
import type { SectionReader } from "./sections.ts";

export interface DatasetReader {
  readonly description: DatasetDescription;
  /** Stored bytes of one model input, `[count, ...binding.stored.shape]`: what a donor's payload holds. */
  readStored(binding: InputBinding, start: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
  /** The same as the model reads it, `[count, ...binding.model.shape]`. */
  readInput(binding: InputBinding, start: number, count: number): Promise<TensorData>;
  /** One number per record (a position in `description.label.classes` if there are any), NaN where missing; null without labels. */
  readLabels(start: number, count: number): Promise<Float64Array | null>;
  /** The id column, or the record numbers where there is none. */
  readIds(start: number, count: number): Promise<string[]>;
  /** Record numbers of the ids that there are, in one pass over them. */
  findIds(ids: ReadonlySet<string>): Promise<Map<string, number>>;
}

/** Ids are read in pieces of this many when one is looked for. */
const FIND_RECORDS = 64 * 1024;

export function openDataset(description: DatasetDescription, sections: SectionReader): DatasetReader {
  const arrays = new Map(description.arrays.map((array) => [array.name, array]));

  function checkRange(start: number, count: number): void {
    if (!(start >= 0 && count >= 0 && start + count <= description.records)) {
      throw new RangeError(`records ${start}..${start + count} of ${description.records}`);
    }
  }

  async function readStored(binding: InputBinding, start: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(start, count);
    const array = arrays.get(binding.array);
    if (!array) throw new RangeError(`no array "${binding.array}"`);
    const stride = bytesPerRecord(array);
    const bytes = await sections.read(array.section, start * stride, count * stride);
    return binding.columns === null ? bytes : gather(array, binding.columns, bytes, count);
  }

  async function readIds(start: number, count: number): Promise<string[]> {
    checkRange(start, count);
    if (!description.id) return Array.from({ length: count }, (_, index) => String(start + index));
    if (count === 0) return [];
    const first = Math.max(start - 1, 0);
    const ends = viewOf("INT64", await sections.read("ids.ends", first * 8, (start + count - first) * 8));
    const positions = Array.from(ends, Number);
    if (start === 0) positions.unshift(0);
    const base = positions[0]!;
    const text = await sections.read("ids", base, positions.at(-1)! - base);
    const decoder = new TextDecoder();
    return Array.from({ length: count }, (_, i) =>
      decoder.decode(text.subarray(positions[i]! - base, positions[i + 1]! - base)),
    );
  }

  return {
    description,
    readStored,
    readIds,
    async readInput(binding, start, count) {
      return decodeInput(binding, await readStored(binding, start, count), count);
    },
    async readLabels(start, count) {
      checkRange(start, count);
      return description.label ? viewOf("FP64", await sections.read("labels", start * 8, count * 8)) : null;
    },
    async findIds(ids) {
      const found = new Map<string, number>();
      for (let start = 0; start < description.records && found.size < ids.size; start += FIND_RECORDS) {
        const known = await readIds(start, Math.min(FIND_RECORDS, description.records - start));
        known.forEach((id, index) => {
          if (ids.has(id)) found.set(id, start + index);
        });
      }
      return found;
    },
  };
}

function gather(
  array: StoredArray,
  columns: readonly number[],
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
): Uint8Array<ArrayBuffer> {
  const width = DTYPE_BYTES[array.dtype];
  const stride = bytesPerRecord(array);
  const gathered = new Uint8Array(count * columns.length * width);
  for (let record = 0, at = 0; record < count; record++) {
    for (const column of columns) {
      const from = record * stride + column * width;
      for (let byte = 0; byte < width; byte++) gathered[at++] = bytes[from + byte]!;
    }
  }
  return gathered;
}
