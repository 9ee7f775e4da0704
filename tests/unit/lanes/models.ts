/** Small models of every shape that encrypted jobs are tried with: weights drawn by a seeded generator, scaled so that values stay near 1. */
import { GraphBuilder } from "#lib/model/builder.ts";
import { BATCH, type Graph, type ValueId, type Window } from "#lib/model/graph.ts";
import { seeded } from "./arbitrary.ts";

export interface SampleModel {
  readonly graph: Graph;
  readonly features: number;
}

/** Weights uniform in ±√(3 / fan-in): outputs keep the inputs' spread. */
class Weights {
  readonly builder: GraphBuilder;
  private readonly random: () => number;
  constructor(name: string, seed: number) {
    this.builder = new GraphBuilder(name);
    this.random = seeded(seed);
  }
  matrix(name: string, shape: readonly number[], fanIn: number): ValueId {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, () => (2 * this.random() - 1) * Math.sqrt(3 / fanIn));
    return this.builder.constant(name, { shape, data });
  }
  vector(name: string, size: number, low: number, high: number): ValueId {
    const data = Float32Array.from({ length: size }, () => low + (high - low) * this.random());
    return this.builder.constant(name, { shape: [size], data });
  }
  dense(name: string, x: ValueId, inputs: number, outputs: number): ValueId {
    return this.builder.add({
      op: "gemm",
      name,
      source: "Gemm",
      a: x,
      b: this.matrix(`${name}.weight`, [outputs, inputs], inputs),
      c: this.vector(`${name}.bias`, outputs, -0.2, 0.2),
      alpha: 1,
      beta: 1,
      transA: false,
      transB: true,
    });
  }
  square(name: string, x: ValueId): ValueId {
    return this.builder.add({ op: "mul", name, source: "Mul", a: x, b: x });
  }
  conv(name: string, x: ValueId, channels: number, maps: number, window: Window): ValueId {
    const taps = window.kernel.reduce((a, b) => a * b, 1);
    return this.builder.add({
      op: "conv",
      name,
      source: "Conv",
      x,
      weights: this.matrix(`${name}.weight`, [maps, channels, ...window.kernel], channels * taps),
      bias: this.vector(`${name}.bias`, maps, -0.2, 0.2),
      window,
      groups: 1,
    });
  }
  flatten(name: string, x: ValueId, size: number): ValueId {
    return this.builder.add({ op: "reshape", name, source: "Flatten", x, shape: [BATCH, size] });
  }
}

/** A window with stride and padding the same on every axis. */
export function windowOf(kernel: readonly number[], stride: number, pad: number): Window {
  const each = (value: number) => kernel.map(() => value);
  return { kernel, strides: each(stride), dilations: each(1), padsBegin: each(pad), padsEnd: each(pad) };
}

export function logisticRegression(): SampleModel {
  const w = new Weights("logistic regression", 1);
  const x = w.builder.input("x", [BATCH, 12]);
  const logit = w.dense("dense", x, 12, 1);
  w.builder.output("probability", w.builder.add({ op: "sigmoid", name: "sigmoid", source: "Sigmoid", x: logit }));
  return { graph: w.builder.build(), features: 12 };
}

export function squareMlp(): SampleModel {
  const w = new Weights("two hidden layers with x²", 2);
  const x = w.builder.input("x", [BATCH, 16]);
  const h1 = w.square("square1", w.dense("dense1", x, 16, 12));
  const h2 = w.square("square2", w.dense("dense2", h1, 12, 8));
  const logits = w.dense("dense3", h2, 8, 4);
  w.builder.output(
    "probabilities",
    w.builder.add({ op: "softmax", name: "softmax", source: "Softmax", x: logits, axis: 1 }),
  );
  return { graph: w.builder.build(), features: 16 };
}

/** conv → batch norm → square → conv, plus the block's input around the square → average pool → dense. */
export function residualBlock(): SampleModel {
  const w = new Weights("residual block", 3);
  const b = w.builder;
  const x = b.input("image", [BATCH, 1, 8, 8]);
  const stem = w.conv("stem", x, 1, 3, windowOf([3, 3], 2, 1));
  const inner = w.conv("conv", stem, 3, 3, windowOf([3, 3], 1, 1));
  const normalized = b.add({
    op: "batchNormalization",
    name: "norm",
    source: "BatchNormalization",
    x: inner,
    scale: w.vector("norm.scale", 3, 0.7, 1.2),
    bias: w.vector("norm.bias", 3, -0.3, 0.3),
    mean: w.vector("norm.mean", 3, -0.2, 0.2),
    variance: w.vector("norm.variance", 3, 0.5, 1.5),
    axis: 1,
    epsilon: 1e-5,
  });
  const squared = w.square("square", normalized);
  const sum = b.add({ op: "add", name: "residual", source: "Add", a: stem, b: squared });
  const pooled = b.add({
    op: "averagePool",
    name: "pool",
    source: "AveragePool",
    x: sum,
    window: windowOf([2, 2], 2, 0),
    ceilMode: false,
    countIncludePad: false,
  });
  b.output("logits", w.dense("head", w.flatten("flatten", pooled, 12), 12, 3));
  return { graph: b.build(), features: 64 };
}

export function convolution1d(): SampleModel {
  const w = new Weights("1-D convolution", 4);
  const x = w.builder.input("signal", [BATCH, 2, 20]);
  const h = w.square("square", w.conv("conv1", x, 2, 4, windowOf([5], 2, 2)));
  const pooled = w.builder.add({
    op: "reduceMean",
    name: "mean",
    source: "GlobalAveragePool",
    x: h,
    axes: [2],
    keepDims: false,
  });
  w.builder.output("logits", w.dense("head", pooled, 4, 3));
  return { graph: w.builder.build(), features: 40 };
}

/** One output before the square, one after it: values of two depths in one program. */
export function twoOutputs(): SampleModel {
  const w = new Weights("two outputs", 5);
  const x = w.builder.input("x", [BATCH, 10]);
  const h = w.dense("shared", x, 10, 6);
  const early = w.dense("early", h, 6, 1);
  const late = w.dense("late", w.square("square", h), 6, 3);
  w.builder.output("amount", early);
  w.builder.output(
    "class",
    w.builder.add({
      op: "argMax",
      name: "argmax",
      source: "ArgMax",
      x: late,
      axis: 1,
      keepDims: false,
      selectLast: false,
    }),
  );
  return { graph: w.builder.build(), features: 10 };
}

/** x·y of two branches, and Pow 2: quadratics that are not plain squares. */
export function products(): SampleModel {
  const w = new Weights("products", 6);
  const b = w.builder;
  const x = b.input("x", [BATCH, 6]);
  const left = w.dense("left", x, 6, 4);
  const right = w.dense("right", x, 6, 4);
  const product = b.add({ op: "mul", name: "gate", source: "Mul", a: left, b: right });
  const power = b.add({ op: "pow", name: "power", source: "Pow", a: left, b: b.scalar("two", 2) });
  const joined = b.add({ op: "concat", name: "join", source: "Concat", inputs: [product, power], axis: 1 });
  b.output("y", w.dense("head", joined, 8, 2));
  return { graph: b.build(), features: 6 };
}

/** Movement operators around a shared matrix product. */
export function movements(): SampleModel {
  const w = new Weights("movements", 7);
  const b = w.builder;
  const x = b.input("x", [BATCH, 3, 4]);
  const turned = b.add({ op: "transpose", name: "turn", source: "Transpose", x, perm: [0, 2, 1] });
  const padded = b.add({
    op: "pad",
    name: "pad",
    source: "Pad",
    x: turned,
    before: [0, 1, 0],
    after: [0, 0, 0],
    mode: "constant",
    value: 0.5,
  });
  const mixed = b.add({ op: "matMul", name: "mix", source: "MatMul", a: padded, b: w.matrix("mix.weight", [3, 2], 3) });
  const part = b.add({
    op: "slice",
    name: "part",
    source: "Slice",
    x: mixed,
    starts: [0, 0, 0],
    steps: [1, 2, 1],
    counts: [BATCH, 3, 2],
  });
  const picked = b.add({
    op: "gather",
    name: "pick",
    source: "Gather",
    x: part,
    axis: 1,
    indices: [2, 0],
    indicesShape: [2],
  });
  const flat = w.flatten("flatten", picked, 4);
  const scaled = b.add({ op: "div", name: "scale", source: "Div", a: flat, b: w.vector("scales", 4, 1, 2) });
  const shifted = b.add({ op: "sub", name: "shift", source: "Sub", a: b.scalar("one", 1), b: scaled });
  b.output("y", w.dense("head", w.square("square", shifted), 4, 2));
  return { graph: b.build(), features: 12 };
}

/** As deep as a ring carries: nine polynomials come back, from the largest ring. */
export function threeSquares(): SampleModel {
  const w = new Weights("three hidden layers with x²", 9);
  const b = w.builder;
  let x = b.input("x", [BATCH, 8]);
  for (let layer = 0; layer < 3; layer++) {
    const weights = w.matrix(`dense${layer}.weight`, [8, 8], 24);
    const product = b.add({ op: "matMul", name: `dense${layer}`, source: "MatMul", a: x, b: weights });
    const bias = w.vector(`dense${layer}.bias`, 8, 0.4, 0.7);
    x = w.square(`square${layer}`, b.add({ op: "add", name: `bias${layer}`, source: "Add", a: product, b: bias }));
  }
  b.output("logits", w.dense("head", x, 8, 3));
  return { graph: b.build(), features: 8 };
}

/** A dense network with an activation that is not quadratic. */
export function activated(op: "relu" | "gelu" | "silu" | "sigmoid" | "tanh"): SampleModel {
  const w = new Weights(`${op} network`, 8);
  const x = w.builder.input("x", [BATCH, 10]);
  const h = w.dense("dense1", x, 10, 16);
  const draft = { name: "act", source: op, x: h };
  const active = w.builder.add(op === "gelu" ? { ...draft, op, approximate: "none" } : { ...draft, op });
  w.builder.output("logits", w.dense("dense2", active, 16, 3));
  return { graph: w.builder.build(), features: 10 };
}

export const EXACT_MODELS: readonly {
  readonly name: string;
  readonly make: () => SampleModel;
  readonly squares: number;
}[] = [
  { name: "logistic regression", make: logisticRegression, squares: 0 },
  { name: "2-hidden-layer MLP with x²", make: squareMlp, squares: 2 },
  { name: "residual block with average pooling and batch norm", make: residualBlock, squares: 1 },
  { name: "1-D CNN", make: convolution1d, squares: 1 },
  { name: "model with two outputs", make: twoOutputs, squares: 1 },
  { name: "products of branches", make: products, squares: 1 },
  { name: "movement operators", make: movements, squares: 1 },
  { name: "3-hidden-layer MLP with x²", make: threeSquares, squares: 3 },
];

/** Records uniform in −1..1. */
export function randomRecords(
  rows: number,
  features: number,
  seed: number,
): { rows: number; features: number; data: Float64Array } {
  const random = seeded(seed);
  return { rows, features, data: Float64Array.from({ length: rows * features }, () => 2 * random() - 1) };
}
