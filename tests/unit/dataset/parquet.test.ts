import { gzipSync, zstdCompressSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { featureNames, ingest, refusal, values } from "./support.ts";

type Columns = Parameters<typeof parquetWriteBuffer>[0]["columnData"];

function parquet(columnData: Columns, options: Partial<Parameters<typeof parquetWriteBuffer>[0]> = {}) {
  return new Uint8Array(parquetWriteBuffer({ columnData, ...options }));
}

const packers = Object.fromEntries([
  ["GZIP", (page: Uint8Array) => new Uint8Array(gzipSync(page))],
  ["ZSTD", (page: Uint8Array) => new Uint8Array(zstdCompressSync(page))],
]);

test("numbers, bools, labels, ids and lists over several row groups", async () => {
  const count = 5000;
  const each = <T>(make: (row: number) => T) => Array.from({ length: count }, (_, row) => make(row));
  const file = parquet(
    [
      { name: "id", data: each((row) => `r${row}`), type: "STRING" },
      { name: "a", data: each((row) => row / 4), type: "DOUBLE" },
      { name: "b", data: each((row) => BigInt(row % 7)), type: "INT64" },
      { name: "flag", data: each((row) => row % 2 === 0), type: "BOOLEAN" },
      { name: "label", data: each((row) => (row % 3 === 0 ? "cat" : "dog")), type: "STRING" },
    ],
    { rowGroupSize: 1500 },
  );
  const { description, reader } = await ingest(file);
  expect(description).toMatchObject({
    format: "parquet",
    records: count,
    id: { name: "id" },
    label: { classes: ["cat", "dog"] },
  });
  expect(featureNames(description)).toEqual(["a", "b", "flag"]);
  const read = await values(file);
  expect(read).toEqual(each((row) => [row / 4, row % 7, row % 2 === 0 ? 1 : 0]).flat());
  expect(await reader.readIds(4998, 2)).toEqual(["r4998", "r4999"]);
});

test("lists become tensors", async () => {
  const schema = [
    { name: "root", num_children: 1 },
    { name: "image", repetition_type: "REQUIRED" as const, num_children: 1, converted_type: "LIST" as const },
    { name: "list", repetition_type: "REPEATED" as const, num_children: 1 },
    { name: "element", type: "INT32" as const, repetition_type: "REQUIRED" as const },
  ];
  const file = parquet(
    [
      {
        name: "image",
        data: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
    ],
    { schema },
  );
  const { description } = await ingest(file);
  expect(description.arrays[0]).toMatchObject({ name: "image", shape: [3], dtype: "UINT8" });
  expect(await values(file)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("gzip and zstd pages", async () => {
  const data = Float32Array.from({ length: 1000 }, (_, i) => i / 8);
  const column = [{ name: "x", data }];
  const gzip = parquet(column, { codec: "GZIP", compressors: packers });
  const zstd = parquet(column, { codec: "ZSTD", compressors: packers });
  expect(await values(gzip)).toEqual(Array.from(data));
  expect(await values(zstd, { decoders: nodeDecoders })).toEqual(Array.from(data));
  expect((await refusal(ingest(zstd))).detail).toMatch(/packed with ZSTD.*compression="snappy"/);
});

test("missing values are named by row and column, or filled as stated", async () => {
  const file = parquet([{ name: "x", data: [1, null, Number.NaN, 3], type: "DOUBLE", nullable: true }]);
  expect(await refusal(ingest(file))).toEqual({
    code: "dataset_value",
    detail: expect.stringMatching(/^Row 2, column "x": no value/),
  });
  const columns = [{ name: "x", missing: { kind: "fill" as const, fill: "-1" } }];
  expect(await values(file, { preprocessing: { version: 1, columns } })).toEqual([1, -1, -1, 3]);
});

describe("files that lie", () => {
  const data = Int32Array.from({ length: 4000 }, (_, i) => i % 5);
  const good = parquet([{ name: "x", data }]);
  const cases = [
    { name: "cut off", file: good.slice(0, -1), detail: /end is missing/ },
    {
      name: "footer length",
      file: patched(good, good.length - 8, [0xff, 0xff, 0xff, 0x7f]),
      detail: /metadata claims/,
    },
    { name: "empty footer", file: patched(good, good.length - 8, [0, 0, 0, 0]), detail: /breaks off/ },
    { name: "text", file: new TextEncoder().encode("PAR1, or so they say, PAR1"), detail: /cannot be read/ },
  ];
  for (const { name, file, detail } of cases) {
    test(name, async () => {
      const refused = await refusal(ingest(file));
      expect(refused.code).toMatch(/^dataset_(unreadable|unsafe)$/);
      expect(refused.detail).toMatch(detail);
    });
  }

  test("whatever single byte is changed, the file is read or refused, never worse", async () => {
    for (let at = 4; at < good.length; at += 3) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const outcome = await ingest(patched(good, at, [value])).then(
          () => "read",
          (error: unknown) => (error instanceof Error && error.name === "FluxError" ? "refused" : `crashed: ${error}`),
        );
        expect(["read", "refused"]).toContain(outcome);
      }
    }
  });
});

function patched(file: Uint8Array<ArrayBuffer>, at: number, bytes: number[]): Uint8Array<ArrayBuffer> {
  const copy = file.slice();
  copy.set(bytes, at);
  return copy;
}
