/** What both disk stores need of the file system: durable writes, range reads, and errors in our words. */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FluxError } from "#lib/protocol/errors.ts";
import type { ByteRange } from "../objects.ts";

/** Large enough that per-read cost vanishes, small enough for hundreds of streams. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Throws away the unfinished files that a crash left in a data folder. Once, when the coordinator starts and before any of its
 * threads opens the stores: the threads write there too.
 */
export function discardUnfinishedFiles(dataFolder: string): void {
  for (const store of ["blobs", "objects"]) rmSync(join(dataFolder, store, "tmp"), { recursive: true, force: true });
}

/** Unfinished files live here until they are renamed into place. */
export class TemporaryFiles {
  readonly #folder: string;

  constructor(root: string) {
    this.#folder = join(root, "tmp");
    mkdirSync(this.#folder, { recursive: true });
  }

  async create(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = join(this.#folder, randomBytes(12).toString("hex"));
    return { path, handle: await open(path, "wx") };
  }
}

/** fsync, rename, fsync of the folder: after this a power failure cannot take it back. */
export async function publish(handle: FileHandle, temporaryPath: string, path: string): Promise<void> {
  await handle.sync();
  await handle.close();
  await mkdir(dirname(path), { recursive: true });
  await rename(temporaryPath, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.byteLength) at += (await handle.write(bytes, at)).bytesWritten;
}

export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** @throws FluxError not_found, invalid_request */
export async function readRange(path: string, what: string, range?: ByteRange): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await openForReading(path, what);
  try {
    const { offset, bytes } = await checkRange(handle, what, range);
    const data = new Uint8Array(bytes);
    await fill(handle, data, offset, what);
    return data;
  } finally {
    await handle.close();
  }
}

export async function* streamRange(path: string, what: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
  const handle = await openForReading(path, what);
  try {
    const { offset, bytes } = await checkRange(handle, what, range);
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes - at));
      await fill(handle, chunk, offset + at, what);
      yield chunk;
    }
  } finally {
    await handle.close();
  }
}

/** True when there was something to delete. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function openForReading(path: string, what: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (isMissing(error)) throw new FluxError("not_found", `${what} is not stored here (any more).`);
    throw error;
  }
}

async function checkRange(handle: FileHandle, what: string, range?: ByteRange): Promise<ByteRange> {
  const { size } = await handle.stat();
  const { offset, bytes } = range ?? { offset: 0, bytes: size };
  if (offset >= 0 && bytes >= 0 && offset + bytes <= size) return { offset, bytes };
  throw new FluxError("invalid_request", `${what} has ${size} bytes; ${bytes} from ${offset} were asked for.`);
}

async function fill(handle: FileHandle, into: Uint8Array, position: number, what: string): Promise<void> {
  let at = 0;
  while (at < into.byteLength) {
    const { bytesRead } = await handle.read(into, at, into.byteLength - at, position + at);
    if (bytesRead === 0) throw new FluxError("internal", `${what} became shorter while it was read.`);
    at += bytesRead;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
