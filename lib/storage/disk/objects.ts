/** Named objects in a folder: `objects/{name}`. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectName, ObjectStore, ObjectWriter } from "../objects.ts";
import { publish, readRange, removeFile, sizeOf, streamRange, TemporaryFiles, writeAll } from "./files.ts";

export function openDiskObjects(root: string): ObjectStore {
  const temporary = new TemporaryFiles(join(root, "objects"));
  /** Names start with a word of ours, so that none can meet the folder of unfinished files. */
  const pathOf = (name: ObjectName) => join(root, "objects", "named", name);

  async function create(name: ObjectName): Promise<ObjectWriter> {
    const { path, handle } = await temporary.create();
    let bytes = 0;
    return {
      async append(chunk) {
        bytes += chunk.byteLength;
        await writeAll(handle, chunk);
      },
      async close() {
        await publish(handle, path, pathOf(name));
        return { bytes };
      },
      async abort() {
        await handle.close();
        await removeFile(path);
      },
    };
  }

  return {
    create,
    async put(name, bytes) {
      const writer = await create(name);
      try {
        await writer.append(bytes);
        await writer.close();
      } catch (error) {
        await writer.abort().catch(() => {});
        throw error;
      }
    },
    async stat(name) {
      const bytes = await sizeOf(pathOf(name));
      return bytes === undefined ? undefined : { bytes };
    },
    read: (name, range) => readRange(pathOf(name), `The object ${name}`, range),
    stream: (name, range) => streamRange(pathOf(name), `The object ${name}`, range),
    path: pathOf,
    remove: (name) => removeFile(pathOf(name)),
    async removeAll(prefix) {
      await rm(pathOf(prefix), { recursive: true, force: true });
    },
  };
}
