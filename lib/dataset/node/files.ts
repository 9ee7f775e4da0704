/** Sources and sections on a Node file system. Section names come from Flux, never from a dataset. */
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SectionReader, SectionSink } from "../sections.ts";
import type { ByteSource } from "../source.ts";

export interface FileSource extends ByteSource, AsyncDisposable {}

export async function fileSource(path: string): Promise<FileSource> {
  const handle = await open(path, "r");
  const { size } = await handle.stat();
  return {
    bytes: size,
    read: (start, length) => readExactly(handle, start, length),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

export interface SectionFiles extends SectionSink, SectionReader, AsyncDisposable {
  path(section: string): string;
}

/** One file per section in `folder`, which is made if it is missing. Close it to be sure that everything is on disk. */
export async function sectionFiles(folder: string): Promise<SectionFiles> {
  await mkdir(folder, { recursive: true });
  const handles = new Map<string, FileHandle>();
  const path = (section: string) => join(folder, `${section}.bin`);

  async function handleOf(section: string, flags: "a" | "r"): Promise<FileHandle> {
    const key = `${flags}:${section}`;
    const known = handles.get(key);
    if (known) return known;
    const handle = await open(path(section), flags);
    handles.set(key, handle);
    return handle;
  }

  async function close(): Promise<void> {
    for (const [key, handle] of handles) {
      if (key.startsWith("a:")) await handle.sync();
      await handle.close();
    }
    handles.clear();
  }

  return {
    path,
    async write(section, bytes) {
      await (await handleOf(section, "a")).appendFile(bytes);
    },
    async clear() {
      const written = [...handles.keys()].filter((key) => key.startsWith("a:")).map((key) => key.slice(2));
      await close();
      for (const section of written) await rm(path(section), { force: true });
    },
    async read(section, start, length) {
      return readExactly(await handleOf(section, "r"), start, length);
    },
    [Symbol.asyncDispose]: close,
  };
}

async function readExactly(handle: FileHandle, start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, start + at);
    if (bytesRead === 0) throw new RangeError(`the file ends at ${start + at}, ${start + length} bytes were asked for`);
    at += bytesRead;
  }
  return bytes;
}
