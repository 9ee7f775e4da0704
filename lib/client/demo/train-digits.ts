/**
 * `npm run train:demo`: trains the two demo networks on synthetic digits and writes them as ONNX.
 *
 *   public/demo/digits-square.onnx  conv 5×5/2 ×5 → x² → dense 100 → x² → dense 10 (the shape of CryptoNets, Gilad-Bachrach
 *                                   et al., ICML 2016): affine layers and squares only, so it runs encrypted as it is
 *   public/demo/digits-relu.onnx    dense 112 → ReLU → dense 48 → ReLU → dense 10
 *
 * Both read `[batch, 1, 28, 28]` in 0…1. Data, initial weights and order come from one seed and the arithmetic is
 * single-threaded WebAssembly, so a second run writes the same bytes. Accuracy is measured on held-out digits with the
 * file as it was written, read back and run by the reference evaluator.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
// Registers the gradients of the operators.
import "@tensorflow/tfjs-layers";
import { DIGIT_SIDE, type DigitImages, syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import { type Random, seededRandom } from "#lib/dataset/synthetic/random.ts";
import { GraphBuilder } from "#lib/model/builder.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { BATCH, elementCount, type Graph, type Tensor } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";

const SEED = 20;
const TRAIN_IMAGES = 15_000;
const TEST_IMAGES = 4_000;
const BATCH_SIZE = 100;
const EPOCHS = 7;
/** Adam's step falls linearly to a tenth of this. */
const LEARNING_RATE = 2e-3;
const WEIGHT_DECAY = 1e-4;
const SCORE_DECAY = 2e-3;
const OUT = new URL("../../../public/demo/", import.meta.url);

const PIXELS = DIGIT_SIDE * DIGIT_SIDE;
const CONV = { kernel: 5, stride: 2, pad: 1, filters: 5, side: 13 };
const PATCH = CONV.kernel * CONV.kernel;
const POSITIONS = CONV.side * CONV.side;

/** A network in training: its weights, the forward pass on one batch of prepared inputs, and its graph. */
interface Network {
  readonly file: string;
  readonly weights: Readonly<Record<string, tf.Variable>>;
  /** `[images, …]` values of one image as the forward pass wants them. */
  readonly prepare: (images: Float32Array, count: number) => Float32Array;
  readonly inputSize: number;
  readonly forward: (batch: tf.Tensor2D) => tf.Tensor2D;
  readonly toGraph: (weights: Readonly<Record<string, Tensor>>) => Graph;
}

async function main(): Promise<void> {
  await startBackend();
  const train = syntheticDigits(TRAIN_IMAGES, SEED);
  const test = syntheticDigits(TEST_IMAGES, SEED + 1);
  await mkdir(OUT, { recursive: true });
  for (const makeNetwork of [squareNetwork, reluNetwork]) {
    const random = seededRandom(SEED + 2);
    const network = makeNetwork(random);
    trainNetwork(network, train, random);
    const bytes = writeOnnx(network.toGraph(await readWeights(network)), "flux train:demo");
    await writeFile(new URL(network.file, OUT), bytes);
    const { accuracy, largest } = measure(bytes, test);
    console.log(
      `${network.file}: ${bytes.length} bytes, ${(100 * accuracy).toFixed(2)} % of ${TEST_IMAGES} held-out digits, outputs within ±${largest.toFixed(1)}`,
    );
  }
}

/** WebAssembly, one thread: the CPU backend takes ten times as long, and threads add in no fixed order. */
async function startBackend(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(`${dirname(entry)}/`);
  setThreadsCount(1);
  await tf.setBackend("wasm");
  await tf.ready();
}

// ---------------------------------------------------------------- training

function trainNetwork(network: Network, data: DigitImages, random: Random): void {
  const pixels = Float32Array.from(data.images, (value) => value / 255);
  const inputs = network.prepare(pixels, TRAIN_IMAGES);
  const optimizer = tf.train.adam(LEARNING_RATE);
  const steps = (EPOCHS * TRAIN_IMAGES) / BATCH_SIZE;
  const order = Array.from({ length: TRAIN_IMAGES }, (_, i) => i);
  let step = 0;
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    shuffle(order, random);
    let total = 0;
    for (let start = 0; start < TRAIN_IMAGES; start += BATCH_SIZE) {
      const picked = order.slice(start, start + BATCH_SIZE);
      setLearningRate(optimizer, LEARNING_RATE * (1 - (0.9 * step++) / steps));
      total += tf.tidy(() => {
        const batch = pickRows(inputs, network.inputSize, picked);
        const targets = tf.oneHot(
          picked.map((index) => data.labels[index]!),
          10,
        );
        const { value, grads } = tf.variableGrads(() => loss(network, batch, targets), Object.values(network.weights));
        optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
        return value.dataSync()[0]!;
      });
    }
    console.log(`${network.file} epoch ${epoch}: loss ${((total * BATCH_SIZE) / TRAIN_IMAGES).toFixed(4)}`);
  }
}

/** Cross entropy, plus what keeps values in a small range, because encryption pays for range: small weights and scores. */
function loss(network: Network, batch: tf.Tensor2D, targets: tf.Tensor): tf.Scalar {
  const logits = network.forward(batch);
  const shifted = tf.sub(logits, tf.max(logits, 1, true));
  const logSum = tf.log(tf.sum(tf.exp(shifted), 1, true));
  const crossEntropy = tf.mean(tf.sum(tf.mul(targets, tf.sub(logSum, shifted)), 1));
  const decay = tf.addN(Object.values(network.weights).map((weights) => tf.sum(tf.square(weights))));
  const scores = tf.mean(tf.square(logits));
  return tf.add(tf.add(crossEntropy, tf.mul(decay, WEIGHT_DECAY)), tf.mul(scores, SCORE_DECAY));
}

/** tfjs keeps the step size in a field without a setter of its own. */
function setLearningRate(optimizer: tf.AdamOptimizer, learningRate: number): void {
  Object.assign(optimizer, { learningRate });
}

function shuffle(list: number[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
}

function pickRows(inputs: Float32Array, rowSize: number, rows: readonly number[]): tf.Tensor2D {
  const batch = new Float32Array(rows.length * rowSize);
  for (const [i, row] of rows.entries()) batch.set(inputs.subarray(row * rowSize, (row + 1) * rowSize), i * rowSize);
  return tf.tensor2d(batch, [rows.length, rowSize]);
}

// ---------------------------------------------------------------- networks

function squareNetwork(random: Random): Network {
  const features = POSITIONS * CONV.filters;
  // Scales keep every square's input near unit variance, so that squaring neither dies nor explodes.
  const weights = {
    conv: normal(random, [PATCH, CONV.filters], 0.3),
    convBias: zeros(CONV.filters),
    dense1: normal(random, [features, 100], 0.5 / Math.sqrt(features)),
    bias1: zeros(100),
    dense2: normal(random, [100, 10], 0.5 / Math.sqrt(100)),
    bias2: zeros(10),
  };
  return {
    file: "digits-square.onnx",
    weights,
    prepare: patches,
    inputSize: POSITIONS * PATCH,
    // The convolution as a product with patches: the WASM backend has no gradient kernel for convolutions.
    forward: (batch) => {
      const conv = tf.add(tf.matMul(tf.reshape(batch, [-1, PATCH]), weights.conv), weights.convBias);
      const features1 = tf.reshape(tf.square(conv), [-1, features]);
      const hidden = tf.square(tf.add(tf.matMul(features1, weights.dense1), weights.bias1));
      return tf.add(tf.matMul(hidden, weights.dense2), weights.bias2);
    },
    toGraph: squareGraph,
  };
}

function reluNetwork(random: Random): Network {
  const sizes = [PIXELS, 112, 48, 10] as const;
  const layers = [0, 1, 2].map((i) => ({
    kernel: normal(random, [sizes[i]!, sizes[i + 1]!], Math.sqrt(2 / sizes[i]!)),
    bias: zeros(sizes[i + 1]!),
  }));
  return {
    file: "digits-relu.onnx",
    weights: Object.fromEntries(
      layers.flatMap(({ kernel, bias }, i) => [
        [`kernel${i}`, kernel],
        [`bias${i}`, bias],
      ]),
    ),
    prepare: (images) => images,
    inputSize: PIXELS,
    forward: (batch) =>
      layers.reduce<tf.Tensor2D>((x, { kernel, bias }, i) => {
        const affine = tf.add<tf.Tensor2D>(tf.matMul(x, kernel), bias);
        return i < 2 ? tf.relu(affine) : affine;
      }, batch),
    toGraph: reluGraph,
  };
}

function normal(random: Random, shape: readonly [number, number], deviation: number): tf.Variable<tf.Rank.R2> {
  const values = Float32Array.from({ length: elementCount(shape) }, () => deviation * random.normal());
  return tf.variable(tf.tensor2d(values, [...shape]));
}

function zeros(length: number): tf.Variable<tf.Rank.R1> {
  return tf.variable(tf.zeros([length]));
}

/** `[image][position][tap]`: the 5×5 surroundings of each output position, zero outside the image. */
function patches(images: Float32Array, count: number): Float32Array {
  const out = new Float32Array(count * POSITIONS * PATCH);
  for (let index = 0; index < out.length; index++) {
    const tap = index % PATCH;
    const position = Math.floor(index / PATCH) % POSITIONS;
    const image = Math.floor(index / (PATCH * POSITIONS));
    const row = Math.floor(position / CONV.side) * CONV.stride + Math.floor(tap / CONV.kernel) - CONV.pad;
    const column = (position % CONV.side) * CONV.stride + (tap % CONV.kernel) - CONV.pad;
    if (row < 0 || column < 0 || row >= DIGIT_SIDE || column >= DIGIT_SIDE) continue;
    out[index] = images[image * PIXELS + row * DIGIT_SIDE + column]!;
  }
  return out;
}

// ---------------------------------------------------------------- export

async function readWeights(network: Network): Promise<Record<string, Tensor>> {
  const entries = await Promise.all(
    Object.entries(network.weights).map(async ([name, variable]) => {
      const data = Float32Array.from(await variable.data());
      return [name, { shape: variable.shape, data }] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** Rows and columns swapped, and the rows in the order that `row` says. */
function rearranged(tensor: Tensor, shape: readonly number[], from: (index: number) => number): Tensor {
  return { shape, data: Float32Array.from({ length: tensor.data.length }, (_, index) => tensor.data[from(index)]!) };
}

function squareGraph(weights: Readonly<Record<string, Tensor>>): Graph {
  const g = new GraphBuilder("digits-square");
  const { filters, kernel, stride, pad } = CONV;
  const both = (value: number) => [value, value];
  const image = g.input("image", [BATCH, 1, DIGIT_SIDE, DIGIT_SIDE]);
  const conv = g.add({
    name: "conv",
    source: "Conv",
    op: "conv",
    x: image,
    // [tap, filter] → [filter, 1, 5, 5]
    weights: g.constant(
      "conv.weight",
      rearranged(weights.conv!, [filters, 1, kernel, kernel], (i) => (i % PATCH) * filters + Math.floor(i / PATCH)),
    ),
    bias: g.constant("conv.bias", weights.convBias!),
    window: {
      kernel: both(kernel),
      strides: both(stride),
      dilations: both(1),
      padsBegin: both(pad),
      padsEnd: both(pad),
    },
    groups: 1,
  });
  const square1 = g.add({ name: "square1", source: "Mul", op: "mul", a: conv, b: conv });
  const flat = g.add({
    name: "flatten",
    source: "Reshape",
    op: "reshape",
    x: square1,
    shape: [BATCH, filters * POSITIONS],
  });
  // Trained on [position, filter], run on [filter, position].
  const channelsFirst = rearranged(weights.dense1!, weights.dense1!.shape, (i) => {
    const row = Math.floor(i / 100);
    return ((row % POSITIONS) * filters + Math.floor(row / POSITIONS)) * 100 + (i % 100);
  });
  const hidden = dense(g, "dense1", flat, channelsFirst, weights.bias1!);
  const square2 = g.add({ name: "square2", source: "Mul", op: "mul", a: hidden, b: hidden });
  g.output("scores", dense(g, "dense2", square2, weights.dense2!, weights.bias2!));
  return g.build();
}

function reluGraph(weights: Readonly<Record<string, Tensor>>): Graph {
  const g = new GraphBuilder("digits-relu");
  const image = g.input("image", [BATCH, 1, DIGIT_SIDE, DIGIT_SIDE]);
  let x = g.add({ name: "flatten", source: "Reshape", op: "reshape", x: image, shape: [BATCH, PIXELS] });
  for (let i = 0; i < 3; i++) {
    x = dense(g, `dense${i + 1}`, x, weights[`kernel${i}`]!, weights[`bias${i}`]!);
    if (i < 2) x = g.add({ name: `relu${i + 1}`, source: "Relu", op: "relu", x });
  }
  g.output("scores", x);
  return g.build();
}

function dense(g: GraphBuilder, name: string, x: ReturnType<GraphBuilder["add"]>, kernel: Tensor, bias: Tensor) {
  return g.add({
    name,
    source: "Gemm",
    op: "gemm",
    a: x,
    b: g.constant(`${name}.weight`, kernel),
    c: g.constant(`${name}.bias`, bias),
    alpha: 1,
    beta: 1,
    transA: false,
    transB: false,
  });
}

function measure(bytes: Uint8Array, test: DigitImages): { accuracy: number; largest: number } {
  const inputs = new Map([["image", Float32Array.from(test.images, (value) => value / 255)]]);
  const { data } = evaluate(importOnnx(bytes), { records: TEST_IMAGES, inputs }).get("scores")!;
  let right = 0;
  let largest = 0;
  for (let record = 0; record < TEST_IMAGES; record++) {
    const scores = data.subarray(record * 10, record * 10 + 10);
    largest = Math.max(largest, ...scores.map(Math.abs));
    if (scores.indexOf(Math.max(...scores)) === test.labels[record]) right++;
  }
  return { accuracy: right / TEST_IMAGES, largest };
}

await main();
