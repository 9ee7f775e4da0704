/**
 * A batch's ciphertexts as they arrive: parts of a fixed size, in any order, several at a time, each durable before it is acknowledged. A small
 * object says which seed they are under; parts carry it in their names, so that an attempt that was given up never mixes with the next.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { MaskSeed } from "#lib/protocol/api/custody.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { CUSTODY_LIMITS } from "#lib/protocol/limits.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";

const Begun = z.object({ generation: z.int().nonnegative(), seed: MaskSeed });

export interface PartUpload {
  readonly generation: number;
  readonly seed: string;
  readonly missing: Set<number>;
}

const folderOf = (jobId: JobId, batch: number): ObjectName => ObjectName.parse(`encrypted/${jobId}/upload${batch}`);
const begunName = (jobId: JobId, batch: number): ObjectName => ObjectName.parse(`${folderOf(jobId, batch)}/begun`);
export const partName = (jobId: JobId, batch: number, seed: string, part: number): ObjectName =>
  ObjectName.parse(`${folderOf(jobId, batch)}/${seed}.${part}`);

export function partCount(batchBytes: number): number {
  return Math.ceil(batchBytes / CUSTODY_LIMITS.partBytes);
}

export function partLength(batchBytes: number, part: number): number {
  return Math.min(CUSTODY_LIMITS.partBytes, batchBytes - part * CUSTODY_LIMITS.partBytes);
}

export async function beginUpload(
  objects: ObjectStore,
  jobId: JobId,
  batch: number,
  begun: z.infer<typeof Begun>,
  batchBytes: number,
): Promise<PartUpload> {
  await objects.removeAll(folderOf(jobId, batch));
  await objects.put(begunName(jobId, batch), new TextEncoder().encode(JSON.stringify(begun)));
  return { ...begun, missing: new Set(Array.from({ length: partCount(batchBytes) }, (_, part) => part)) };
}

/** What a run before this one had received; undefined where nothing was begun. */
export async function restoreUpload(
  objects: ObjectStore,
  jobId: JobId,
  batch: number,
  batchBytes: number,
): Promise<PartUpload | undefined> {
  const name = begunName(jobId, batch);
  if (!(await objects.stat(name))) return undefined;
  const begun = Begun.parse(JSON.parse(new TextDecoder().decode(await objects.read(name))));
  const missing = new Set<number>();
  for (let part = 0; part < partCount(batchBytes); part++) {
    if (!(await objects.stat(partName(jobId, batch, begun.seed, part)))) missing.add(part);
  }
  return { ...begun, missing };
}

export async function endUpload(objects: ObjectStore, jobId: JobId, batch: number): Promise<void> {
  await objects.removeAll(folderOf(jobId, batch));
}

/**
 * Streams one part to disk. Resolves when it is durable.
 * @param digest `sha-256=:…:` of the part (RFC 9530)
 * @throws FluxError payload_too_large, ciphertext_invalid where length or digest differ; nothing is kept then
 */
export async function receivePart(
  objects: ObjectStore,
  name: ObjectName,
  bytes: number,
  digest: string | undefined,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const wanted = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(digest ?? "")?.[1];
  if (!wanted) {
    throw new FluxError("invalid_request", "Send Content-Digest: sha-256=:…: with every part (RFC 9530).", {
      param: "Content-Digest",
    });
  }
  const writer = await objects.create(name);
  const hash = createHash("sha256");
  let received = 0;
  try {
    for await (const chunk of body) {
      received += chunk.byteLength;
      if (received > bytes) throw new FluxError("payload_too_large", `This part has ${bytes} bytes, more came.`);
      hash.update(chunk);
      await writer.append(chunk);
    }
    if (received !== bytes) {
      throw new FluxError("ciphertext_invalid", `This part has ${bytes} bytes, ${received} came: send it again.`);
    }
    if (hash.digest("base64") !== wanted) {
      throw new FluxError("ciphertext_invalid", "The part is not what its digest says: send it again.");
    }
    await writer.close();
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  }
}
