/** gzip and deflate as streams, with the bounds that keep a small file from becoming a large one. */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import type { ByteStream } from "./byte-stream.ts";

export interface UnpackBounds {
  /** For errors. */
  readonly name: string;
  readonly packedBytes: number;
}

/** Unpacks; throws dataset_unsafe on a bomb and dataset_unreadable on damage. */
export async function* unpack(
  format: "gzip" | "deflate-raw",
  packed: ByteStream,
  { name, packedBytes }: UnpackBounds,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const bound = Math.max(DATASET_LIMITS.unpackedBytesFree, packedBytes * DATASET_LIMITS.zipRatio);
  const stream = readable(packed).pipeThrough(new DecompressionStream(format));
  const reader = stream.getReader();
  let unpackedBytes = 0;
  try {
    while (true) {
      const next = await reader.read().catch((cause: unknown) => {
        throw new FluxError(
          "dataset_unreadable",
          `"${name}" is damaged: compress it again and upload the whole file.`,
          {
            cause,
          },
        );
      });
      if (next.done) return;
      unpackedBytes += next.value.byteLength;
      if (unpackedBytes > bound || unpackedBytes > DATASET_LIMITS.unpackedBytes) throw bomb(name);
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** A gzip file ends with its unpacked length modulo 2^32 (RFC 1952, 2.3.1): an honest bomb is refused before it is opened. */
export function checkDeclared(tail: Uint8Array, { name, packedBytes }: UnpackBounds): void {
  const declared = tail.reduceRight((value, byte) => value * 256 + byte, 0);
  if (declared > Math.max(DATASET_LIMITS.unpackedBytesFree, packedBytes * DATASET_LIMITS.zipRatio)) throw bomb(name);
}

/** `ReadableStream.from`, which Chromium lacks. */
function readable(chunks: ByteStream): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

export function bomb(name: string): FluxError {
  return new FluxError(
    "dataset_unsafe",
    `"${name}" unpacks to more than ${DATASET_LIMITS.zipRatio} times its size (or ${DATASET_LIMITS.unpackedBytes} bytes), ` +
      `like a decompression bomb: upload it uncompressed, or in parts.`,
  );
}
