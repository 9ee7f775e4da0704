import { describe, expect, test } from "vitest";
import { bindInputs, type ModelInput, matchShape } from "#lib/dataset/bind.ts";
import { bytesOf, ingest, npy, refusal } from "./support.ts";

const images = npy({ descr: "|u1", shape: [2, 4, 4], data: Uint8Array.from({ length: 32 }, (_, i) => 8 * i) });
const input = (shape: (number | null)[], dtype: ModelInput["dtype"] = "FP32"): ModelInput => ({
  name: "x",
  dtype,
  shape,
});

describe("shapes that fit", () => {
  const cases = [
    { stored: [28, 28], model: [1, 28, 28], expected: [1, 28, 28] },
    { stored: [28, 28], model: [28, 28, 1], expected: [28, 28, 1] },
    { stored: [28, 28], model: [784], expected: [784] },
    { stored: [784], model: [1, 28, 28], expected: [1, 28, 28] },
    { stored: [], model: [1], expected: [1] },
    { stored: [128], model: [null], expected: [128] },
    { stored: [8, 3], model: [null, 3], expected: [8, 3] },
    { stored: [5], model: [1, null], expected: [1, 5] },
    { stored: [28, 28], model: [785], expected: null },
    { stored: [3, 224, 224], model: [224, 224, 3], expected: null },
    { stored: [8, 3], model: [null, 4], expected: null },
  ];
  for (const { stored, model, expected } of cases) {
    test(`[${stored}] into [${model}]`, () => expect(matchShape(stored, model)).toEqual(expected));
  }
});

test("uint8 images feed a float input with the stated scale, and stay one byte a pixel", async () => {
  const { description, reader } = await ingest(images, { preprocessing: { version: 1, scale: 1 / 255 } });
  const { inputs } = bindInputs(description, [input([1, 4, 4])]);
  expect(inputs[0]).toMatchObject({
    stored: { dtype: "UINT8", shape: [4, 4] },
    model: { dtype: "FP32", shape: [1, 4, 4] },
  });
  expect((await reader.readStored(inputs[0]!, 1, 1)).byteLength).toBe(16);
  const values = await reader.readInput(inputs[0]!, 1, 1);
  expect(values).toEqual(Float32Array.from({ length: 16 }, (_, i) => (8 * (16 + i)) / 255));
});

test("two inputs share a table's columns in order, and a note says so", async () => {
  const { description, reader } = await ingest("a,b,c\n1,2,3\n4,5,6\n");
  const model: ModelInput[] = [
    { name: "left", dtype: "FP32", shape: [2] },
    { name: "right", dtype: "FP32", shape: [1] },
  ];
  const { inputs, notes } = bindInputs(description, model);
  expect(notes).toEqual([
    'Input "left" is fed from columns a to b, in file order.',
    'Input "right" is fed from columns c to c, in file order.',
  ]);
  expect(await reader.readInput(inputs[0]!, 0, 2)).toEqual(new Float32Array([1, 2, 4, 5]));
  expect(await reader.readInput(inputs[1]!, 1, 1)).toEqual(new Float32Array([6]));
});

test("a stated mapping picks columns and scales", async () => {
  const { description, reader } = await ingest("a,b,c\n1,2,3\n4,5,6\n");
  const { inputs } = bindInputs(description, [input([2])], {
    inputs: [{ input: "x", columns: ["c", "a"], scale: [1, 10] }],
  });
  expect(await reader.readInput(inputs[0]!, 0, 2)).toEqual(new Float32Array([3, 10, 6, 40]));
});

describe("what does not fit is refused with both shapes and the fix", () => {
  const table = "a,b\n1,2.5\n3,4\n";
  const cases = [
    {
      name: "image size",
      data: images,
      input: input([1, 5, 5]),
      detail: /wants \[1, 5, 5\].*has \[4, 4\].*Resize or reshape/,
    },
    {
      name: "axes in another order",
      data: npy({ descr: "|u1", shape: [1, 2, 3], data: new Uint8Array(6) }),
      input: input([3, 2]),
      detail: /transpose/,
    },
    {
      name: "too many columns",
      data: table,
      input: input([1]),
      detail: /wants \[1\].*has \[2\]\. Leave 1 column out.*label_column/,
    },
    { name: "too few columns", data: table, input: input([4]), detail: /Add the 2 missing columns/ },
    { name: "fractions into integers", data: table, input: input([2], "INT64"), detail: /not whole numbers/ },
    {
      name: "integers out of range",
      data: "a\n300\n",
      input: input([1], "UINT8"),
      detail: /goes from 300 to 300: only 0 to 255/,
    },
  ];
  for (const { name, data, input: wanted, detail } of cases) {
    test(name, async () => {
      const { description } = await ingest(data);
      const refused = await refusal((async () => bindInputs(description, [wanted]))());
      expect(refused.code).toBe("dataset_mismatch");
      expect(refused.detail).toMatch(detail);
    });
  }

  test("an input that is not there, an array that is not there, a scale on integers", async () => {
    const { description } = await ingest(npy({ descr: "<i4", shape: [1, 2], data: bytesOf(new Int32Array([1, 2])) }));
    const binding = (entry: object) =>
      refusal((async () => bindInputs(description, [input([2], "INT32")], { inputs: [{ input: "x", ...entry }] }))());
    expect((await binding({ input: "z" })).detail).toMatch(/"z".*inputs are "x"/);
    expect((await binding({ array: "z" })).detail).toMatch(/arrays are "features"/);
    expect((await binding({ scale: 0.5 })).detail).toMatch(/leave both out/);
  });
});
