import { describe, expect, test } from "vitest";
import { readFeedbackCsv } from "#lib/dataset/feedback-csv.ts";
import { refusal } from "./support.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("labels and ratings, by record or by the dataset's id column", async () => {
  expect(
    await readFeedbackCsv(bytes('\ufeffrecord,label,score,comment\nr1,cat,,\n"r,2",dog,0.5,"not ""bad"""\nr3,,1,\n')),
  ).toEqual({
    labels: [
      { record: "r1", label: "cat" },
      { record: "r,2", label: "dog" },
    ],
    ratings: [
      { record: "r,2", score: 0.5, comment: 'not "bad"' },
      { record: "r3", score: 1 },
    ],
  });
  expect(await readFeedbackCsv(bytes("name;label\na;1\n"), "name")).toEqual({
    labels: [{ record: "a", label: "1" }],
    ratings: [],
  });
});

describe("refusals name the fix", () => {
  const cases = [
    { name: "empty", text: "", detail: /empty: send a header/ },
    { name: "other columns", text: "a,b\n1,2\n", detail: /columns are a, b: "record" and "label"/ },
    { name: "ragged", text: "record,label\n1\n", detail: /Row 2 has 1 values, the header 2/ },
    { name: "no record", text: "record,label\n,x\n", detail: /Row 2 names no record/ },
    { name: "score", text: "record,score\n1,good\n", detail: /Row 2: the score "good" is not a number/ },
  ];
  for (const { name, text, detail } of cases) {
    test(name, async () => expect((await refusal(readFeedbackCsv(bytes(text)))).detail).toMatch(detail));
  }
});
