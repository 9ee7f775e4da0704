/** Records of a normalised dataset as the key-holder reads them: all model inputs of a record, flattened, one after another. */

import { z } from "zod";
import type { InputBinding } from "#lib/dataset/bind.ts";
import { type DatasetReader, openDataset } from "#lib/dataset/reader.ts";
import { DatasetDescription } from "#lib/protocol/datasets.ts";
import { InputDecoding } from "#lib/protocol/decode.ts";
import { elementsPerRecord } from "#lib/protocol/tensors.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { objectSections } from "../dataset-sections.ts";

/** What a task's thread needs to open a dataset by itself. */
export const RecordsInput = z.object({
  objectsFolder: z.string(),
  dataset: ObjectName,
  description: DatasetDescription,
  bindings: z.array(
    InputDecoding.extend({
      name: z.string(),
      array: z.string(),
      columns: z.array(z.int().nonnegative()).nullable(),
    }),
  ),
});
export type RecordsInput = z.input<typeof RecordsInput>;

export interface Records {
  readonly count: number;
  /** Values of a record. */
  readonly features: number;
  /** `[count, features]` */
  read(start: number, count: number): Promise<Float64Array>;
}

export function openRecords({ objectsFolder, dataset, description, bindings }: z.infer<typeof RecordsInput>): Records {
  const reader = openDataset(description, objectSections(openDiskObjects(objectsFolder), dataset));
  const widths = bindings.map(({ model }) => elementsPerRecord(model));
  const features = widths.reduce((sum, width) => sum + width, 0);
  return {
    count: description.records,
    features,
    read: (start, count) => readRecords(reader, bindings, widths, features, start, count),
  };
}

async function readRecords(
  reader: DatasetReader,
  bindings: readonly InputBinding[],
  widths: readonly number[],
  features: number,
  start: number,
  count: number,
): Promise<Float64Array> {
  const records = new Float64Array(count * features);
  let first = 0;
  for (const [index, binding] of bindings.entries()) {
    const width = widths[index] ?? 0;
    const values = await reader.readInput(binding, start, count);
    for (let record = 0; record < count; record++) {
      for (let i = 0; i < width; i++) records[record * features + first + i] = Number(values[record * width + i]);
    }
    first += width;
  }
  return records;
}
