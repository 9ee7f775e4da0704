/** Networks made and saved by TensorFlow.js: the imported graph computes what TensorFlow.js computes. */
import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { elementCount } from "#lib/model/graph.ts";
import { KERAS_LAYERS } from "#lib/model/tensorflow/keras/layers.ts";
import { importLayersModel } from "#lib/model/tensorflow/layers-model.ts";
import { readTfjsModel } from "#lib/model/tensorflow/model-json.ts";
import { wave } from "../onnx/model-file.ts";
import { relativeError } from "../ort.ts";
import { fillWeights, savedFiles, startTfjs, tf, tfl } from "./tfjs.ts";

const { layers } = tfl;
type Layer = ReturnType<typeof layers.dense>;
const RECORDS = 3;

beforeAll(startTfjs);

async function expectSame(model: tfl.LayersModel): Promise<void> {
  fillWeights(model);
  const graph = importLayersModel(readTfjsModel(await savedFiles(model)));
  const feeds = model.inputs.map((input, index) => {
    const shape = [RECORDS, ...input.shape.slice(1).map(Number)];
    return { name: input.name, shape, data: wave(elementCount(shape), index + 1) };
  });
  const predicted = model.predict(feeds.map(({ shape, data }) => tf.tensor(data, shape)));
  const expected = Array.isArray(predicted) ? predicted : [predicted];
  const inputs = new Map(graph.inputs.map((port, index) => [port.name, feeds[index]!.data]));
  const actual = [...evaluate(graph, { records: RECORDS, inputs }).values()];
  expect(actual).toHaveLength(expected.length);
  for (const [index, tensor] of expected.entries()) {
    expect(actual[index]!.shape).toEqual(tensor.shape);
    expect(relativeError(actual[index]!.data, await tensor.data())).toBeLessThan(1e-5);
  }
}

function sequential(...list: readonly unknown[]): tfl.Sequential {
  return tfl.sequential({ layers: list as Layer[] });
}

/** Every layer with its settings, alone on a small input. */
const image = { inputShape: [6, 5, 2] };
const series = { inputShape: [9, 3] };
const vector = { inputShape: [7] };
const cases: readonly { readonly name: string; readonly layers: () => readonly unknown[] }[] = [
  ...[
    "linear",
    "relu",
    "relu6",
    "sigmoid",
    "hardSigmoid",
    "tanh",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "swish",
    "mish",
    "gelu",
    "gelu_new",
    "softmax",
  ].map((activation) => ({
    name: `Dense ${activation}`,
    layers: () => [layers.dense({ ...vector, units: 4, activation: activation as "relu" })],
  })),
  { name: "Dense without bias", layers: () => [layers.dense({ ...vector, units: 4, useBias: false })] },
  { name: "Dense on a series", layers: () => [layers.dense({ ...series, units: 4, activation: "relu" })] },
  {
    name: "Conv2D valid",
    layers: () => [layers.conv2d({ ...image, filters: 3, kernelSize: [3, 2], strides: [2, 1] })],
  },
  {
    name: "Conv2D same",
    layers: () => [
      layers.conv2d({ ...image, filters: 3, kernelSize: 3, strides: 2, padding: "same", activation: "relu" }),
    ],
  },
  {
    name: "Conv2D dilated, no bias",
    layers: () => [layers.conv2d({ ...image, filters: 3, kernelSize: 2, dilationRate: 2, useBias: false })],
  },
  {
    name: "Conv1D same",
    layers: () => [layers.conv1d({ ...series, filters: 4, kernelSize: 3, strides: 2, padding: "same" })],
  },
  {
    name: "Conv1D dilated",
    layers: () => [layers.conv1d({ ...series, filters: 4, kernelSize: 3, padding: "same", dilationRate: 2 })],
  },
  {
    name: "DepthwiseConv2D",
    layers: () => [
      layers.depthwiseConv2d({ ...image, kernelSize: 3, depthMultiplier: 2, padding: "same", activation: "relu" }),
    ],
  },
  {
    name: "SeparableConv2D",
    layers: () => [
      layers.separableConv2d({ ...image, filters: 4, kernelSize: 3, depthMultiplier: 2, padding: "same" }),
    ],
  },
  {
    name: "AveragePooling2D same",
    layers: () => [layers.averagePooling2d({ ...image, poolSize: [3, 2], strides: [2, 2], padding: "same" })],
  },
  { name: "AveragePooling2D default", layers: () => [layers.averagePooling2d({ ...image, poolSize: [2, 2] })] },
  { name: "MaxPooling2D", layers: () => [layers.maxPooling2d({ ...image, poolSize: [2, 2], strides: [1, 2] })] },
  { name: "AveragePooling1D", layers: () => [layers.averagePooling1d({ ...series, poolSize: 2, strides: 3 })] },
  { name: "MaxPooling1D", layers: () => [layers.maxPooling1d({ ...series, poolSize: 3, padding: "same" })] },
  { name: "GlobalAveragePooling2D", layers: () => [layers.globalAveragePooling2d({ ...image })] },
  { name: "GlobalMaxPooling2D", layers: () => [layers.globalMaxPooling2d({ ...image })] },
  { name: "GlobalAveragePooling1D", layers: () => [layers.globalAveragePooling1d({ ...series })] },
  { name: "GlobalMaxPooling1D", layers: () => [layers.globalMaxPooling1d({ ...series })] },
  { name: "BatchNormalization", layers: () => [layers.batchNormalization({ ...image, epsilon: 0.01 })] },
  {
    // Only on the last axis: on others TensorFlow.js pairs parameters with the wrong positions on its CPU backend.
    name: "BatchNormalization last axis by number, no scale",
    layers: () => [layers.batchNormalization({ ...image, axis: 3, scale: false })],
  },
  {
    name: "BatchNormalization vector, no centre",
    layers: () => [layers.batchNormalization({ ...vector, center: false })],
  },
  { name: "LayerNormalization", layers: () => [layers.layerNormalization({ ...series })] },
  { name: "LayerNormalization two axes", layers: () => [layers.layerNormalization({ ...image, axis: [2, 3] })] },
  { name: "Activation", layers: () => [layers.activation({ ...vector, activation: "tanh" })] },
  { name: "ReLU", layers: () => [layers.reLU({ ...vector })] },
  { name: "ReLU with a maximum", layers: () => [layers.reLU({ ...vector, maxValue: 0.5 })] },
  { name: "LeakyReLU", layers: () => [layers.leakyReLU({ ...vector, alpha: 0.2 })] },
  { name: "PReLU", layers: () => [layers.prelu({ ...series })] },
  { name: "ELU", layers: () => [layers.elu({ ...vector })] },
  { name: "Softmax", layers: () => [layers.softmax({ ...series, axis: -1 })] },
  { name: "Flatten", layers: () => [layers.flatten({ ...image })] },
  { name: "Reshape", layers: () => [layers.reshape({ ...image, targetShape: [5, -1] })] },
  { name: "Permute", layers: () => [layers.permute({ ...image, dims: [3, 1, 2] })] },
  { name: "RepeatVector", layers: () => [layers.repeatVector({ ...vector, n: 3 })] },
  {
    name: "ZeroPadding2D",
    layers: () => [
      layers.zeroPadding2d({
        ...image,
        padding: [
          [1, 0],
          [2, 3],
        ],
      }),
    ],
  },
  {
    name: "Cropping2D",
    layers: () => [
      layers.cropping2D({
        ...image,
        cropping: [
          [1, 2],
          [0, 1],
        ],
      }),
    ],
  },
  { name: "UpSampling2D", layers: () => [layers.upSampling2d({ ...image, size: [2, 3] })] },
  { name: "Dropout", layers: () => [layers.dropout({ ...vector, rate: 0.5 })] },
  { name: "SpatialDropout1D", layers: () => [layers.spatialDropout1d({ ...series, rate: 0.5 })] },
  { name: "GaussianNoise", layers: () => [layers.gaussianNoise({ ...vector, stddev: 1 })] },
  { name: "GaussianDropout", layers: () => [layers.gaussianDropout({ ...vector, rate: 0.5 })] },
  { name: "AlphaDropout", layers: () => [layers.alphaDropout({ ...vector, rate: 0.5 })] },
  {
    name: "a whole image network",
    layers: () => [
      layers.conv2d({ ...image, filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.batchNormalization(),
      layers.averagePooling2d({ poolSize: 2 }),
      layers.dropout({ rate: 0.3 }),
      layers.flatten(),
      layers.dense({ units: 5, activation: "softmax" }),
    ],
  },
  {
    name: "a model inside a Sequential model",
    layers: () => [
      sequential(layers.dense({ ...vector, units: 5, activation: "tanh" })),
      sequential(layers.dense({ inputShape: [5], units: 3 }), layers.dense({ units: 2 })),
    ],
  },
];

const merges = ["add", "multiply", "average", "maximum", "minimum"] as const;

describe("layers models agree with TensorFlow.js", () => {
  test.each(cases.map((entry) => [entry.name, entry.layers] as const))("%s", async (_, build) => {
    await expectSame(sequential(...build()));
  });

  test.each(merges)("two inputs: %s", async (name) => {
    const a = tfl.input({ shape: [4, 3] });
    const b = tfl.input({ shape: [4, 3] });
    const merged = layers[name]().apply([a, layers.dense({ units: 3 }).apply(b) as tfl.SymbolicTensor]);
    await expectSame(tfl.model({ inputs: [a, b], outputs: merged as tfl.SymbolicTensor }));
  });

  test("two inputs and two outputs, concatenated, with a shared layer called twice", async () => {
    const a = tfl.input({ shape: [4] });
    const b = tfl.input({ shape: [4] });
    const shared = layers.dense({ units: 3, activation: "tanh" });
    const [left, right] = [shared.apply(a), shared.apply(b)] as tfl.SymbolicTensor[];
    const joined = layers.concatenate().apply([left!, right!, a]) as tfl.SymbolicTensor;
    const outputs = [layers.dense({ units: 2 }).apply(joined), left!] as tfl.SymbolicTensor[];
    await expectSame(tfl.model({ inputs: [a, b], outputs }));
  });

  test("a residual block with batch normalization and average pooling", async () => {
    const input = tfl.input({ shape: [6, 6, 3] });
    let x = layers.conv2d({ filters: 3, kernelSize: 3, padding: "same" }).apply(input) as tfl.SymbolicTensor;
    x = layers.batchNormalization().apply(x) as tfl.SymbolicTensor;
    x = layers.activation({ activation: "relu" }).apply(x) as tfl.SymbolicTensor;
    x = layers.add().apply([x, input]) as tfl.SymbolicTensor;
    x = layers.globalAveragePooling2d({}).apply(x) as tfl.SymbolicTensor;
    await expectSame(tfl.model({ inputs: input, outputs: layers.dense({ units: 2 }).apply(x) as tfl.SymbolicTensor }));
  });

  test("a functional model used as a layer of another", async () => {
    const innerInput = tfl.input({ shape: [4] });
    const inner = tfl.model({
      inputs: innerInput,
      outputs: layers.dense({ units: 3, activation: "relu" }).apply(innerInput) as tfl.SymbolicTensor,
    });
    const input = tfl.input({ shape: [4] });
    const out = layers.dense({ units: 2 }).apply(inner.apply(input) as tfl.SymbolicTensor) as tfl.SymbolicTensor;
    await expectSame(tfl.model({ inputs: input, outputs: out }));
  });

  test("every layer that TensorFlow.js has, import claims and no case covers, is listed here", () => {
    const named = cases.flatMap((entry) => entry.name.split(" "));
    const covered = new Set([...named, "Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]);
    const uncovered = Object.keys(KERAS_LAYERS).filter((name) => !covered.has(name));
    // TensorFlow.js cannot make these: they are tested on Keras configurations (keras.test.ts).
    expect(uncovered.sort()).toEqual([
      "ActivityRegularization",
      "Cropping1D",
      "DepthwiseConv1D",
      "Normalization",
      "Rescaling",
      "SeparableConv1D",
      "SpatialDropout2D",
      "Subtract",
      "UpSampling1D",
      "ZeroPadding1D",
    ]);
  });
});

const folder = new URL("../../../../../shared/data/abalone/", import.meta.url);
const present = existsSync(folder);
if (!present) console.log(`Skipped: the shared abalone data is not at ${folder.pathname}`);

describe.skipIf(!present)("abalone", () => {
  test("the published model predicts what TensorFlow.js predicts, on all rows", async () => {
    const files = new Map(["model.json", "weights.bin"].map((name) => [name, readFileSync(new URL(name, folder))]));
    const graph = importLayersModel(readTfjsModel(files));
    expect(graph.nodes.map((node) => node.op)).toEqual(["gemm", "sigmoid", "gemm", "sigmoid", "gemm"]);

    const rows = readFileSync(new URL("abalone.csv", folder), "utf8").trim().split(/\r?\n/).slice(1);
    const sexes = ["M", "F", "I"];
    const features = rows.map((row) =>
      row
        .split(",")
        .slice(0, 8)
        .map((cell, i) => (i === 0 && Number.isNaN(Number(cell)) ? sexes.indexOf(cell) : Number(cell))),
    );
    const data = Float32Array.from(features.flat());
    const json = JSON.parse(new TextDecoder().decode(files.get("model.json")));
    const model = await tfl.loadLayersModel({
      load: async () => ({
        modelTopology: json.modelTopology,
        weightSpecs: json.weightsManifest[0].weights,
        weightData: Uint8Array.from(files.get("weights.bin")!).buffer,
      }),
    });
    const expected = await (model.predict(tf.tensor2d(data, [rows.length, 8])) as tf.Tensor).data();
    const inputs = new Map([[graph.inputs[0]!.name, data]]);
    const actual = [...evaluate(graph, { records: rows.length, inputs }).values()][0]!;
    expect(actual.shape).toEqual([rows.length, 1]);
    expect(relativeError(actual.data, expected)).toBeLessThan(1e-5);
  });
});
