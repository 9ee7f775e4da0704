/** What our writer writes, onnxruntime-web runs and our importer reads back: all three compute the same. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GraphBuilder } from "#lib/model/builder.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { BATCH, type Graph, recordElements, type ValueId } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import type { NodeDraft } from "#lib/model/shapes.ts";
import { relativeError, runOrt } from "../ort.ts";
import { wave } from "./model-file.ts";

type Fields<Draft = NodeDraft> = Draft extends NodeDraft ? Omit<Draft, "name" | "source"> : never;

/** One random step: adds nodes that work on any value of rank 2 ([batch, n]) or rank 4. */
type Step = (graph: Chain, x: ValueId, seed: number) => ValueId;

class Chain {
  readonly builder = new GraphBuilder("chain");
  #count = 0;
  add(fields: Fields): ValueId {
    return this.builder.add({ ...fields, name: `n${this.#count++}`, source: "Test" } as NodeDraft);
  }
  weights(seed: number, ...shape: number[]): ValueId {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return this.builder.constant(`w${this.#count++}`, { shape, data: wave(count, seed).map((v) => Math.abs(v) + 0.1) });
  }
  width(x: ValueId): number {
    return Number(this.builder.shape(x)[1]);
  }
}

const unary = [
  { op: "neg" },
  { op: "abs" },
  { op: "relu" },
  { op: "sigmoid" },
  { op: "tanh" },
  { op: "erf" },
  { op: "softplus" },
  { op: "softsign" },
  { op: "silu" },
  { op: "mish" },
  { op: "hardSwish" },
  { op: "sin" },
  { op: "cos" },
  { op: "floor" },
  { op: "leakyRelu", alpha: 0.2 },
  { op: "elu", alpha: 0.7 },
  { op: "selu", alpha: 1.5, gamma: 1.1 },
  { op: "hardSigmoid", alpha: 0.25, beta: 0.5 },
  { op: "clip", min: -0.5, max: 0.5 },
  { op: "clip", min: Number.NEGATIVE_INFINITY, max: 0.5 },
  { op: "clip", min: 0, max: Number.POSITIVE_INFINITY },
  { op: "gelu", approximate: "none" },
  { op: "gelu", approximate: "tanh" },
] as const;

const anyRank: readonly Step[] = [
  ...unary.map(
    (fields): Step =>
      (g, x) =>
        g.add({ ...fields, x }),
  ),
  (g, x) => g.add({ op: "mul", a: x, b: x }),
  (g, x, seed) => g.add({ op: "add", a: x, b: g.weights(seed, 1) }),
  (g, x) => g.add({ op: "sub", a: x, b: g.builder.scalar(`s${x}`, 0.25) }),
  (g, x) =>
    g.add({ op: "div", a: g.builder.scalar(`d${x}`, 0.5), b: g.add({ op: "exp", x: g.add({ op: "tanh", x }) }) }),
  (g, x) => g.add({ op: "pow", a: g.add({ op: "abs", x }), b: g.builder.scalar(`p${x}`, 2) }),
  (g, x) => g.add({ op: "maximum", a: x, b: g.add({ op: "neg", x }) }),
  (g, x) => g.add({ op: "concat", inputs: [x, x], axis: 1 }),
  (g, x) => g.add({ op: "softmax", x, axis: 1 }),
  (g, x) => g.add({ op: "logSoftmax", x, axis: 1 }),
  (g, x, seed) => {
    const indices = [0, g.width(x) - 1, seed % g.width(x)];
    return g.add({ op: "gather", x, axis: 1, indices, indicesShape: [3] });
  },
  (g, x) => {
    const shape = g.builder.shape(x);
    const last = g.width(x) - 1;
    const starts = shape.map((_, axis) => (axis === 1 ? last : 0));
    const steps = shape.map((_, axis) => (axis === 1 ? -1 : 1));
    return g.add({ op: "slice", x, starts, steps, counts: shape });
  },
];

const vectors: readonly Step[] = [
  (g, x, seed) => g.add({ op: "matMul", a: x, b: g.weights(seed, g.width(x), 3) }),
  (g, x, seed) =>
    g.add({
      op: "gemm",
      a: x,
      b: g.weights(seed, 4, g.width(x)),
      c: g.weights(seed + 1, 4),
      alpha: 0.5,
      beta: -1,
      transA: false,
      transB: true,
    }),
  (g, x) => g.add({ op: "pad", x, before: [0, 1], after: [0, 2], mode: "constant", value: 0.5 }),
];

const images: readonly Step[] = [
  (g, x, seed) => {
    const weights = g.weights(seed, 2, g.width(x), 2, 2);
    const window = { kernel: [2, 2], strides: [1, 2], dilations: [1, 1], padsBegin: [1, 0], padsEnd: [0, 1] };
    return g.add({ op: "conv", x, weights, bias: g.weights(seed, 2), window, groups: 1 });
  },
  (g, x) => g.add({ op: "averagePool", x, window: square(2, 1), ceilMode: false, countIncludePad: true }),
  (g, x) => g.add({ op: "averagePool", x, window: square(3, 1), ceilMode: true, countIncludePad: false }),
  // Without padding a window needs an image of its size; other steps (a mean over rows) leave smaller ones.
  (g, x) =>
    g.builder
      .shape(x)
      .slice(2)
      .every((size) => Number(size) >= 2)
      ? g.add({ op: "maxPool", x, window: square(2, 0), ceilMode: false, countIncludePad: false })
      : x,
  (g, x, seed) => batchNorm(g, x, 1, seed),
  (g, x, seed) => batchNorm(g, x, 3, seed),
  (g, x) => g.add({ op: "transpose", x, perm: [0, 1, 3, 2] }),
  (g, x) => g.add({ op: "pad", x, before: [0, 0, 1, 1], after: [0, 0, 1, 0], mode: "edge", value: 0 }),
  (g, x) => g.add({ op: "reduceMean", x, axes: [2], keepDims: true }),
  (g, x) =>
    g.add({ op: "expand", x: g.add({ op: "reduceSum", x, axes: [1], keepDims: true }), shape: g.builder.shape(x) }),
];

function square(size: number, pad: number) {
  const both = (value: number) => [value, value];
  return { kernel: both(size), strides: both(1), dilations: both(1), padsBegin: both(pad), padsEnd: both(pad) };
}

function batchNorm(g: Chain, x: ValueId, axis: number, seed: number): ValueId {
  const length = Number(g.builder.shape(x)[axis]);
  const [scale, bias, mean, variance] = [0, 1, 2, 3].map((i) => g.weights(seed + i, length)) as [
    ValueId,
    ValueId,
    ValueId,
    ValueId,
  ];
  return g.add({ op: "batchNormalization", x, scale, bias, mean, variance, axis, epsilon: 1e-3 });
}

/** [step, seed] pairs become a chain on an image, flattened in the middle. */
function buildChain(
  onImage: readonly (readonly [Step, number])[],
  onVector: readonly (readonly [Step, number])[],
): Graph {
  const chain = new Chain();
  let value = chain.builder.input("pixels", [BATCH, 2, 4, 4]);
  for (const [step, seed] of onImage) value = step(chain, value, seed);
  value = chain.add({ op: "reshape", x: value, shape: [BATCH, recordElements(chain.builder.shape(value))] });
  for (const [step, seed] of onVector) value = step(chain, value, seed);
  chain.builder.output("scores", value);
  chain.builder.output("label", chain.add({ op: "argMax", x: value, axis: 1, keepDims: false, selectLast: false }));
  return chain.builder.build();
}

const seeded = (steps: readonly Step[], max: number) =>
  fc.array(fc.tuple(fc.constantFrom(...steps), fc.integer({ min: 0, max: 50 })), { maxLength: max });

describe("writeOnnx", () => {
  test("round trip: importOnnx(writeOnnx(graph)) and onnxruntime-web compute what the graph computes", async () => {
    const chains = fc.tuple(seeded([...anyRank, ...images], 4), seeded([...anyRank, ...vectors], 3));
    await fc.assert(
      fc.asyncProperty(chains, async ([onImage, onVector]) => {
        const graph = buildChain(onImage, onVector);
        const feeds = { records: 2, inputs: new Map([["pixels", wave(64, 5)]]) };
        const bytes = writeOnnx(graph);
        const expected = evaluate(graph, feeds).get("scores")!;
        const again = evaluate(importOnnx(bytes), feeds).get("scores")!;
        const ort = (await runOrt(bytes, graph.inputs, feeds)).get("scores")!;
        expect(again.shape).toEqual(expected.shape);
        expect(relativeError(again.data, expected.data)).toBeLessThan(1e-6);
        // floor() may land on either side of a whole number in float32.
        if (!graph.nodes.some((node) => node.op === "floor")) {
          expect(relativeError(ort.data, expected.data)).toBeLessThan(1e-4);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("is stable: writing what was read gives the same operators, weights and ports", () => {
    const graph = buildChain(
      [[images[0]!, 1]],
      [
        [vectors[1]!, 2],
        [anyRank[3]!, 0],
      ],
    );
    const again = importOnnx(writeOnnx(graph));
    expect(again.nodes.map((node) => node.op)).toEqual(graph.nodes.map((node) => node.op));
    expect(again.inputs).toEqual(graph.inputs);
    expect(again.outputs.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(
      graph.outputs.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    );
    for (const [id, tensor] of graph.constants) expect(again.constants.get(id)).toEqual(tensor);
  });

  test("an input or a constant that is an output goes through an Identity", () => {
    const builder = new GraphBuilder("aliases");
    const x = builder.input("x", [BATCH, 2]);
    builder.output("same", x);
    builder.output("again", x);
    const graph = importOnnx(writeOnnx(builder.build()));
    const outputs = evaluate(graph, { records: 1, inputs: new Map([["x", [3, 4]]]) });
    expect([...outputs].map(([name, { data }]) => [name, [...data]])).toEqual([
      ["same", [3, 4]],
      ["again", [3, 4]],
    ]);
  });
});
