/** The committed demo networks: small, importable, and right on digits that training never saw. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";

const RECORDS = 1000;
const digits = syntheticDigits(RECORDS, 987_654);
const inputs = new Map([["image", Float32Array.from(digits.images, (value) => value / 255)]]);

const models = [
  { file: "digits-square.onnx", ops: "conv mul reshape gemm mul gemm" },
  { file: "digits-relu.onnx", ops: "reshape gemm relu gemm relu gemm" },
];

describe("demo models", () => {
  test.each(models)("$file", ({ file, ops }) => {
    const bytes = readFileSync(new URL(`../../../../public/demo/${file}`, import.meta.url));
    expect(bytes.length).toBeLessThanOrEqual(400 * 1024);
    const graph = importOnnx(bytes);
    expect(graph.nodes.map((node) => node.op).join(" ")).toBe(ops);
    expect(graph.inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual([
      { name: "image", dtype: "float32", shape: ["batch", 1, 28, 28] },
    ]);
    const { data } = evaluate(graph, { records: RECORDS, inputs }).get("scores")!;
    let right = 0;
    for (let record = 0; record < RECORDS; record++) {
      const scores = data.subarray(record * 10, record * 10 + 10);
      if (scores.indexOf(Math.max(...scores)) === digits.labels[record]) right++;
    }
    expect(right / RECORDS).toBeGreaterThanOrEqual(0.97);
  });
});
