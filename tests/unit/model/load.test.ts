/** Whatever people upload: recognised by its content, read, and turned into ONNX that computes the same. */
import { create, toBinary } from "@bufbuild/protobuf";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import { loadModel, type ModelFormat } from "#lib/model/load.ts";
import { AttrValueSchema, GraphDefSchema } from "#lib/model/tensorflow/generated/tensorflow_pb.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { onnxFile, wave } from "./onnx/model-file.ts";
import { relativeError, runOrt } from "./ort.ts";
import { kerasArchive, legacyH5 } from "./tensorflow/keras-files.ts";
import { FLOAT_TYPE, shapeProto } from "./tensorflow/saved-files.ts";
import { fillWeights, savedFiles, startTfjs, tfl } from "./tensorflow/tfjs.ts";

beforeAll(startTfjs);

const { layers } = tfl;

function network(): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      layers.conv2d({
        inputShape: [6, 6, 1],
        filters: 3,
        kernelSize: 3,
        strides: 2,
        padding: "same",
        activation: "relu",
      }),
      layers.batchNormalization(),
      layers.averagePooling2d({ poolSize: 2, padding: "same" }),
      layers.flatten(),
      layers.dense({ units: 4, activation: "softmax" }),
    ] as ReturnType<typeof layers.dense>[],
  });
  fillWeights(model);
  return model;
}

const dense = onnxFile({
  inputs: [{ name: "x", shape: ["batch", 4] }],
  outputs: [{ name: "out" }],
  initializers: { w: { shape: [4, 3], data: wave(12) } },
  nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["out"] }],
});

function frozen(): Uint8Array {
  const shape = create(AttrValueSchema, { value: { case: "shape", value: shapeProto([-1, 4]) } });
  const node = [
    { name: "x", op: "Placeholder", attr: { dtype: FLOAT_TYPE, shape } },
    { name: "out", op: "Tanh", input: ["x"], attr: { T: FLOAT_TYPE } },
  ];
  return toBinary(GraphDefSchema, create(GraphDefSchema, { node }));
}

const asZip = (files: ReadonlyMap<string, Uint8Array>, folder = "") =>
  zipSync(Object.fromEntries([...files].map(([name, bytes]) => [folder + name, bytes])));

const uploads: readonly {
  readonly name: string;
  readonly filename: string;
  readonly bytes: () => Promise<Uint8Array> | Uint8Array;
  readonly format: ModelFormat;
}[] = [
  { name: "ONNX", filename: "m.onnx", bytes: () => dense, format: "onnx" },
  { name: "ONNX in a zip", filename: "m.zip", bytes: () => zipSync({ "export/m.onnx": dense }), format: "onnx" },
  { name: "ONNX named .pb", filename: "m.pb", bytes: () => dense, format: "onnx" },
  {
    name: "a layers model in a zip",
    filename: "m.zip",
    bytes: async () => asZip(await savedFiles(network())),
    format: "tfjs-layers",
  },
  {
    name: "a layers model in a folder in a zip",
    filename: "m.zip",
    bytes: async () => asZip(await savedFiles(network()), "web/"),
    format: "tfjs-layers",
  },
  { name: "a .keras file", filename: "m.keras", bytes: () => kerasArchive(network()), format: "keras" },
  { name: "an .h5 file", filename: "m.h5", bytes: () => legacyH5(network()), format: "keras" },
  {
    name: "an .h5 file in a zip",
    filename: "m.zip",
    bytes: async () => zipSync({ "m.h5": await legacyH5(network()) }),
    format: "keras",
  },
  { name: "a frozen graph", filename: "m.pb", bytes: () => frozen(), format: "graphdef" },
];

describe("loadModel", () => {
  test.each(uploads.map((upload) => [upload.name, upload] as const))("%s", async (_, { filename, bytes, format }) => {
    const model = await loadModel(await bytes(), filename);
    expect(model.format).toBe(format);
    expect(model.operators.length).toBeGreaterThan(0);
    expect(model.inputs).toHaveLength(1);
    if (isFluxError(model.graph)) throw model.graph;

    const { graph } = model;
    const count = graph.inputs[0]!.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
    const feeds = { records: 2, inputs: new Map([[graph.inputs[0]!.name, wave(2 * count, 3)]]) };
    const expected = [...evaluate(graph, feeds).values()][0]!;
    const actual = [...(await runOrt(model.onnx!, graph.inputs, feeds)).values()][0]!;
    expect(relativeError(actual.data, expected.data)).toBeLessThan(1e-5);
  });

  test("an ONNX file with unknown operators is described, and says why there is no graph", async () => {
    const lstm = onnxFile({
      inputs: [{ name: "x", shape: ["batch", 4, 2] }],
      outputs: [{ name: "out" }],
      nodes: [{ op: "LSTM", name: "rnn", inputs: ["x"], outputs: ["out"] }],
    });
    const model = await loadModel(lstm, "m.onnx");
    expect(model.operators).toEqual([{ op: "LSTM", count: 1 }]);
    expect(isFluxError(model.graph) && model.graph.code).toBe("model_unsupported");
    expect(model.onnx).toBe(lstm);
  });

  const text = (content: string) => new TextEncoder().encode(content);
  test.each([
    ["a PyTorch checkpoint", "model.pt", zipSync({ "model/data.pkl": text("x") }), /torch\.onnx\.export/],
    ["a PyTorch checkpoint named .zip", "model.zip", zipSync({ "model/data.pkl": text("x") }), /torch\.onnx\.export/],
    ["a pickle", "model.pkl", Uint8Array.of(0x80, 4, 0x95), /never opened here/],
    ["gzip", "model.onnx.gz", Uint8Array.of(0x1f, 0x8b, 8), /unpack it/],
    [
      "TensorFlow Lite",
      "model.tflite",
      Uint8Array.of(28, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33),
      /tf2onnx\.convert --tflite/,
    ],
    ["model.json alone", "model.json", text('{"modelTopology":{}}'), /\.bin shards in one zip/],
    ["a zip of something else", "m.zip", zipSync({ "readme.txt": text("hello") }), /no model\.json/],
    ["an archive in an archive", "m.zip", zipSync({ "m.keras": zipSync({ a: text("b") }) }), /archive in an archive/],
  ] as const)("refuses %s with the way out", async (_, filename, bytes, says) => {
    const error = await loadModel(bytes, filename).catch((thrown: unknown) => thrown);
    if (!isFluxError(error)) throw error;
    expect(error.code).toBe("model_unreadable");
    expect(error.detail).toMatch(says);
  });
});
