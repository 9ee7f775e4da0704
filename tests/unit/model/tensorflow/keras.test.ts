/**
 * Keras files built to Keras' layout (files written by Keras itself are not at hand), against TensorFlow.js; and the layers
 * that TensorFlow.js lacks, against values worked out by hand.
 */

import { zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { unpackModelFiles } from "#lib/model/archive.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { elementCount, type Graph, type Tensor } from "#lib/model/graph.ts";
import { readKerasConfig } from "#lib/model/tensorflow/keras/config.ts";
import { importKerasArchive, importKerasH5 } from "#lib/model/tensorflow/keras/files.ts";
import { importKerasModel } from "#lib/model/tensorflow/keras/import.ts";
import { byWeightName } from "#lib/model/tensorflow/keras/variables.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";
import { wave } from "../onnx/model-file.ts";
import { relativeError } from "../ort.ts";
import { hdf5File, kerasArchive, legacyH5 } from "./keras-files.ts";
import { fillWeights, startTfjs, tf, tfl } from "./tfjs.ts";

const { layers } = tfl;
type Layer = ReturnType<typeof layers.dense>;

beforeAll(startTfjs);

function imageNetwork(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, activation: "relu" }),
      layers.batchNormalization(),
      layers.separableConv2d({ filters: 4, kernelSize: 2, depthMultiplier: 2 }),
      layers.prelu({}),
      layers.flatten(),
      layers.dense({ units: 5, activation: "tanh" }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 3, activation: "softmax" }),
    ] as Layer[],
  });
}

function branchedNetwork(): tfl.LayersModel {
  const a = tfl.input({ shape: [4] });
  const b = tfl.input({ shape: [4] });
  const innerInput = tfl.input({ shape: [4] });
  const hidden = layers.dense({ units: 3, activation: "relu" }).apply(innerInput) as tfl.SymbolicTensor;
  const inner = tfl.model({ inputs: innerInput, outputs: hidden });
  const shared = layers.dense({ units: 3 });
  const parts = [inner.apply(a), shared.apply(a), shared.apply(b)] as tfl.SymbolicTensor[];
  const joined = layers.concatenate().apply(parts) as tfl.SymbolicTensor;
  const outputs = [layers.dense({ units: 2 }).apply(joined), parts[0]!] as tfl.SymbolicTensor[];
  return tfl.model({ inputs: [a, b], outputs });
}

function seriesNetwork(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.conv1d({ inputShape: [12, 3], filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
      layers.maxPooling1d({ poolSize: 2 }),
      layers.batchNormalization(),
      layers.conv1d({ filters: 5, kernelSize: 2, dilationRate: 2 }),
      layers.averagePooling1d({ poolSize: 2 }),
      layers.spatialDropout1d({ rate: 0.2 }),
      layers.flatten(),
      layers.dense({ units: 3, activation: "sigmoid" }),
    ] as Layer[],
  });
}

function residualNetwork(): tfl.LayersModel {
  const input = tfl.input({ shape: [8, 8, 3] });
  let x = layers.conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: "same" }).apply(input) as tfl.SymbolicTensor;
  const shortcut = x;
  x = layers.batchNormalization().apply(x) as tfl.SymbolicTensor;
  x = layers.activation({ activation: "relu" }).apply(x) as tfl.SymbolicTensor;
  x = layers.depthwiseConv2d({ kernelSize: 3, padding: "same" }).apply(x) as tfl.SymbolicTensor;
  x = layers.add().apply([x, shortcut]) as tfl.SymbolicTensor;
  x = layers.maxPooling2d({ poolSize: 2 }).apply(x) as tfl.SymbolicTensor;
  x = layers.globalAveragePooling2d({}).apply(x) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: layers.dense({ units: 2 }).apply(x) as tfl.SymbolicTensor });
}

async function expectSame(model: tfl.LayersModel, graph: Graph): Promise<void> {
  const records = 2;
  const feeds = model.inputs.map((input, index) => {
    const shape = [records, ...input.shape.slice(1).map(Number)];
    return { shape, data: wave(elementCount(shape), index + 1) };
  });
  const predicted = model.predict(feeds.map(({ shape, data }) => tf.tensor(data, shape)));
  const inputs = new Map(graph.inputs.map((port, index) => [port.name, feeds[index]!.data]));
  const actual = [...evaluate(graph, { records, inputs }).values()];
  const expected = Array.isArray(predicted) ? predicted : [predicted];
  expect(actual).toHaveLength(expected.length);
  for (const [index, tensor] of expected.entries()) {
    expect(relativeError(actual[index]!.data, await tensor.data())).toBeLessThan(1e-5);
  }
}

describe("Keras files", () => {
  const networks = [
    ["a Sequential image network", imageNetwork],
    ["a branched network with a model inside", branchedNetwork],
    ["a series network", seriesNetwork],
    ["a residual network", residualNetwork],
  ] as const;
  const libvers = ["earliest", "latest"] as const;
  test.each(networks.flatMap(([name, build]) => libvers.map((libver) => [name, libver, build] as const)))(
    "%s as .h5 and as .keras, HDF5 structures: %s",
    async (_name, libver, build) => {
      const model = build();
      fillWeights(model);
      await expectSame(model, await importKerasH5(await legacyH5(model, libver)));
      await expectSame(model, await importKerasArchive(unpackModelFiles(await kerasArchive(model, libver))));
    },
  );
});

/** One Keras 3 layer on a [2, 3]-per-record input, and its output for the input 0, 1, 2, 3, 4, 5. */
interface HandCase {
  readonly layer: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shape?: readonly number[];
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly expected: readonly number[];
}
const column = (...data: number[]): Tensor => ({ shape: [data.length], data: Float64Array.from(data) });

const byHand: readonly HandCase[] = [
  { layer: "Rescaling", config: { scale: 0.5, offset: 1 }, expected: [1, 1.5, 2, 2.5, 3, 3.5] },
  {
    layer: "Normalization",
    config: { axis: [-1] },
    weights: { mean: column(1, 2, 3), variance: column(4, 1, 0.25) },
    expected: [-0.5, -1, -2, 1, 2, 4],
  },
  { layer: "Normalization", config: { axis: [-1], mean: 1, variance: 4 }, expected: [-0.5, 0, 0.5, 1, 1.5, 2] },
  { layer: "Subtract", config: {}, expected: [0, 0, 0, 0, 0, 0] },
  { layer: "ActivityRegularization", config: { l1: 0.1 }, expected: [0, 1, 2, 3, 4, 5] },
  { layer: "Cropping1D", config: { cropping: [1, 0] }, expected: [3, 4, 5] },
  { layer: "ZeroPadding1D", config: { padding: [0, 1] }, expected: [0, 1, 2, 3, 4, 5, 0, 0, 0] },
  { layer: "UpSampling1D", config: { size: 2 }, expected: [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5] },
  { layer: "SpatialDropout2D", config: { rate: 0.5 }, shape: [1, 2, 3], expected: [0, 1, 2, 3, 4, 5] },
  {
    layer: "DepthwiseConv1D",
    config: { kernel_size: [2], strides: [1], dilation_rate: [1], padding: "valid", use_bias: false },
    // [2 taps, 3 channels, 1]: each channel x0 · (c + 1) + x1 · 10.
    weights: { depthwise_kernel: { shape: [2, 3, 1], data: Float64Array.of(1, 2, 3, 10, 10, 10) } },
    expected: [30, 42, 56],
  },
  {
    layer: "SeparableConv1D",
    config: { kernel_size: [1], strides: [1], dilation_rate: [1], padding: "same", use_bias: true },
    weights: {
      depthwise_kernel: { shape: [1, 3, 1], data: Float64Array.of(1, 2, 3) },
      pointwise_kernel: { shape: [1, 3, 1], data: Float64Array.of(1, 1, 1) },
      bias: column(0.5),
    },
    expected: [8.5, 26.5],
  },
  {
    layer: "Conv1D",
    config: { kernel_size: [2], strides: [1], dilation_rate: [1], padding: "causal", use_bias: false },
    // Sums all channels of the step before, and ten times this step's.
    weights: { kernel: { shape: [2, 3, 1], data: Float64Array.of(1, 1, 1, 10, 10, 10) } },
    expected: [30, 123],
  },
  {
    layer: "BatchNormalization",
    config: { axis: 1, epsilon: 0, scale: false },
    weights: { beta: column(1, 2), moving_mean: column(1, 4), moving_variance: column(1, 4) },
    expected: [0, 1, 2, 1.5, 2, 2.5],
  },
  { layer: "Activation", config: { activation: "hard_sigmoid" }, expected: [0.5, 4 / 6, 5 / 6, 1, 1, 1] },
  {
    layer: "Activation",
    config: { activation: { class_name: "function", config: "relu6" } },
    expected: [0, 1, 2, 3, 4, 5],
  },
  { layer: "LeakyReLU", config: { negative_slope: 0.5 }, expected: [0, 1, 2, 3, 4, 5] },
  { layer: "GlobalAveragePooling1D", config: { keepdims: true }, expected: [1.5, 2.5, 3.5] },
  { layer: "Flatten", config: { data_format: "channels_first" }, expected: [0, 3, 1, 4, 2, 5] },
];

function oneLayer({ layer, config, shape = [2, 3] }: Omit<HandCase, "expected">): unknown {
  const tensor = { class_name: "__keras_tensor__", config: { keras_history: ["in", 0, 0] } };
  return {
    class_name: "Functional",
    config: {
      name: "m",
      layers: [
        {
          class_name: "InputLayer",
          name: "in",
          config: { name: "in", batch_shape: [null, ...shape], dtype: "float32" },
          inbound_nodes: [],
        },
        {
          class_name: layer,
          name: "it",
          config: { name: "it", ...config },
          inbound_nodes: [{ args: layer === "Subtract" ? [[tensor, tensor]] : [tensor], kwargs: {} }],
        },
      ],
      input_layers: ["in", 0, 0],
      output_layers: [["it", 0, 0]],
    },
  };
}

describe("layers by hand", () => {
  test.each(byHand.map((entry) => [`${entry.layer} ${JSON.stringify(entry.config)}`, entry] as const))(
    "%s",
    (_, entry) => {
      const weights = new Map(Object.entries(entry.weights ?? {}).map(([name, tensor]) => [`it/${name}`, tensor]));
      const graph = importKerasModel(readKerasConfig(oneLayer(entry)), byWeightName(weights), 3);
      const output = evaluate(graph, { records: 1, inputs: new Map([["in", [0, 1, 2, 3, 4, 5]]]) }).get("it")!;
      expect(relativeError(output.data, entry.expected)).toBeLessThan(1e-6);
    },
  );
});

interface Refusal {
  readonly name: string;
  readonly run: () => unknown;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const text = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const noWeights = byWeightName(new Map());
const importConfig = (json: unknown) => importKerasModel(readKerasConfig(json), noWeights, 3);

const refusals: readonly Refusal[] = [
  {
    name: "a recurrent layer",
    run: () => importConfig(oneLayer({ layer: "LSTM", config: {} })),
    code: "model_unsupported",
    says: /LSTM "it".*Conv1D/,
  },
  {
    name: "a Lambda",
    run: () => importConfig(oneLayer({ layer: "Lambda", config: {} })),
    code: "model_unsupported",
    says: /Lambda "it".*code is not in the file/,
  },
  {
    name: "a layer named like a property of all objects",
    run: () => importConfig(oneLayer({ layer: "constructor", config: {} })),
    code: "model_unsupported",
    says: /constructor/,
  },
  {
    name: "an activation named like a property of all objects",
    run: () => importConfig(oneLayer({ layer: "Activation", config: { activation: "toString" } })),
    code: "model_unsupported",
    says: /toString/,
  },
  {
    name: "a subclassed model",
    run: () => importConfig({ class_name: "MyModel", config: {} }),
    code: "model_unsupported",
    says: /MyModel, whose code is not in the file/,
  },
  {
    name: "an open axis beyond the batch",
    run: () => importConfig(oneLayer({ layer: "ReLU", config: {}, shape: [null as unknown as number, 3] })),
    code: "model_unsupported",
    says: /InputLayer "in".*axis 1 is open/,
  },
  {
    name: "missing variables",
    run: () => importConfig(oneLayer({ layer: "Dense", config: { units: 2 } })),
    code: "model_invalid",
    says: /Dense "it": its variable "kernel"/,
  },
  {
    name: "a setting of the wrong kind",
    run: () => importConfig(oneLayer({ layer: "LeakyReLU", config: { negative_slope: "much" } })),
    code: "model_invalid",
    says: /negative_slope/,
  },
  { name: "not a model", run: () => importConfig({ a: 1 }), code: "model_unreadable", says: /Not a Keras model/ },
  {
    name: "a circle of layers",
    run: () =>
      importConfig({
        class_name: "Functional",
        config: {
          name: "m",
          layers: [
            { class_name: "InputLayer", name: "in", config: { batch_shape: [null, 2] }, inbound_nodes: [] },
            { class_name: "ReLU", name: "a", config: {}, inbound_nodes: [[["b", 0, 0, {}]]] },
            { class_name: "ReLU", name: "b", config: {}, inbound_nodes: [[["a", 0, 0, {}]]] },
          ],
          input_layers: [["in", 0, 0]],
          output_layers: [["b", 0, 0]],
        },
      }),
    code: "model_invalid",
    says: /reads a value that no layer makes/,
  },
  {
    name: "models nested without end",
    run: () => {
      let model: unknown = { class_name: "Sequential", config: { name: "s", layers: [] } };
      for (let i = 0; i < 50; i++) model = { class_name: "Sequential", config: { name: "s", layers: [model] } };
      return importConfig(model);
    },
    code: "model_too_large",
    says: /nest/,
  },
  {
    name: "an .h5 file with weights only",
    run: async () => importKerasH5(await hdf5File(new Map([["dense/kernel:0", column(1)]]))),
    code: "model_unreadable",
    says: /save the whole model/i,
  },
  {
    name: "a truncated .h5 file",
    run: async () => importKerasH5((await hdf5File(new Map([["dense/kernel:0", column(1)]]))).slice(0, 700)),
    code: "model_unreadable",
    says: /HDF5/,
  },
  {
    name: "a .keras file without weights",
    run: () => importKerasArchive(unpackModelFiles(zipSync({ "config.json": text({}) }))),
    code: "model_unreadable",
    says: /model\.weights\.h5/,
  },
  {
    name: "JSON with __proto__",
    run: () =>
      importKerasArchive(
        new Map([
          ["config.json", new TextEncoder().encode('{"class_name":"Sequential","__proto__":{"config":1}}')],
          ["model.weights.h5", new Uint8Array(8)],
        ]),
      ),
    code: "model_unreadable",
    says: /__proto__/,
  },
  {
    name: "JSON nested ten thousand deep",
    run: () =>
      importKerasArchive(
        new Map([
          ["config.json", new TextEncoder().encode("[".repeat(10_000))],
          ["model.weights.h5", new Uint8Array(8)],
        ]),
      ),
    code: "model_too_large",
    says: /nests deeper/,
  },
];

describe("refused", () => {
  test.each(refusals.map((refusal) => [refusal.name, refusal] as const))("%s", async (_, { run, code, says }) => {
    const error = await Promise.resolve()
      .then(run)
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    if (!isFluxError(error)) throw error ?? new Error("was accepted");
    expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
  });

  test("HDF5 datasets that declare more than the file holds are refused before anything is allocated", async () => {
    const bytes = await hdf5File(new Map([["layers/dense/vars/0", { shape: [2, 2], data: new Float32Array(4) }]]));
    // The dataspace message holds the lengths as 64-bit integers: 2, 2, and the maximum 2, 2.
    const at = findBytes(bytes, [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    expect(at).toBeGreaterThan(0);
    const huge = bytes.slice();
    huge.set([0, 0, 0, 0, 1, 0, 0, 0], at);
    huge.set([0, 0, 0, 0, 1, 0, 0, 0], at + 16);
    const config = {
      class_name: "Sequential",
      config: {
        name: "s",
        layers: [
          { class_name: "InputLayer", config: { name: "in", batch_shape: [null, 2] } },
          { class_name: "Dense", config: { name: "dense", units: 2, use_bias: false } },
        ],
      },
    };
    const files = (weights: Uint8Array) =>
      new Map([
        ["config.json", text(config)],
        ["model.weights.h5", weights],
      ]);
    expect((await importKerasArchive(files(bytes))).nodes).toHaveLength(1);
    const before = cpuMs();
    const error = await importKerasArchive(files(huge)).catch((thrown: unknown) => thrown);
    expect(isFluxError(error)).toBe(true);
    expect(cpuMs() - before).toBeLessThan(2000);
  });
});

function findBytes(bytes: Uint8Array, wanted: readonly number[]): number {
  for (let at = 0; at < bytes.length - wanted.length; at++) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
