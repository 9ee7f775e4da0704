import { describe, expect, it } from "vitest";
import { runTail } from "#lib/lanes/compile/fidelity.ts";
import { MemberModel } from "#lib/lanes/compile/member.ts";
import { normalize } from "#lib/lanes/compile/normal-form.ts";
import { fitQuadratic } from "#lib/lanes/compile/quadratic-fit.ts";
import { GraphBuilder } from "#lib/model/builder.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { BATCH, type Graph } from "#lib/model/graph.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { seeded } from "./arbitrary.ts";
import { activated, EXACT_MODELS, randomRecords, windowOf } from "./models.ts";

function columns(records: { rows: number; features: number; data: Float64Array }): Float64Array[] {
  return Array.from({ length: records.features }, (_, f) =>
    Float64Array.from({ length: records.rows }, (_, r) => records.data[r * records.features + f]!),
  );
}

function throughNormalForm(graph: Graph, features: number) {
  const records = randomRecords(40, features, 9);
  const all = columns(records);
  const normalized = normalize(graph, { count: 40, columns: all });
  const set = { count: 40, columns: normalized.normal.features.map((feature) => all[feature]!) };
  const ones = new Float64Array(set.columns.length).fill(1);
  const identity = { center: ones.map(() => 0), factor: ones, range: { low: ones.map(() => -1), high: ones } };
  const member = new MemberModel(normalized, identity, set, set);
  const found = runTail(normalized.tail, member.plainOutputs(set), 40);
  const name = graph.inputs[0]!.name;
  const expected = evaluate(graph, { records: 40, inputs: new Map([[name, records.data]]) });
  return { normalized, member, found, expected };
}

describe("normal form", () => {
  for (const { name, make, squares } of EXACT_MODELS) {
    it(`is the same function as the graph: ${name}`, () => {
      const { graph, features } = make();
      const { member, normalized, found, expected } = throughNormalForm(graph, features);
      expect(member.squares).toBe(squares);
      expect(normalized.fitted).toEqual([]);
      for (const [output, { shape, data }] of expected) {
        expect(found.get(output)!.shape).toEqual(shape);
        data.forEach((value, i) => {
          expect(found.get(output)!.data[i]).toBeCloseTo(value, 9);
        });
      }
    });
  }

  it("shares one matrix over all positions of a padded convolution", () => {
    const { graph, features } = EXACT_MODELS[2]!.make();
    const { member } = throughNormalForm(graph, features);
    // stem ∘ conv ∘ norm is one composed convolution: interior positions share, borders that lose whole taps may not.
    const { blocks, matrices } = member.layers[0]!.blocks;
    expect(matrices.length).toBeLessThan(blocks.length);
  });

  it("puts what follows the last weighted layer into the tail, squares included", () => {
    const b = new GraphBuilder("tail");
    const x = b.input("x", [BATCH, 2]);
    const w = b.constant("w", { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    const y = b.add({ op: "matMul", name: "mm", source: "MatMul", a: x, b: w });
    const z = b.add({ op: "mul", name: "sq", source: "Mul", a: y, b: y });
    b.output("max", b.add({ op: "reduceMax", name: "max", source: "ReduceMax", x: z, axes: [1], keepDims: false }));
    const normalized = normalize(b.build(), { count: 2, columns: [Float64Array.of(1, 2), Float64Array.of(0, 1)] });
    expect(normalized.normal.layers).toHaveLength(0);
    expect(normalized.tail.nodes.map((node) => node.op)).toEqual(["mul", "reduceMax"]);
  });

  it("fits quadratics to activations and names them", () => {
    for (const op of ["relu", "gelu", "silu", "sigmoid", "tanh"] as const) {
      const { graph, features } = activated(op);
      const { normalized, found, expected } = throughNormalForm(graph, features);
      expect(normalized.fitted).toEqual([{ node: "act", source: op }]);
      const error = expected.get("logits")!.data.map((value, i) => Math.abs(value - found.get("logits")!.data[i]!));
      expect(Math.max(...error)).toBeLessThan(0.7);
      expect(error.reduce((a, b) => a + b, 0) / error.length).toBeLessThan(0.15);
    }
  });

  interface Refusal {
    readonly name: string;
    readonly build: (b: GraphBuilder) => void;
    readonly code: string;
    readonly says: readonly RegExp[];
  }
  const head = (b: GraphBuilder, x: ReturnType<GraphBuilder["input"]>, size: number) =>
    b.add({
      op: "matMul",
      name: "head",
      source: "MatMul",
      a: x,
      b: b.constant("head.weight", { shape: [size, 2], data: new Float32Array(size * 2).fill(0.5) }),
    });
  const refusals: readonly Refusal[] = [
    {
      name: "max pooling before a dense layer",
      build: (b) => {
        const x = b.input("x", [BATCH, 1, 4, 4]);
        const pooled = b.add({
          op: "maxPool",
          name: "pool1",
          source: "MaxPool",
          x,
          window: windowOf([2, 2], 2, 0),
          ceilMode: false,
          countIncludePad: false,
        });
        const flat = b.add({ op: "reshape", name: "flat", source: "Flatten", x: pooled, shape: [BATCH, 4] });
        b.output("y", head(b, flat, 4));
      },
      code: "plan_unsupported_operator",
      says: [/MaxPool "pool1"/, /AveragePool/],
    },
    {
      name: "exp inside the network",
      build: (b) =>
        b.output("y", head(b, b.add({ op: "exp", name: "e", source: "Exp", x: b.input("x", [BATCH, 4]) }), 4)),
      code: "plan_unsupported_operator",
      says: [/Exp "e"/, /x²/],
    },
    {
      name: "softmax inside the network",
      build: (b) =>
        b.output(
          "y",
          head(b, b.add({ op: "softmax", name: "s", source: "Softmax", axis: 1, x: b.input("x", [BATCH, 4]) }), 4),
        ),
      code: "plan_unsupported_operator",
      says: [/Softmax "s"/, /behind the last weighted layer/],
    },
    {
      name: "a product of two encrypted matrices",
      build: (b) => {
        const x = b.input("x", [BATCH, 4, 4]);
        const y = b.add({ op: "matMul", name: "attention", source: "MatMul", a: x, b: x });
        b.output("y", b.add({ op: "reshape", name: "flat", source: "Flatten", x: y, shape: [BATCH, 16] }));
      },
      code: "plan_unsupported_operator",
      says: [/MatMul "attention"/, /fixed weights/],
    },
    {
      name: "four squares one after another",
      build: (b) => {
        let x = b.input("x", [BATCH, 4]);
        for (let i = 0; i < 4; i++) x = b.add({ op: "mul", name: `square${i}`, source: "Mul", a: x, b: x });
        b.output("y", head(b, x, 4));
      },
      code: "plan_too_deep",
      says: [/Mul "square3"/, /Remove an activation/],
    },
  ];
  for (const { name, build, code, says } of refusals) {
    it(`refuses ${name}`, () => {
      const b = new GraphBuilder("refused");
      build(b);
      const graph = b.build();
      const features = graph.inputs[0]!.shape.reduce<number>((size, dim) => (dim === BATCH ? size : size * dim), 1);
      try {
        normalize(graph, { count: 4, columns: columns(randomRecords(4, features, 1)) });
        expect.unreachable("should have been refused");
      } catch (error) {
        if (!isFluxError(error)) throw error;
        expect(error.code).toBe(code);
        for (const pattern of says) expect(error.detail).toMatch(pattern);
      }
    });
  }
});

describe("quadratic fit", () => {
  it("finds a quadratic exactly, and the least squares otherwise", () => {
    const random = seeded(4);
    const inputs = [Float64Array.from({ length: 500 }, () => 3 * random() - 1)];
    const exact = fitQuadratic((x) => 2 * x * x - 3 * x + 0.5, inputs);
    expect(exact.a).toBeCloseTo(2, 9);
    expect(exact.b).toBeCloseTo(-3, 9);
    expect(exact.c).toBeCloseTo(0.5, 9);
    const relu = (x: number) => Math.max(0, x);
    const fit = fitQuadratic(relu, inputs);
    const loss = (a: number, b: number, c: number) =>
      inputs[0]!.reduce((sum, x) => sum + (a * x * x + b * x + c - relu(x)) ** 2, 0);
    const best = loss(fit.a, fit.b, fit.c);
    for (const [da, db, dc] of [
      [0.01, 0, 0],
      [-0.01, 0, 0],
      [0, 0.01, 0],
      [0, -0.01, 0],
      [0, 0, 0.01],
      [0, 0, -0.01],
    ] as const) {
      expect(loss(fit.a + da, fit.b + db, fit.c + dc)).toBeGreaterThan(best);
    }
  });

  it("takes the tangent where the input never moves", () => {
    const fit = fitQuadratic(Math.tanh, [new Float64Array(10).fill(0.3)]);
    expect(fit.a).toBe(0);
    expect(fit.b * 0.3 + fit.c).toBeCloseTo(Math.tanh(0.3), 6);
  });
});
