/** Whatever happens to a file's bytes, it is read or refused with a code: nothing else is thrown, nothing hangs. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { inspectDataset } from "#lib/dataset/inspect.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { memorySource } from "#lib/dataset/source.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { bytesOf, ingest, npy } from "./support.ts";

const array = npy({ descr: "<f4", shape: [3, 2], data: bytesOf(new Float32Array(6)) });
const png = new Uint8Array(
  await sharp({ create: { width: 3, height: 2, channels: 3, background: "red" } })
    .png()
    .toBuffer(),
);
const csv = new TextEncoder().encode('id,a,"b, c",label\nr1,1,2.5,x\nr2,-3e2,4,y\n');
const files: Readonly<Record<string, Uint8Array>> = {
  "table.csv": csv,
  "table.csv.gz": gzipSync(csv),
  "table.jsonl": new TextEncoder().encode('{"a":1,"b":[[1,2],[3,4]]}\n{"a":2,"b":[[5,6],[7,8]]}\n'),
  "array.npy": array,
  "array.npz": zipSync({ "x.npy": array, "y.npy": [array, { level: 0 }] }),
  "array.npz.gz": gzipSync(zipSync({ "x.npy": array })),
  "images.zip": zipSync({ "a.png": png, "b.png": [png, { level: 0 }] }),
  "table.parquet": new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "x", data: ["a", "b", "a"] }] })),
};

const edit = fc.record({
  kind: fc.constantFrom("set", "cut", "double", "insert"),
  at: fc.nat(),
  length: fc.integer({ min: 1, max: 40 }),
  byte: fc.integer({ min: 0, max: 255 }),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function edited(file: Uint8Array, edits: readonly Edit[]): Uint8Array<ArrayBuffer> {
  let bytes = [...file];
  for (const { kind, at, length, byte } of edits) {
    const from = bytes.length === 0 ? 0 : at % bytes.length;
    const part = bytes.slice(from, from + length);
    if (kind === "set") bytes[from] = byte;
    else if (kind === "cut") bytes.splice(from, length);
    else if (kind === "double") bytes.splice(from, 0, ...part);
    else bytes = [...bytes.slice(0, from), ...Array(length).fill(byte), ...bytes.slice(from)];
  }
  return Uint8Array.from(bytes);
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "fine";
  } catch (error) {
    return isFluxError(error) && error.code !== "internal"
      ? "fine"
      : String(error instanceof Error ? error.stack : error);
  }
}

describe("damaged files", () => {
  for (const [fileName, file] of Object.entries(files)) {
    test(fileName, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
          const bytes = edited(file, edits);
          const options = { fileName, decoders: nodeDecoders };
          expect(await outcome(ingest(bytes, options))).toBe("fine");
          expect(await outcome(inspectDataset(memorySource(bytes), options))).toBe("fine");
        }),
        { numRuns: 150 },
      );
    });
  }
});
