/** Random shapes and attributes of the operators with the most of them, against onnxruntime-web. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { elementCount } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { relativeError, runOrt } from "../ort.ts";
import { type ModelSpec, onnxFile, wave } from "./model-file.ts";

const RUNS = 60;

async function expectAgreement(spec: Omit<ModelSpec, "outputs">): Promise<void> {
  const bytes = onnxFile({ opset: 19, ...spec, outputs: [{ name: "out" }] });
  const graph = importOnnx(bytes);
  const records = 2;
  const inputs = new Map(
    graph.inputs.map((input, index) => [
      input.name,
      wave(records * elementCount(input.shape.slice(1).map(Number)), index + 1),
    ]),
  );
  const expected = (await runOrt(bytes, graph.inputs, { records, inputs })).get("out")!;
  const actual = evaluate(graph, { records, inputs }).get("out")!;
  expect(actual.shape).toEqual(expected.shape);
  expect(relativeError(actual.data, expected.data)).toBeLessThan(2e-6);
}

/** A spatial axis on which a window fits: kernel, stride, dilation, pads smaller than the kernel, input length. */
const axis = fc
  .record({
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
  })
  .chain(({ kernel, stride, dilation }) => {
    const span = (kernel - 1) * dilation + 1;
    return fc.record({
      kernel: fc.constant(kernel),
      stride: fc.constant(stride),
      dilation: fc.constant(dilation),
      begin: fc.integer({ min: 0, max: kernel - 1 }),
      end: fc.integer({ min: 0, max: kernel - 1 }),
      length: fc.integer({ min: span, max: span + 6 }),
    });
  });
const axes = fc.oneof(fc.tuple(axis), fc.tuple(axis, axis));

function windowSpec(list: readonly { kernel: number; stride: number; dilation: number; begin: number; end: number }[]) {
  return {
    kernel_shape: list.map((entry) => entry.kernel),
    strides: list.map((entry) => entry.stride),
    dilations: list.map((entry) => entry.dilation),
    pads: [...list.map((entry) => entry.begin), ...list.map((entry) => entry.end)],
  };
}

describe("agrees with onnxruntime-web for random shapes and attributes", () => {
  test("Conv: 1-D and 2-D, strides, pads, dilations, groups, bias", async () => {
    const conv = fc.record({
      axes,
      groups: fc.integer({ min: 1, max: 3 }),
      groupChannels: fc.integer({ min: 1, max: 3 }),
      groupFilters: fc.integer({ min: 1, max: 3 }),
      bias: fc.boolean(),
      autoPad: fc.constantFrom("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"),
    });
    await fc.assert(
      fc.asyncProperty(conv, async ({ axes, groups, groupChannels, groupFilters, bias, autoPad }) => {
        const filters = groups * groupFilters;
        const shape = [filters, groupChannels, ...axes.map((entry) => entry.kernel)];
        const { pads, ...window } = windowSpec(axes);
        const attributes =
          autoPad === "NOTSET" ? { ...window, pads, group: groups } : { ...window, auto_pad: autoPad, group: groups };
        // onnxruntime refuses automatic padding together with dilation.
        fc.pre(!autoPad.startsWith("SAME") || axes.every((entry) => entry.dilation === 1));
        await expectAgreement({
          inputs: [{ name: "x", shape: ["n", groups * groupChannels, ...axes.map((entry) => entry.length)] }],
          initializers: {
            w: { shape, data: wave(elementCount(shape), 3) },
            ...(bias ? { b: { shape: [filters], data: wave(filters, 4) } } : {}),
          },
          nodes: [{ op: "Conv", inputs: bias ? ["x", "w", "b"] : ["x", "w"], outputs: ["out"], attributes }],
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("AveragePool and MaxPool: strides, pads, dilations, ceil mode", async () => {
    const pool = fc.record({
      axes,
      channels: fc.integer({ min: 1, max: 3 }),
      op: fc.constantFrom("AveragePool", "MaxPool"),
      ceil: fc.boolean(),
      countPad: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(pool, async ({ axes, channels, op, ceil, countPad }) => {
        const attributes = {
          ...windowSpec(axes),
          ceil_mode: Number(ceil),
          ...(op === "AveragePool" ? { count_include_pad: Number(countPad) } : {}),
        };
        await expectAgreement({
          inputs: [{ name: "x", shape: ["n", channels, ...axes.map((entry) => entry.length)] }],
          nodes: [{ op, inputs: ["x"], outputs: ["out"], attributes }],
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("Gemm: transposes, factors, bias shapes", async () => {
    const gemm = fc.record({
      k: fc.integer({ min: 1, max: 6 }),
      m: fc.integer({ min: 1, max: 6 }),
      transB: fc.boolean(),
      alpha: fc.constantFrom(1, 0.5, -2),
      beta: fc.constantFrom(1, 0, 3),
      bias: fc.constantFrom<"none" | "scalar" | "row" | "column1">("none", "scalar", "row", "column1"),
    });
    await fc.assert(
      fc.asyncProperty(gemm, async ({ k, m, transB, alpha, beta, bias }) => {
        const biasShape = { none: undefined, scalar: [], row: [m], column1: [1, m] }[bias];
        await expectAgreement({
          inputs: [{ name: "x", shape: ["n", k] }],
          initializers: {
            w: { shape: transB ? [m, k] : [k, m], data: wave(k * m, 2) },
            ...(biasShape ? { b: { shape: biasShape, data: wave(elementCount(biasShape), 5) } } : {}),
          },
          nodes: [
            {
              op: "Gemm",
              inputs: biasShape ? ["x", "w", "b"] : ["x", "w"],
              outputs: ["out"],
              attributes: { transB: Number(transB), alpha: { f: alpha }, beta: { f: beta } },
            },
          ],
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("Slice: any start, end and step", async () => {
    const range = fc.record({
      length: fc.integer({ min: 1, max: 7 }),
      start: fc.integer({ min: -9, max: 9 }),
      end: fc.integer({ min: -9, max: 9 }),
      step: fc.constantFrom(1, 2, 3, -1, -2),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 3 }), async (ranges) => {
        const vector = (data: readonly number[]) => ({ dtype: "int64" as const, shape: [data.length], data });
        await expectAgreement({
          inputs: [{ name: "x", shape: ["n", ...ranges.map((entry) => entry.length)] }],
          initializers: {
            s: vector(ranges.map((entry) => entry.start)),
            e: vector(ranges.map((entry) => entry.end)),
            a: vector(ranges.map((_, index) => index + 1)),
            t: vector(ranges.map((entry) => entry.step)),
          },
          nodes: [{ op: "Slice", inputs: ["x", "s", "e", "a", "t"], outputs: ["out"] }],
        });
      }),
      { numRuns: RUNS },
    );
  });

  test("Add after broadcasting, Transpose and ReduceMean over any axes", async () => {
    const spec = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }))
      .chain((shape) =>
        fc.record({
          shape: fc.constant(shape),
          ones: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
          perm: fc.shuffledSubarray([1, 2, 3], { minLength: 3 }),
          reduced: fc.subarray([1, 2, 3], { minLength: 1 }),
          keep: fc.boolean(),
        }),
      );
    await fc.assert(
      fc.asyncProperty(spec, async ({ shape, ones, perm, reduced, keep }) => {
        const addend = shape.map((length, index) => (ones[index] ? 1 : length));
        await expectAgreement({
          inputs: [{ name: "x", shape: ["n", ...shape] }],
          initializers: {
            c: { shape: addend, data: wave(elementCount(addend), 7) },
            axes: { dtype: "int64", shape: [reduced.length], data: reduced },
          },
          nodes: [
            { op: "Add", inputs: ["x", "c"], outputs: ["sum"] },
            { op: "Transpose", inputs: ["sum"], outputs: ["turned"], attributes: { perm: [0, ...perm] } },
            { op: "ReduceMean", inputs: ["turned", "axes"], outputs: ["out"], attributes: { keepdims: Number(keep) } },
          ],
        });
      }),
      { numRuns: RUNS },
    );
  });
});
