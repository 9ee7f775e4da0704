/** A stored dataset's records (or segments of them) as the key-holder's threads open them. */

import { z } from "zod";
import { type FlatRecords, flatRecords } from "#lib/dataset/flat-records.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { openSegments, segmentDataset } from "#lib/dataset/segmented.ts";
import { DatasetDescription, SegmentSpec } from "#lib/protocol/datasets.ts";
import { InputDecoding } from "#lib/protocol/decode.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { objectSections } from "../dataset-sections.ts";

/** What a task's thread needs to open a dataset by itself. */
export const RecordsInput = z.object({
  objectsFolder: z.string(),
  dataset: ObjectName,
  description: DatasetDescription,
  /** Records are cut into these, each encrypted as a record of its own. */
  segments: SegmentSpec.optional(),
  bindings: z.array(
    InputDecoding.extend({
      name: z.string(),
      array: z.string(),
      columns: z.array(z.int().nonnegative()).nullable(),
    }),
  ),
});
export type RecordsInput = z.input<typeof RecordsInput>;

/** How many slots the records need: their segments where they are cut. */
export function countUnits({
  description,
  segments,
}: Pick<z.infer<typeof RecordsInput>, "description" | "segments">): number {
  return segmentDataset(description, segments).description.records;
}

export function openRecords(input: z.infer<typeof RecordsInput>): FlatRecords {
  const { objectsFolder, dataset, description, bindings } = input;
  const sections = objectSections(openDiskObjects(objectsFolder), dataset);
  const reader = openSegments(openDataset(description, sections), segmentDataset(description, input.segments));
  return flatRecords(reader, bindings);
}
