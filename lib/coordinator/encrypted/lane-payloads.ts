/** Payloads of encrypted stages: one contiguous read of the batch's object behind a fixed header (lib/lanes/block.ts). */
import { blobRange, PAYLOAD_HEADER_BYTES, payloadHeader } from "#lib/lanes/block.ts";
import type { ObjectName, ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord } from "#lib/storage/records.ts";
import type { PayloadSource } from "../dispatch/kernel-services.ts";
import { laneSourceOf, payloadBytesOf, resultBytesOf, runOf } from "./lane-source.ts";

export function lanePayloads(objects: ObjectStore): PayloadSource {
  return {
    payloadBytes: (stage, range) => payloadBytesOf(laneSourceOf(stage), range),
    resultBytes: (stage, range) => resultBytesOf(laneSourceOf(stage), range),
    async read(stage, batch, range) {
      const { ring, features } = laneSourceOf(stage);
      const run = runOf(range);
      const { objectName, seed } = ciphertextsOf(batch);
      const { offset, length } = blobRange(ring, features, run);
      const lanes = await objects.read(objectName, { offset, bytes: length });
      const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
      payload.set(payloadHeader(ring, features, run, seed));
      payload.set(lanes, PAYLOAD_HEADER_BYTES);
      return payload;
    },
  };
}

/** Where an encrypted batch's lanes lie, and the seed of their masks. */
export function ciphertextsOf(batch: BatchRecord): { readonly objectName: ObjectName; readonly seed: Uint8Array } {
  if (batch.objectName === null || batch.maskSeed === null) {
    throw new Error(`batch ${batch.batch} of ${batch.stageId} is not encrypted`);
  }
  return { objectName: batch.objectName, seed: Uint8Array.from(Buffer.from(batch.maskSeed, "hex")) };
}
