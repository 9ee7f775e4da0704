import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDecimal } from "#lib/dataset/csv-scan.ts";
import { featureNames, ingest, refusal, values } from "./support.ts";

describe("reading", () => {
  test("header, label and id columns, narrow storage", async () => {
    const { description, reader } = await ingest("name,a,b,y\nr1,1,2,0\nr2,3,255,1\n", {
      labelColumn: "y",
      idColumn: "name",
    });
    expect(description).toMatchObject({
      format: "csv",
      records: 2,
      features: 2,
      label: { name: "y", classes: null },
      id: { name: "name" },
    });
    expect(featureNames(description)).toEqual(["a", "b"]);
    expect(description.arrays[0]).toMatchObject({ dtype: "UINT8", min: 1, max: 255, integer: true });
    expect(await reader.readLabels(0, 2)).toEqual(new Float64Array([0, 1]));
    expect(await reader.readIds(1, 1)).toEqual(["r2"]);
    expect(description.preview[1]).toEqual({
      record: 1,
      id: "r2",
      label: 1,
      arrays: [{ name: "features", shape: [2], values: [3, 255] }],
    });
  });

  const readings = [
    { name: "no header", text: "1,2\n3,4\n", expected: [1, 2, 3, 4] },
    { name: "no last line end", text: "a,b\n1,2", expected: [1, 2] },
    { name: "CRLF and blank lines", text: "a,b\r\n1,2\r\n\r\n3,4\r\n", expected: [1, 2, 3, 4] },
    { name: "CR", text: "a,b\r1,2\r3,4", expected: [1, 2, 3, 4] },
    { name: "byte order mark", text: "\ufeffa,b\n1,2\n", expected: [1, 2] },
    { name: "semicolons", text: "a;b\n1.5;2\n", expected: [1.5, 2] },
    { name: "tabs", text: "a\tb\n1\t2\n", expected: [1, 2] },
    { name: "one column", text: "a\n1\n2\n", expected: [1, 2] },
    { name: "quoted numbers", text: '"a","b"\n"1","2"\n', expected: [1, 2] },
    { name: "quoted delimiter and line end in the header", text: '"a,\n""x""",b\n1,2\n', expected: [1, 2] },
    { name: "spaces around numbers", text: "a,b\n 1 , 2\n", expected: [1, 2] },
    { name: "exponents and signs", text: "a,b\n-1e3,+2.5E-1\n", expected: [-1000, 0.25] },
    { name: "true and false", text: "a,b\ntrue,1\nfalse,2\n", expected: [1, 1, 0, 2] },
  ];
  for (const { name, text, expected } of readings) {
    test(name, async () => expect(await values(text)).toEqual(expected));
  }

  test("encodings, fills and scales as stated", async () => {
    const { description } = await ingest("sex,size\nM,\nF,4\nI,6\n", {
      preprocessing: {
        version: 1,
        columns: [
          { name: "sex", encoding: { kind: "one_hot", categories: ["F", "I", "M"] } },
          { name: "size", missing: { kind: "fill", fill: "2" }, scale: 0.5, offset: -1 },
        ],
      },
    });
    expect(featureNames(description)).toEqual(["sex=F", "sex=I", "sex=M", "size"]);
    expect(description.preview.map((row) => row.arrays[0]?.values)).toEqual([
      [0, 0, 1, 0],
      [1, 0, 0, 1],
      [0, 1, 0, 2],
    ]);
    expect(description.columns[1]).toMatchObject({ missing: 1, min: 2, max: 6, datatype: "int" });
  });

  test("65,536 columns", async () => {
    const names = Array.from({ length: 65_536 }, (_, i) => `pixel_${i}`);
    const { description } = await ingest(`${names.join(",")}\n${names.map((_, i) => i % 256).join(",")}\n`);
    expect(description.features).toBe(65_536);
  });

  test("columns choose and order the features", async () => {
    const text = "a,b,c\n1,2,3\n";
    expect(await values(text, { columns: ["c", "a"] })).toEqual([3, 1]);
  });

  test("text labels become classes in order of appearance, and a warning says so", async () => {
    const { description, reader } = await ingest("x,label\n1,dog\n2,cat\n3,dog\n");
    expect(description.label?.classes).toEqual(["dog", "cat"]);
    expect(await reader.readLabels(0, 3)).toEqual(new Float64Array([0, 1, 0]));
    expect(description.warnings.join(" ")).toContain("dog, cat");
  });

  test("values that outgrow the first batch's type are stored as float32", async () => {
    const rows = Array.from({ length: 300_000 }, (_, i) => (i === 299_999 ? "0.5" : String(i % 200)));
    const { description, reader } = await ingest(`v\n${rows.join("\n")}\n`);
    const stored = description.arrays[0]!;
    expect(stored).toMatchObject({ dtype: "FP32", integer: false, max: 199 });
    expect(description.sections).toEqual([{ name: "features", bytes: 1_200_000 }]);
    const binding = { name: "v", array: "features", columns: null, stored, model: stored, scale: 1, offset: 0 };
    expect(Array.from(await reader.readInput(binding, 299_998, 2), Number)).toEqual([299_998 % 200, 0.5]);
  });

  test("what is written by a CSV writer is read back", async () => {
    const cell = fc.oneof(fc.integer(), fc.float({ noNaN: true, noDefaultInfinity: true }));
    const tables = fc
      .integer({ min: 1, max: 5 })
      .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(
        tables,
        fc.constantFrom("\n", "\r\n"),
        fc.constantFrom(",", ";", "\t"),
        async (rows, end, delimiter) => {
          const header = rows[0]!.map((_, i) => `c${i}`).join(delimiter);
          const text = [header, ...rows.map((row) => row.join(delimiter))].join(end);
          const read = await values(text, {
            preprocessing: { version: 1, csv: { delimiter: delimiter as ",", header: true } },
          });
          const exact = read.every((value, i) => value === rows.flat()[i] || value === Math.fround(rows.flat()[i]!));
          expect(exact && read.length === rows.flat().length).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

test("parseDecimal agrees with Number on every decimal", () => {
  const number = fc.tuple(
    fc.constantFrom("", "-", "+"),
    fc.stringMatching(/^\d{1,20}(\.\d{0,20})?$/),
    fc.constantFrom("", "e5", "E-12", "e+30", "e-300", "e400"),
  );
  fc.assert(
    fc.property(number, ([sign, digits, exponent]) => {
      const text = sign + digits + exponent;
      const bytes = new TextEncoder().encode(text);
      expect(parseDecimal(bytes, 0, bytes.length)).toBe(Number(text));
    }),
    { numRuns: 2000 },
  );
});

test("parseDecimal refuses everything else", () => {
  for (const text of ["", "-", ".", "1e", "e5", "0x10", "1 2", "1,5", "nan", "Infinity", "--1", "1.2.3"]) {
    const bytes = new TextEncoder().encode(text);
    expect(parseDecimal(bytes, 0, bytes.length)).toBeNaN();
  }
});

describe("refusals name the place and the fix", () => {
  const cases = [
    { name: "empty file", text: "", code: "dataset_empty", detail: /empty/ },
    { name: "header only", text: "a,b\n", code: "dataset_empty", detail: /no records/ },
    {
      name: "ragged row",
      text: "a,b\n1,2\n3\n",
      code: "dataset_ragged",
      detail: /Row 3 has 1 value, .*2\. Add or remove/,
    },
    {
      name: "missing value",
      text: "a,b\n1,2\n3,\n",
      code: "dataset_value",
      detail: /Row 3, column "b": no value.*fill/,
    },
    { name: "text column", text: "a,b\n1,x\n2,y\n", code: "dataset_value", detail: /one_hot.*"x","y"/ },
    { name: "decimal commas", text: "a;b\n1,5;2\n", code: "dataset_value", detail: /decimal commas \("1,5"\): write/ },
    {
      name: "late text",
      text: `a\n${"1\n".repeat(2000)}x\n`,
      code: "dataset_value",
      detail: /Row 2002, column "a": "x" is not a number/,
    },
    { name: "overflow", text: "a\n1\n1e39\n", code: "dataset_value", detail: /Row 3.*float32/ },
    {
      name: "same names",
      text: "a,a\n1,2\n",
      code: "dataset_unreadable",
      detail: /Two columns are called "a"/,
      header: true,
    },
    { name: "unclosed quote", text: 'a,b\n1,"2\n', code: "dataset_unreadable", detail: /Row 2: a quote is opened/ },
    { name: "UTF-16", text: new Uint8Array([0xff, 0xfe, 0x61, 0]), code: "dataset_unreadable", detail: /UTF-8/ },
    { name: "binary", text: new Uint8Array([1, 2, 3, 0, 0, 1]), code: "dataset_unreadable", detail: /upload CSV/ },
    {
      name: "unknown label",
      text: "a\n1\n",
      labelColumn: "y",
      code: "dataset_mismatch",
      detail: /no column "y".*are: a/,
    },
    {
      name: "double id",
      text: "id,a\nr,1\nr,2\n",
      code: "dataset_value",
      detail: /Row 3, id column "id": "r" occurs twice/,
    },
    { name: "nothing left", text: "label\n1\n", code: "dataset_empty", detail: /no features/ },
  ];
  for (const { name, text, code, detail, header, labelColumn } of cases) {
    test(name, async () => {
      const refused = await refusal(
        ingest(text, {
          ...(labelColumn ? { labelColumn } : {}),
          ...(header ? { preprocessing: { version: 1, csv: { header } } } : {}),
        }),
      );
      expect(refused.code).toBe(code);
      expect(refused.detail).toMatch(detail);
    });
  }
});
