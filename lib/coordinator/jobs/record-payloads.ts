/** Payloads of public stages: the records' stored bytes, input after input, cut from the normalised dataset. */
import { z } from "zod";
import type { InputBinding } from "#lib/dataset/bind.ts";
import { type DatasetReader, openDataset } from "#lib/dataset/reader.ts";
import { openSegments, segmentDataset } from "#lib/dataset/segmented.ts";
import { SegmentSpec } from "#lib/protocol/datasets.ts";
import { InputDecoding } from "#lib/protocol/decode.ts";
import { DatasetId } from "#lib/protocol/ids.ts";
import type { ObjectStore } from "#lib/storage/objects.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";
import { objectSections } from "../dataset-sections.ts";
import type { PayloadSource } from "../dispatch/kernel-services.ts";

/** What a public stage's `definition.source` holds. */
export const RecordSource = z.object({
  dataset: DatasetId,
  /** Units are segments of records where it is set. */
  segments: SegmentSpec.optional(),
  bindings: z.array(
    InputDecoding.extend({
      name: z.string(),
      array: z.string(),
      columns: z.array(z.int().nonnegative()).nullable(),
    }),
  ),
});
export type RecordSource = z.infer<typeof RecordSource>;

export function recordPayloads(store: Store, objects: ObjectStore): PayloadSource {
  /** Of open stages; a handful at a time, some hundred bytes each. */
  const readers = new Map<string, Promise<{ reader: DatasetReader; bindings: readonly InputBinding[] }>>();

  function readerOf(stage: StageRecord) {
    let known = readers.get(stage.id);
    if (!known) {
      known = openSource(store, objects, stage);
      known.catch(() => readers.delete(stage.id));
      readers.set(stage.id, known);
      if (readers.size > 256) for (const oldest of [...readers.keys()].slice(0, 64)) readers.delete(oldest);
    }
    return known;
  }

  return {
    payloadBytes: (stage, range) => stage.unitBytesIn * range.unitCount,
    resultBytes: (stage, range) => stage.unitBytesOut * range.unitCount,
    async read(stage, _batch, range) {
      const { reader, bindings } = await readerOf(stage);
      return readPayload(reader, bindings, range.unitStart, range.unitCount);
    },
  };
}

async function openSource(store: Store, objects: ObjectStore, stage: StageRecord) {
  const source = RecordSource.parse(stage.definition.source);
  const dataset = await store.datasets.get(SYSTEM, source.dataset);
  const reader = openDataset(dataset.description, objectSections(objects, dataset.objectName));
  return {
    reader: openSegments(reader, segmentDataset(dataset.description, source.segments)),
    bindings: source.bindings,
  };
}

/** The stored bytes of `count` records, input after input, as a donor gets them. */
export async function readPayload(
  reader: DatasetReader,
  bindings: readonly InputBinding[],
  start: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const binding of bindings) parts.push(await reader.readStored(binding, start, count));
  const only = parts[0];
  if (parts.length === 1 && only) return only;
  const payload = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    payload.set(part, at);
    at += part.byteLength;
  }
  return payload;
}
