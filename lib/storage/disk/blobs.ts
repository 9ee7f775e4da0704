/** Content-addressed blobs in a folder: `blobs/ab/ab12…`. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { FluxError } from "#lib/protocol/errors.ts";
import { Digest } from "#lib/protocol/ids.ts";
import type { BlobStore } from "../objects.ts";
import { publish, readRange, removeFile, sizeOf, streamRange, TemporaryFiles, writeAll } from "./files.ts";

export function openDiskBlobs(root: string): BlobStore {
  const temporary = new TemporaryFiles(join(root, "blobs"));
  const pathOf = (digest: Digest) => join(root, "blobs", digest.slice(0, 2), digest);

  return {
    async put(source, { maxBytes = Number.POSITIVE_INFINITY } = {}) {
      const { path, handle } = await temporary.create();
      const hash = createHash("sha256");
      let bytes = 0;
      try {
        for await (const chunk of source) {
          bytes += chunk.byteLength;
          if (bytes > maxBytes) {
            throw new FluxError(
              "payload_too_large",
              `The upload is larger than ${maxBytes} bytes: send a smaller file.`,
            );
          }
          hash.update(chunk);
          await writeAll(handle, chunk);
        }
        const digest = Digest.parse(hash.digest("hex"));
        await publish(handle, path, pathOf(digest));
        return { digest, bytes };
      } catch (error) {
        await handle.close().catch(() => {});
        await removeFile(path);
        throw error;
      }
    },
    async stat(digest) {
      const bytes = await sizeOf(pathOf(digest));
      return bytes === undefined ? undefined : { digest, bytes };
    },
    read: (digest, range) => readRange(pathOf(digest), `The file ${digest}`, range),
    stream: (digest, range) => streamRange(pathOf(digest), `The file ${digest}`, range),
    path: pathOf,
    remove: (digest) => removeFile(pathOf(digest)),
  };
}
