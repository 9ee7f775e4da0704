import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { memorySections } from "#lib/dataset/sections.ts";
import { bytesOf, ingest, npy, refusal, values } from "./support.ts";

const grid = [0, 1, 2, 3, 4, 5];

describe("element types", () => {
  const f16 = new Uint16Array([0x3c00, 0xc000, 0x3555, 0x0001]);
  const cases = [
    { descr: "|b1", data: new Uint8Array([0, 1, 7, 0]), expected: [0, 1, 1, 0], dtype: "BOOL" },
    { descr: "|u1", data: new Uint8Array([0, 255, 7, 0]), expected: [0, 255, 7, 0], dtype: "UINT8" },
    { descr: "|i1", data: new Int8Array([-128, 127, 7, 0]), expected: [-128, 127, 7, 0], dtype: "INT8" },
    { descr: "<u2", data: new Uint16Array([0, 65535, 1, 2]), expected: [0, 65535, 1, 2], dtype: "UINT16" },
    { descr: "<i2", data: new Int16Array([-5, 5, 1, 2]), expected: [-5, 5, 1, 2], dtype: "INT16" },
    { descr: "<u4", data: new Uint32Array([0, 70000, 1, 2]), expected: [0, 70000, 1, 2], dtype: "UINT32" },
    { descr: "<i4", data: new Int32Array([-5, 5, 1, 2]), expected: [-5, 5, 1, 2], dtype: "INT32" },
    { descr: "<i8", data: new BigInt64Array([-5n, 5n, 1n, 2n]), expected: [-5, 5, 1, 2], dtype: "INT64" },
    { descr: "<u8", data: new BigUint64Array([0n, 5n, 1n, 2n]), expected: [0, 5, 1, 2], dtype: "INT64" },
    { descr: "<f2", data: f16, expected: [1, -2, 0.333251953125, 2 ** -24], dtype: "FP32" },
    { descr: "<f4", data: new Float32Array([0.5, -1, 1, 2]), expected: [0.5, -1, 1, 2], dtype: "FP32" },
    { descr: "<f8", data: new Float64Array([0.1, -1, 1, 2]), expected: [Math.fround(0.1), -1, 1, 2], dtype: "FP32" },
  ];
  for (const { descr, data, expected, dtype } of cases) {
    const width = Number(descr.slice(2));
    test(`${descr}, and big-endian`, async () => {
      const little = npy({ descr, shape: [2, 2], data: bytesOf(data) });
      const swapped = bytesOf(data).slice();
      for (let at = 0; at < swapped.length; at += width) swapped.subarray(at, at + width).reverse();
      const big = npy({ descr: `>${descr.slice(1)}`, shape: [2, 2], data: swapped });
      expect(await values(little)).toEqual(expected);
      expect(await values(big)).toEqual(expected);
      expect((await ingest(little)).description.arrays[0]).toMatchObject({ dtype, shape: [2] });
    });
  }
});

test("Fortran order gives the same records as C order", async () => {
  // element [r, i, j] = 100 r + 10 i + j, written first axis fastest
  const [R, I, J] = [3, 2, 4];
  const column = new Float32Array(R * I * J);
  const row = new Float32Array(R * I * J);
  for (let r = 0; r < R; r++) {
    for (let i = 0; i < I; i++) {
      for (let j = 0; j < J; j++) {
        column[r + R * (i + I * j)] = 100 * r + 10 * i + j;
        row[(r * I + i) * J + j] = 100 * r + 10 * i + j;
      }
    }
  }
  const file = npy({ descr: "<f4", shape: [R, I, J], data: bytesOf(column), fortranOrder: true });
  expect(await values(file)).toEqual(Array.from(row));
  expect(await values(zipSync({ "x.npy": file }), { format: "npz" })).toEqual(Array.from(row));
});

test("an NPZ: several inputs, a label by its name, entries stored or deflated", async () => {
  const x = npy({ descr: "<f4", shape: [2, 3], data: bytesOf(new Float32Array(grid)) });
  const mask = npy({ descr: "|u1", shape: [2, 1], data: new Uint8Array([1, 0]) });
  const y = npy({ descr: "<i8", shape: [2], data: bytesOf(new BigInt64Array([4n, 9n])) });
  const file = zipSync({ "x.npy": x, "mask.npy": [mask, { level: 0 }], "y.npy": y });
  const { description, reader } = await ingest(file, { fileName: "data.npz" });
  expect(description.arrays.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual([
    { name: "x", shape: [3], dtype: "FP32" },
    { name: "mask", shape: [1], dtype: "UINT8" },
  ]);
  expect(description.label).toEqual({ name: "y", classes: null });
  expect(await reader.readLabels(0, 2)).toEqual(new Float64Array([4, 9]));
});

test("NPY and NPZ inside gzip", async () => {
  const x = npy({ descr: "<f4", shape: [2, 3], data: bytesOf(new Float32Array(grid)) });
  expect(await values(new Uint8Array(gzipSync(x)), { fileName: "x.npy.gz" })).toEqual(grid);
  expect(await values(new Uint8Array(gzipSync(zipSync({ "x.npy": x }))), { fileName: "x.npz.gz" })).toEqual(grid);
});

test("a Fortran array too large to hold is gathered from long runs of the file, and refused where runs are short", async () => {
  // 140 MB of bytes: element e of record r is (r + 31 e) mod 251, computed instead of kept.
  const records = 2 ** 20;
  const width = 134;
  const header = npy({ descr: "|u1", shape: [records, width], data: new Uint8Array(0), fortranOrder: true });
  const pattern = Uint8Array.from({ length: records + 251 }, (_, i) => i % 251);
  const source = {
    bytes: header.length + records * width,
    async read(start: number, length: number) {
      const bytes = new Uint8Array(length);
      if (start < header.length) bytes.set(header.subarray(start, start + length));
      const at = start - header.length;
      const from = (at % records) + ((31 * Math.floor(at / records)) % 251);
      return at < 0 ? bytes : pattern.slice(from, from + length);
    },
  };
  const wanted = [0, 777_777, records - 1];
  const found = new Map<number, Uint8Array>();
  let written = 0;
  const sink = {
    async write(_section: string, bytes: Uint8Array<ArrayBuffer>) {
      for (const record of wanted) {
        const at = record * width - written;
        if (at >= 0 && at < bytes.length) found.set(record, bytes.slice(at, at + width));
      }
      written += bytes.length;
    },
    async clear() {},
  };
  await ingestDataset(source, { format: "npy" }, sink);
  expect(written).toBe(records * width);
  for (const record of wanted) {
    expect(found.get(record)).toEqual(
      Uint8Array.from({ length: width }, (_, element) => (record + 31 * element) % 251),
    );
  }
  const flat = npy({ descr: "|u1", shape: [100, 2 ** 21], data: new Uint8Array(0), fortranOrder: true });
  const wide = {
    ...source,
    bytes: flat.length + 100 * 2 ** 21,
    read: async (start: number, length: number) => flat.slice(start, start + length),
  };
  expect((await refusal(ingestDataset(wide, { format: "npy" }, memorySections()))).detail).toMatch(/ascontiguousarray/);
});

describe("refusals name the fix", () => {
  const good = npy({ descr: "<f4", shape: [2, 3], data: bytesOf(new Float32Array(grid)) });
  const nan = npy({ descr: "<f4", shape: [2, 2], data: bytesOf(new Float32Array([1, 2, 3, Number.NaN])) });
  const other = npy({ descr: "|u1", shape: [3], data: new Uint8Array(3) });
  const cases = [
    {
      name: "pickles",
      file: npy({ descr: "|O", shape: [2], data: new Uint8Array(40) }),
      code: "dataset_unsafe",
      detail: /pickled.*allow_pickle=False/,
    },
    {
      name: "text",
      file: npy({ descr: "<U4", shape: [2], data: new Uint8Array(32) }),
      code: "dataset_unreadable",
      detail: /astype/,
    },
    {
      name: "absurd shape",
      file: npy({ descr: "<f4", shape: [2 ** 40, 2 ** 40], data: new Uint8Array(8) }),
      code: "dataset_unreadable",
      detail: /declares shape.*8 follow/,
    },
    {
      name: "cut off",
      file: good.slice(0, -4),
      code: "dataset_unreadable",
      detail: /24 bytes of values, but 20 follow.*cut off/,
    },
    {
      name: "cut in the header",
      file: good.slice(0, 40),
      code: "dataset_unreadable",
      detail: /ends inside its header/,
    },
    {
      name: "scalar",
      file: npy({ descr: "<f4", shape: [], data: new Uint8Array(4) }),
      code: "dataset_unreadable",
      detail: /first axis/,
    },
    { name: "NaN", file: nan, code: "dataset_value", detail: /record 1, value 1.*nan_to_num/ },
    {
      name: "no values",
      file: npy({ descr: "<f4", shape: [3, 0], data: new Uint8Array(0) }),
      code: "dataset_empty",
      detail: /no axis of 0/,
    },
    {
      name: "no records",
      file: npy({ descr: "<f4", shape: [0, 3], data: new Uint8Array(0) }),
      code: "dataset_empty",
      detail: /no records/,
    },
    {
      name: "lengths differ",
      file: zipSync({ "a.npy": good, "b.npy": other }),
      format: "npz" as const,
      code: "dataset_ragged",
      detail: /"a" has 2 records and "b" has 3/,
    },
  ];
  for (const { name, file, code, detail, format } of cases) {
    test(name, async () => {
      const refused = await refusal(ingest(file, format ? { format } : {}));
      expect(refused.code).toBe(code);
      expect(refused.detail).toMatch(detail);
    });
  }
});
