/** Reads a File and gives back plain values, in Node and in browsers alike. */

import type { Decoders } from "#lib/dataset/context.ts";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { memorySections } from "#lib/dataset/sections.ts";
import { blobSource } from "#lib/dataset/source.ts";
import type { Preprocessing } from "#lib/protocol/datasets.ts";

export async function read(file: File, preprocessing: Preprocessing, decoders: Decoders) {
  const sections = memorySections();
  const description = await ingestDataset(blobSource(file), { fileName: file.name, preprocessing, decoders }, sections);
  const reader = openDataset(description, sections);
  const values: number[][] = [];
  for (const array of description.arrays) {
    const binding = {
      ...array,
      array: array.name,
      columns: null,
      stored: array,
      model: { ...array, dtype: "FP32" as const },
    };
    values.push(Array.from(await reader.readInput(binding, 0, description.records), Number));
  }
  const labels = await reader.readLabels(0, description.records);
  return { description, values, ids: await reader.readIds(0, description.records), labels: labels && [...labels] };
}
