import { zipSync } from "fflate";
import sharp from "sharp";
import { expect, test } from "vitest";
import { inspectDataset } from "#lib/dataset/inspect.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { memorySource } from "#lib/dataset/source.ts";
import { DatasetInspection } from "#lib/protocol/datasets.ts";
import { bytesOf, featureNames, ingest, npy } from "./support.ts";

function inspect(content: string | Uint8Array<ArrayBuffer>, fileName = "file") {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return inspectDataset(memorySource(bytes), { fileName, decoders: nodeDecoders });
}

const csv =
  "id,sex,size,ok,note,label\n1,M,1.5,true,one text,3\n2,F,,false,another,4\n3,M,2,true,a third,3\n4,F,9,true,more,3\n";

test("columns: what they hold, examples, gaps", async () => {
  const found = DatasetInspection.parse(await inspect(csv));
  expect(found.columns.map(({ name, datatype, missing }) => [name, datatype, missing])).toEqual([
    ["id", "number", 0],
    ["sex", "category", 0],
    ["size", "number", 1],
    ["ok", "bool", 0],
    ["note", "text", 0],
    ["label", "number", 0],
  ]);
  expect(found.columns[1]?.examples).toEqual(["M", "F"]);
});

test("the suggestion is accepted as it stands, by CSV and by JSONL", async () => {
  const rows = csv
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  const jsonl = rows
    .slice(1)
    .map((row) => JSON.stringify(Object.fromEntries(row.map((cell, i) => [rows[0]![i]!, cell || null]))))
    .join("\n");
  for (const file of [csv, jsonl]) {
    const { suggestion } = await inspect(file);
    const { description } = await ingest(file, { preprocessing: suggestion });
    expect(featureNames(description)).toEqual(["sex=F", "sex=M", "size", "ok"]);
    expect(description).toMatchObject({ id: { name: "id" }, label: { name: "label" } });
    expect(description.preview[1]?.arrays[0]?.values).toEqual([1, 0, 0, 0]);
  }
});

test("arrays and images", async () => {
  const x = npy({ descr: "<f4", shape: [2, 3], data: bytesOf(new Float32Array(6)) });
  const y = npy({ descr: "<i8", shape: [2], data: bytesOf(new BigInt64Array(2)) });
  const npz = await inspect(zipSync({ "x.npy": x, "y.npy": y }), "data.npz");
  expect(npz.arrays).toEqual([
    { name: "x", dtype: "FP32", shape: [3] },
    { name: "y", dtype: "INT64", shape: [] },
  ]);
  expect(npz.suggestion.arrays).toMatchObject([{ use: "feature" }, { use: "label" }]);
  expect((await inspect(x)).arrays).toEqual([{ name: "features", dtype: "FP32", shape: [3] }]);

  const picture = await sharp({ create: { width: 6, height: 4, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const zip = zipSync({ "cat/a.png": new Uint8Array(picture), "dog/b.png": new Uint8Array(picture) });
  const images = await inspect(zip);
  expect(images.arrays).toEqual([{ name: "images", dtype: "UINT8", shape: [3, 4, 6] }]);
  expect(images.suggestion.images).toMatchObject({ width: 6, height: 4, channels: "rgb", label: "folder" });
});
