import { describe, expect, test } from "vitest";
import { featureNames, ingest, refusal, values } from "./support.ts";

test("objects: scalars are columns, lists are arrays", async () => {
  const { description, reader } = await ingest(
    '{"id":"a","x":1,"ok":true,"image":[[1,2],[3,4]],"label":3}\n\n{"label":4,"id":"b","x":2.5,"ok":false,"image":[[5,6],[7,8]]}\n',
  );
  expect(description).toMatchObject({
    format: "jsonl",
    records: 2,
    features: 6,
    id: { name: "id" },
    label: { name: "label" },
  });
  expect(featureNames(description)).toEqual(["x", "ok"]);
  expect(description.arrays[1]).toMatchObject({ name: "image", shape: [2, 2], dtype: "UINT8" });
  expect(description.preview[1]?.arrays.map((array) => array.values)).toEqual([
    [2.5, 0],
    [5, 6, 7, 8],
  ]);
  expect(await reader.readIds(0, 2)).toEqual(["a", "b"]);
  expect(await reader.readLabels(1, 1)).toEqual(new Float64Array([4]));
});

test("lists as records", async () => {
  expect(await values("[1,2,3]\n[4,5,6]")).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a missing key takes the stated fill", async () => {
  const preprocessing = {
    version: 1 as const,
    columns: [{ name: "b", missing: { kind: "fill" as const, fill: "9" } }],
  };
  expect(await values('{"a":1,"b":2}\n{"a":3}\n', { preprocessing, columns: ["a", "b"] })).toEqual([1, 2, 3, 9]);
});

test("ids are found by name", async () => {
  const { reader } = await ingest('{"id":"ä","x":1}\n{"id":"b","x":2}\n{"id":"c","x":3}\n');
  expect(await reader.findIds(new Set(["c", "ä", "z"]))).toEqual(
    new Map([
      ["ä", 0],
      ["c", 2],
    ]),
  );
  const plain = await ingest("[1]\n[2]\n");
  expect(await plain.reader.findIds(new Set(["1", "5"]))).toEqual(new Map([["1", 1]]));
});

describe("refusals name the line and the fix", () => {
  const cases = [
    { name: "not JSON", text: '{"a":1}\n{"a":\n', code: "dataset_unreadable", detail: /Line 2 .*jq/ },
    { name: "pretty-printed", text: '[\n {"a":1}\n]', code: "dataset_unreadable", detail: /jq -c/ },
    {
      name: "__proto__",
      text: '{"a":1,"__proto__":{"b":1}}',
      code: "dataset_unsafe",
      detail: /Line 1.*__proto__.*rename/,
    },
    { name: "escaped __proto__", text: '{"a":1,"__proto\\u005f_":2}', code: "dataset_unsafe", detail: /__proto__/ },
    {
      name: "deep",
      text: `{"a":${"[".repeat(40)}1${"]".repeat(40)}}`,
      code: "dataset_unsafe",
      detail: /deeper than 16/,
    },
    { name: "new key", text: '{"a":1}\n{"a":1,"b":2}', code: "dataset_ragged", detail: /Line 2 has the key "b"/ },
    {
      name: "missing key",
      text: '{"a":1,"b":2}\n{"a":1}',
      code: "dataset_value",
      detail: /Line 2, column "b": no value/,
    },
    {
      name: "other shape",
      text: "[[1,2],[3,4]]\n[[1,2],[3]]",
      code: "dataset_ragged",
      detail: /Line 2.*a list of 1 at depth 2.*\[2, 2\]/,
    },
    { name: "text in a list", text: '[1,"x"]', code: "dataset_value", detail: /Line 1.*"x" where a finite number/ },
    { name: "object inside", text: '{"a":{"b":1}}', code: "dataset_ragged", detail: /an object where/ },
    {
      name: "list of objects",
      text: '[{"a":1},{"a":2}]',
      code: "dataset_unreadable",
      detail: /Line 1 is a list of objects.*jq/,
    },
    { name: "single value", text: "[1]\n5", code: "dataset_unreadable", detail: /Line 2 is a single value/ },
  ];
  for (const { name, text, code, detail } of cases) {
    test(name, async () => {
      const refused = await refusal(ingest(text));
      expect(refused.code).toBe(code);
      expect(refused.detail).toMatch(detail);
    });
  }
});
