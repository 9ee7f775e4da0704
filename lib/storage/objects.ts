/**
 * Where bytes lie that are too large for rows. Two kinds, because they die differently:
 *
 * *Blobs* are content-addressed and immutable (uploads, models, programs, stage specs). The same content from two tenants
 * is one blob, so a blob may be deleted only when the store says that nothing refers to it.
 *
 * *Objects* have names, are written once front to back, read by ranges, and deleted by name or prefix (normalised
 * datasets, encrypted batches, large results). Nobody shares them.
 *
 * Both are acknowledged only after they are durable: fsync of the file, rename into place, fsync of the directory.
 */
import { z } from "zod";
import type { Digest } from "#lib/protocol/ids.ts";

/** Slash-separated words of lower-case letters, digits, `_`, `-` and inner dots; never a path of the submitter. */
export const ObjectName = z
  .string()
  .max(200)
  .regex(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*(\/[a-z0-9_-]+(\.[a-z0-9_-]+)*)*$/, "an object name like results/job_x/mt_y")
  .brand<"ObjectName">();
export type ObjectName = z.infer<typeof ObjectName>;

export interface BlobInfo {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

/** A source of chunks: a Node stream, a web stream, an async generator, or an array of buffers. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface PutLimits {
  /** @default no limit */
  readonly maxBytes?: number;
}

export interface BlobStore {
  /**
   * Streams bytes in and answers their digest, durable.
   * @throws FluxError payload_too_large beyond `maxBytes`; nothing is kept then
   */
  put(source: ByteSource, limits?: PutLimits): Promise<BlobInfo>;
  stat(digest: Digest): Promise<BlobInfo | undefined>;
  /** @throws FluxError not_found */
  read(digest: Digest, range?: ByteRange): Promise<Uint8Array<ArrayBuffer>>;
  /** In chunks, for bodies larger than memory should hold. */
  stream(digest: Digest, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** A path on this machine for code that must map or seek the file itself; undefined where blobs are remote. */
  path(digest: Digest): string | undefined;
  /** True when there was something to delete. */
  remove(digest: Digest): Promise<boolean>;
}

/** An object that is being written; nothing of it can be read before `close` is answered. */
export interface ObjectWriter {
  append(bytes: Uint8Array): Promise<void>;
  /** Makes it durable and readable under its name. */
  close(): Promise<{ readonly bytes: number }>;
  /** Throws away what was written. */
  abort(): Promise<void>;
}

export interface ObjectStore {
  /** Replaces what has that name, atomically, when the writer is closed. */
  create(name: ObjectName): Promise<ObjectWriter>;
  put(name: ObjectName, bytes: Uint8Array): Promise<void>;
  stat(name: ObjectName): Promise<{ readonly bytes: number } | undefined>;
  /** @throws FluxError not_found; invalid_request where the range leaves the object */
  read(name: ObjectName, range?: ByteRange): Promise<Uint8Array<ArrayBuffer>>;
  stream(name: ObjectName, range?: ByteRange): AsyncIterable<Uint8Array>;
  path(name: ObjectName): string | undefined;
  remove(name: ObjectName): Promise<boolean>;
  /** Deletes everything under `prefix/`. */
  removeAll(prefix: ObjectName): Promise<void>;
}
