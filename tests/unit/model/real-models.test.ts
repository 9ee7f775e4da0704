/** The real MNIST models, where the shared data is present: import, structure, and onnxruntime-web's outputs. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import { relativeError, runOrt } from "./ort.ts";

const folder = new URL("../../../../shared/data/mnist/", import.meta.url);
const present = existsSync(folder);
if (!present) console.log(`Skipped: the shared MNIST data is not at ${folder.pathname}`);

const models = [
  {
    file: "mnist-cryptonets.onnx",
    ops: "conv mul reshape gemm mul gemm",
    scale: 255,
    accuracy: 0.97,
    fixedBatch: false,
  },
  {
    file: "mnist-relu-mlp.onnx",
    ops: "reshape gemm relu gemm relu gemm",
    scale: 255,
    accuracy: 0.95,
    fixedBatch: false,
  },
  {
    file: "mnist-cntk-relu-maxpool.onnx",
    ops: "conv add relu maxPool conv add relu maxPool reshape matMul add",
    scale: 1,
    accuracy: 0.97,
    fixedBatch: true,
  },
] as const;

describe.skipIf(!present)("real models", () => {
  test.each(models)("$file", async ({ file, ops, scale, accuracy, fixedBatch }) => {
    const records = 200;
    const bytes = readFileSync(new URL(file, folder));
    const graph = importOnnx(bytes);
    expect(graph.nodes.map((node) => node.op).join(" ")).toBe(ops);

    const images = readFileSync(new URL("images.npy", folder));
    const pixels = images.subarray(images.length - 8000 * 784).subarray(0, records * 784);
    const labels = readFileSync(new URL("labels.npy", folder)).subarray(-8000);
    const inputs = new Map([[graph.inputs[0]!.name, Float32Array.from(pixels, (value) => value / scale)]]);
    const scores = [...evaluate(graph, { records, inputs }).values()][0]!;

    // The model with a fixed batch of 1 runs as written by us, with a dynamic batch.
    const runnable = fixedBatch ? writeOnnx(graph) : bytes;
    const expected = [...(await runOrt(runnable, graph.inputs, { records, inputs })).values()][0]!;
    expect(scores.shape).toEqual([records, 10]);
    expect(relativeError(scores.data, expected.data)).toBeLessThan(1e-5);

    let right = 0;
    for (let record = 0; record < records; record++) {
      const row = scores.data.subarray(record * 10, record * 10 + 10);
      if (row.indexOf(Math.max(...row)) === labels[record]) right++;
    }
    expect(right / records).toBeGreaterThan(accuracy);
  });
});
