import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { joined } from "#lib/dataset/byte-stream.ts";
import { RESULT_FORMATS, type ResultFormat, type ResultSource, resultFile } from "#lib/dataset/results/index.ts";
import { crc32 } from "#lib/dataset/results/numpy.ts";
import { float32Text } from "#lib/dataset/results/text.ts";
import { ingest, values } from "../support.ts";

function source({ ids, chunkRecords = 2 }: { ids: boolean; chunkRecords?: number }): ResultSource {
  const rows = [
    { id: 'a,"b"', scores: [0.1, 0.9], best: 1 },
    { id: "b", scores: [1 / 3, -2.5e-8], best: 0 },
    { id: "ü\n", scores: [16777216, 3], best: 1 },
  ];
  return {
    records: rows.length,
    idName: ids ? "name" : null,
    outputs: [
      { name: "scores", dtype: "FP32", shape: [1, 2] },
      { name: "best", dtype: "INT64", shape: [] },
    ],
    async *chunks() {
      for (let start = 0; start < rows.length; start += chunkRecords) {
        const part = rows.slice(start, start + chunkRecords);
        yield {
          start,
          ids: ids ? part.map(({ id }) => id) : null,
          outputs: [
            new Float32Array(part.flatMap(({ scores }) => scores)),
            new Float32Array(part.map(({ best }) => best)),
          ],
        };
      }
    },
  };
}

async function written(format: ResultFormat, from: ResultSource): Promise<Uint8Array<ArrayBuffer>> {
  const parts = [];
  for await (const part of resultFile(format, from).bytes) parts.push(part);
  return joined(parts);
}

async function text(format: ResultFormat, from: ResultSource): Promise<string> {
  return new TextDecoder().decode(await written(format, from));
}

const third = Number(float32Text(Math.fround(1 / 3)));

test("JSON: nested by shape, ids carried over", async () => {
  const results = JSON.parse(await text("json", source({ ids: true })));
  expect(results.outputs[0]).toEqual({ name: "scores", datatype: "FP32", shape: [1, 2] });
  expect(results.records).toEqual([
    { record: 0, id: 'a,"b"', outputs: { scores: [[0.1, 0.9]], best: 1 } },
    { record: 1, id: "b", outputs: { scores: [[third, -2.5e-8]], best: 0 } },
    { record: 2, id: "ü\n", outputs: { scores: [[16777216, 3]], best: 1 } },
  ]);
});

test("JSONL: one record a line", async () => {
  const lines = (await text("jsonl", source({ ids: false }))).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).record)).toEqual([0, 1, 2]);
  expect(lines[0]).toBe('{"record":0,"outputs":{"scores":[[0.1,0.9]],"best":1}}');
});

test("CSV: one column per value, quoted where needed, readable as a dataset again", async () => {
  const csv = await text("csv", source({ ids: true }));
  expect(csv.split("\r\n").slice(0, 2)).toEqual(["name,scores_0,scores_1,best", '"a,""b""",0.1,0.9,1']);
  const { reader, description } = await ingest(csv, { idColumn: "name" });
  expect(await reader.readIds(0, 3)).toEqual(['a,"b"', "b", "ü\n"]);
  expect(description.records).toBe(3);
});

test("NPY for one output, NPZ for several, both read back", async () => {
  const both = source({ ids: false });
  const npz = await written("npy", both);
  expect(resultFile("npy", both).extension).toBe(".npz");
  expect(await values(npz, { format: "npz" }, 0)).toEqual([0.1, 0.9, 1 / 3, -2.5e-8, 16777216, 3].map(Math.fround));
  expect(await values(npz, { format: "npz" }, 1)).toEqual([1, 0, 1]);
  const one: ResultSource = { ...both, outputs: both.outputs.slice(0, 1) };
  const npy = await ingest(await written("npy", one));
  expect(npy.description).toMatchObject({ format: "npy", records: 3, arrays: [{ shape: [1, 2], dtype: "FP32" }] });
});

test("Parquet: row groups, lists and ids, read by another reader", async () => {
  for (const ids of [true, false]) {
    const file = await written("parquet", source({ ids }));
    const rows = await parquetReadObjects({ file: file.buffer });
    expect(rows.map((row) => row.scores)).toEqual(
      [
        [0.1, 0.9],
        [1 / 3, -2.5e-8],
        [16777216, 3],
      ].map((row) => row.map(Math.fround)),
    );
    expect(rows.map((row) => row.best)).toEqual([1n, 0n, 1n]);
    expect(rows.map((row) => (ids ? row.name : row.record))).toEqual(ids ? ['a,"b"', "b", "ü\n"] : [0n, 1n, 2n]);
  }
});

test("records without a result are told apart in every format", async () => {
  const gaps: ResultSource = {
    records: 2,
    idName: null,
    outputs: [
      { name: "p", dtype: "FP32", shape: [] },
      { name: "n", dtype: "INT64", shape: [2] },
      { name: "b", dtype: "BOOL", shape: [] },
    ],
    async *chunks() {
      const none = Number.NaN;
      yield {
        start: 0,
        ids: null,
        outputs: [
          [none, 2],
          [none, none, 3, 4],
          [none, 1],
        ].map((values) => new Float32Array(values)),
      };
    },
  };
  expect(JSON.parse(await text("json", gaps)).records[0].outputs).toEqual({ p: null, n: [null, null], b: null });
  expect((await text("csv", gaps)).split("\r\n")[1]).toBe("0,NaN,NaN,NaN,NaN");
  const rows = await parquetReadObjects({ file: (await written("parquet", gaps)).buffer });
  expect(rows).toEqual([
    { record: 0n, p: Number.NaN, n: [null, null], b: null },
    { record: 1n, p: 2, n: [3n, 4n], b: true },
  ]);
  const only = { ...gaps, outputs: gaps.outputs.slice(1, 2), chunks: () => picked(gaps, 1) };
  const { description } = await ingest(await written("npy", only));
  expect(description.arrays[0]).toMatchObject({ dtype: "INT64", min: -(2 ** 63), max: 4 });
});

async function* picked(source: ResultSource, output: number) {
  for await (const chunk of source.chunks()) yield { ...chunk, outputs: [chunk.outputs[output]!] };
}

describe("whatever the chunks, the file is the same", () => {
  for (const format of RESULT_FORMATS.filter((name) => name !== "parquet")) {
    test(format, async () => {
      const whole = await written(format, source({ ids: true, chunkRecords: 3 }));
      expect(await written(format, source({ ids: true, chunkRecords: 1 }))).toEqual(whole);
    });
  }
});

test("float32Text is read back as the same float32 and never longer than the double's digits", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const short = float32Text(value);
      expect(Math.fround(Number(short))).toBe(Object.is(value, -0) ? 0 : value);
      expect(short.length).toBeLessThanOrEqual(String(value).length);
    }),
    { numRuns: 2000 },
  );
});

test("crc32 has the check value of its definition", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
});
