/** A stored dataset's records as the key-holder's threads open them. */

import { z } from "zod";
import { type FlatRecords, flatRecords } from "#lib/dataset/flat-records.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { DatasetDescription } from "#lib/protocol/datasets.ts";
import { InputDecoding } from "#lib/protocol/decode.ts";
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

export function openRecords({
  objectsFolder,
  dataset,
  description,
  bindings,
}: z.infer<typeof RecordsInput>): FlatRecords {
  const reader = openDataset(description, objectSections(openDiskObjects(objectsFolder), dataset));
  return flatRecords(reader, bindings);
}
