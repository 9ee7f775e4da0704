/** What is refused, with which code, and what the error tells the submitter. Nothing but a FluxError ever comes out. */

import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "#lib/model/onnx/generated/onnx_pb.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { inspectOnnx } from "#lib/model/onnx/inspect.ts";
import { readOnnx } from "#lib/model/onnx/read.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import { MODEL_LIMITS } from "#lib/protocol/limits.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";
import { type ModelSpec, type NodeSpec, onnxFile, onnxGraph, tensorProto, wave } from "./model-file.ts";

const dense: ModelSpec = {
  inputs: [{ name: "x", shape: ["batch", 4] }],
  outputs: [{ name: "out" }],
  initializers: { w: { shape: [4, 3], data: wave(12) } },
  nodes: [{ op: "MatMul", name: "fc1", inputs: ["x", "w"], outputs: ["out"] }],
};

/** The dense model with its weights replaced. */
function withWeights(weights: Parameters<typeof create<typeof TensorProtoSchema>>[1]): Uint8Array {
  const graph = onnxGraph(dense);
  graph.initializer = [create(TensorProtoSchema, { name: "w", ...weights })];
  return modelFile(graph);
}

function modelFile(graph: ReturnType<typeof onnxGraph>): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 17n }], graph }),
  );
}

function oneNode(
  node: Omit<NodeSpec, "outputs">,
  shape: readonly (number | string | null)[] = ["batch", 4],
): Uint8Array {
  return onnxFile({
    inputs: [{ name: "x", shape }],
    outputs: [{ name: "out" }],
    initializers: { w: { shape: [4, 3], data: wave(12) } },
    nodes: [{ name: "the node", ...node, outputs: ["out"] }],
  });
}

/** Subgraphs inside subgraphs. */
function nested(levels: number): ReturnType<typeof onnxGraph> {
  let graph = onnxGraph(dense);
  for (let level = 0; level < levels; level++) {
    graph = onnxGraph({
      ...dense,
      nodes: [{ op: "If", inputs: ["x"], outputs: ["out"], attributes: { then_branch: { graph } } }],
    });
  }
  return graph;
}

interface Refusal {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const unreadable: readonly Refusal[] = [
  { name: "an empty file", bytes: () => new Uint8Array(0), code: "model_unreadable", says: /not an ONNX model/ },
  {
    name: "text",
    bytes: () => new TextEncoder().encode("layer,weights\n1,2\n"),
    code: "model_unreadable",
    says: /not an ONNX model/,
  },
  { name: "a zip", bytes: () => Uint8Array.from([80, 75, 3, 4, 20, 0, 0, 0]), code: "model_unreadable", says: /ONNX/ },
  { name: "a truncated file", bytes: () => onnxFile(dense).slice(0, -9), code: "model_unreadable", says: /cut short/ },
  {
    name: "external data",
    bytes: () =>
      withWeights({
        dims: [4n, 3n],
        dataType: 1,
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: [{ key: "location", value: "../../etc/passwd" }],
      }),
    code: "model_external_data",
    says: /initializer "w".*save_as_external_data=False/,
  },
  {
    name: "2 GB declared, 4 bytes there",
    bytes: () => withWeights({ dims: [23_170n, 23_170n], dataType: 1, rawData: new Uint8Array(4) }),
    code: "model_too_large",
    says: /initializer "w" declares \[23170, 23170\]/,
  },
  {
    name: "axes whose product overflows",
    bytes: () => withWeights({ dims: [2n ** 62n, 2n ** 62n], dataType: 1, rawData: new Uint8Array(4) }),
    code: "model_too_large",
    says: /limit/,
  },
  {
    name: "more declared than there",
    bytes: () => withWeights({ dims: [4n, 3n], dataType: 1, rawData: new Uint8Array(44) }),
    code: "model_invalid",
    says: /declares 48 bytes.*holds 44/,
  },
  {
    name: "a list of another length than declared",
    bytes: () => withWeights({ dims: [4n, 3n], dataType: 1, floatData: [1, 2] }),
    code: "model_invalid",
    says: /declares 12 values.*holds 2/,
  },
  {
    name: "a negative axis",
    bytes: () => withWeights({ dims: [-4n, 3n], dataType: 1, rawData: new Uint8Array(48) }),
    code: "model_invalid",
    says: /length -4/,
  },
  {
    name: "too many axes",
    bytes: () => withWeights({ dims: new Array<bigint>(9).fill(1n), dataType: 1, rawData: new Uint8Array(4) }),
    code: "model_too_large",
    says: /9 axes/,
  },
  {
    name: "subgraphs nested beyond the limit",
    bytes: () => modelFile(nested(MODEL_LIMITS.nesting + 1)),
    code: "model_too_large",
    says: /nest/,
  },
  {
    name: "subgraphs nested a thousand deep",
    bytes: () => {
      // Written from the inside out: a message inside a message, without building a tree first.
      let inner = Uint8Array.from([]);
      for (let level = 0; level < 3000; level++) inner = wrap(level % 3 === 0 ? 6 : level % 3 === 1 ? 5 : 1, inner);
      return wrap(7, inner);
    },
    code: "model_too_large",
    says: /nest/,
  },
  {
    name: "two-byte messages by the million",
    bytes: () => {
      const nodes = new Uint8Array(2 * (MODEL_LIMITS.protobufFields + 10));
      for (let i = 0; i < nodes.length; i += 2) nodes[i] = 0x0a;
      return wrap(7, nodes);
    },
    code: "model_too_large",
    says: /fields/,
  },
  {
    name: "too many nodes",
    bytes: () => {
      const nodes = Array.from({ length: MODEL_LIMITS.graphNodes + 1 }, (_, i) => ({
        op: "Relu",
        inputs: [i === 0 ? "x" : `v${i - 1}`],
        outputs: [`v${i}`],
      }));
      return onnxFile({ ...dense, nodes });
    },
    code: "model_too_large",
    says: /nodes/,
  },
  {
    name: "a name without end",
    bytes: () => onnxFile({ ...dense, nodes: [{ ...dense.nodes[0]!, name: "n".repeat(5000) }] }),
    code: "model_too_large",
    says: /5000 characters/,
  },
  {
    name: "no outputs",
    bytes: () => onnxFile({ ...dense, outputs: [] }),
    code: "model_invalid",
    says: /no outputs/,
  },
];

const unimportable: readonly Refusal[] = [
  {
    name: "NaN weights",
    bytes: () => onnxFile({ ...dense, initializers: { w: { shape: [4, 3], data: [1, Number.NaN, ...wave(10)] } } }),
    code: "model_invalid",
    says: /"w" hold NaN at position 1/,
  },
  {
    name: "infinite weights",
    bytes: () => onnxFile({ ...dense, initializers: { w: { shape: [4, 3], data: [...wave(11), Infinity] } } }),
    code: "model_invalid",
    says: /"w" hold Infinity at position 11/,
  },
  {
    name: "text weights",
    bytes: () => withWeights({ dims: [1n], dataType: 8, stringData: [new Uint8Array([97])] }),
    code: "model_unsupported",
    says: /string values/,
  },
  {
    name: "an operator without a graph form",
    bytes: () => oneNode({ op: "Einsum", inputs: ["x"] }),
    code: "model_unsupported",
    says: /Einsum "the node": the operator Einsum.*privacy "public"/,
  },
  {
    name: "recurrence",
    bytes: () => oneNode({ op: "LSTM", inputs: ["x"] }),
    code: "model_unsupported",
    says: /LSTM "the node".*recurrence/,
  },
  {
    name: "a quantized operator",
    bytes: () => oneNode({ op: "QLinearConv", inputs: ["x"] }),
    code: "model_unsupported",
    says: /before quantization/,
  },
  {
    name: "another domain's operator of a known name",
    bytes: () => oneNode({ op: "Relu", domain: "com.example", inputs: ["x"] }),
    code: "model_unsupported",
    says: /com\.example::Relu/,
  },
  {
    name: "an attribute that changes the meaning",
    bytes: () => oneNode({ op: "Relu", inputs: ["x"], attributes: { leak: { f: 0.1 } } }),
    code: "model_unsupported",
    says: /attribute "leak"/,
  },
  {
    name: "an attribute of the wrong type",
    bytes: () => oneNode({ op: "LeakyRelu", inputs: ["x"], attributes: { alpha: 1 } }),
    code: "model_invalid",
    says: /"alpha" has the wrong type/,
  },
  {
    name: "an axis beyond the batch that is dynamic",
    bytes: () => oneNode({ op: "Relu", inputs: ["x"] }, ["batch", "length", 8]),
    code: "model_unsupported",
    says: /input "x" has shape \[batch, length, 8\]: axis 1 is dynamic/,
  },
  {
    name: "a fixed batch other than 1",
    bytes: () => oneNode({ op: "Relu", inputs: ["x"] }, [64, 8]),
    code: "model_unsupported",
    says: /axis 0 must be the batch axis.*dynamic_axes/,
  },
  {
    name: "an input that is one number",
    bytes: () => oneNode({ op: "Relu", inputs: ["x"] }, []),
    code: "model_unsupported",
    says: /input "x"/,
  },
  {
    name: "an old opset",
    bytes: () => onnxFile({ ...dense, opset: 5 }),
    code: "model_unsupported",
    says: /opset 5; 6 to/,
  },
  {
    name: "matrices that do not fit",
    bytes: () => oneNode({ op: "MatMul", inputs: ["x", "w"] }, ["batch", 5]),
    code: "model_invalid",
    says: /MatMul "the node": \[batch, 5\] × \[4, 3\]/,
  },
  {
    name: "a value that nothing makes",
    bytes: () => oneNode({ op: "Relu", inputs: ["ghost"] }),
    code: "model_invalid",
    says: /reads "ghost"/,
  },
  {
    name: "a cycle",
    bytes: () => oneNode({ op: "Add", inputs: ["x", "out"] }),
    code: "model_invalid",
    says: /reads "out"/,
  },
  {
    name: "one value made twice",
    bytes: () => onnxFile({ ...dense, nodes: [dense.nodes[0]!, dense.nodes[0]!] }),
    code: "model_invalid",
    says: /make the value "out"/,
  },
  {
    name: "an output that nothing makes",
    bytes: () => onnxFile({ ...dense, outputs: [{ name: "nowhere" }] }),
    code: "model_invalid",
    says: /output "nowhere"/,
  },
  {
    name: "an output that is not per record",
    bytes: () => onnxFile({ ...dense, outputs: [{ name: "w" }] }),
    code: "model_unsupported",
    says: /"w": has shape \[4, 3\], not one row per record/,
  },
  {
    name: "softmax over the records",
    bytes: () => oneNode({ op: "Softmax", inputs: ["x"], attributes: { axis: 0 } }),
    code: "model_unsupported",
    says: /one record's answer would depend on others/,
  },
  {
    name: "the mean over the records",
    bytes: () => oneNode({ op: "ReduceMean", inputs: ["x"], attributes: { axes: [0] } }),
    code: "model_unsupported",
    says: /depend on others/,
  },
  {
    name: "the sum over everything",
    bytes: () => oneNode({ op: "ReduceSum", inputs: ["x"] }),
    code: "model_unsupported",
    says: /depend on others/,
  },
  {
    name: "a reshape that merges records",
    bytes: () =>
      onnxFile({
        ...dense,
        initializers: { s: { dtype: "int64", shape: [2], data: [-1, 2] } },
        nodes: [{ op: "Reshape", name: "fold", inputs: ["x", "s"], outputs: ["out"] }],
      }),
    code: "model_unsupported",
    says: /Reshape "fold": folds the batch axis/,
  },
  {
    name: "a baked batch of 1 under a dynamic input",
    bytes: () =>
      onnxFile({
        ...dense,
        initializers: { s: { dtype: "int64", shape: [2], data: [1, 4] } },
        nodes: [{ op: "Reshape", name: "view", inputs: ["x", "s"], outputs: ["out"] }],
      }),
    code: "model_unsupported",
    says: /Reshape "view": has a fixed batch of 1/,
  },
  {
    name: "records times records",
    bytes: () =>
      onnxFile({
        ...dense,
        nodes: [
          { op: "Transpose", inputs: ["x"], outputs: ["t"], attributes: { perm: [1, 0] } },
          { op: "MatMul", name: "gram", inputs: ["t", "x"], outputs: ["out"] },
        ],
      }),
    code: "model_unsupported",
    says: /gram.*depend on others/,
  },
  {
    name: "indices computed from data (an embedding)",
    bytes: () =>
      onnxFile({
        ...dense,
        inputs: [{ name: "x", dtype: "int64", shape: ["batch", 4] }],
        nodes: [{ op: "Gather", name: "embed", inputs: ["w", "x"], outputs: ["out"] }],
      }),
    code: "model_unsupported",
    says: /embed.*depends on the data/,
  },
  {
    name: "batch normalization in training mode",
    bytes: () =>
      onnxFile({
        ...dense,
        initializers: { c: { shape: [4], data: wave(4) } },
        nodes: [
          {
            op: "BatchNormalization",
            inputs: ["x", "c", "c", "c", "c"],
            outputs: ["out"],
            attributes: { training_mode: 1 },
          },
        ],
      }),
    code: "model_unsupported",
    says: /model\.eval\(\)/,
  },
  {
    name: "a value larger than any feature map",
    bytes: () =>
      onnxFile({
        ...dense,
        inputs: [{ name: "x", shape: ["batch", 1, 1] }],
        initializers: { s: { dtype: "int64", shape: [3], data: [1, 1_000_000, 1_000_000] } },
        nodes: [{ op: "Expand", name: "bomb", inputs: ["x", "s"], outputs: ["out"] }],
      }),
    code: "model_too_large",
    says: /bomb/,
  },
  {
    name: "constants unfolding without end",
    bytes: () =>
      onnxFile({
        ...dense,
        initializers: { s: { dtype: "int64", shape: [1], data: [16_000_000] } },
        nodes: Array.from({ length: 50 }, (_, i) => ({ op: "ConstantOfShape", inputs: ["s"], outputs: [`c${i}`] })),
      }),
    code: "model_too_large",
    says: /Constants computed inside the model/,
  },
  {
    name: "sparse weights",
    bytes: () => {
      const graph = create(GraphProtoSchema, onnxGraph(dense));
      graph.sparseInitializer = [
        { $typeName: "onnx.SparseTensorProto", values: tensorProto("v", { shape: [1], data: [1] }), dims: [4n] },
      ];
      return modelFile(graph);
    },
    code: "model_unsupported",
    says: /sparse/,
  },
];

/** One length-delimited protobuf field. */
function wrap(field: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    if (rest < 128) {
      length.push(rest);
      break;
    }
    length.push((rest & 127) | 128);
  }
  const bytes = new Uint8Array(1 + length.length + content.length);
  bytes[0] = (field << 3) | 2;
  bytes.set(length, 1);
  bytes.set(content, 1 + length.length);
  return bytes;
}

function expectRefusal(run: () => unknown, { code, says }: Refusal): void {
  try {
    run();
  } catch (error) {
    if (!isFluxError(error)) throw error;
    expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
    return;
  }
  throw new Error("was accepted");
}

describe("refused on reading", () => {
  test.each(unreadable.map((refusal) => [refusal.name, refusal] as const))("%s", (_, refusal) => {
    const bytes = refusal.bytes();
    const before = cpuMs();
    expectRefusal(() => readOnnx(bytes), refusal);
    expect(cpuMs() - before).toBeLessThan(2000);
  });
});

describe("refused on import", () => {
  test.each(unimportable.map((refusal) => [refusal.name, refusal] as const))("%s", (_, refusal) => {
    expectRefusal(() => importOnnx(refusal.bytes()), refusal);
  });

  test("the unchanged models are accepted", () => {
    expect(importOnnx(onnxFile(dense)).nodes).toHaveLength(1);
    expect(importOnnx(oneNode({ op: "Relu", inputs: ["x"] })).nodes).toHaveLength(1);
  });
});

describe("inspection", () => {
  test("describes models that import refuses", () => {
    const inspection = inspectOnnx(
      onnxFile({
        opset: 15,
        inputs: [
          { name: "tokens", dtype: "int64", shape: ["n", "length", null, 3] },
          { name: "w", shape: [4, 3] },
        ],
        outputs: [{ name: "out" }],
        initializers: { w: { shape: [4, 3], data: wave(12) } },
        nodes: [
          { op: "LSTM", inputs: ["tokens"], outputs: ["a"] },
          { op: "Einsum", domain: "com.example", inputs: ["a"], outputs: ["b"] },
          { op: "If", inputs: ["b"], outputs: ["out"], attributes: { then_branch: { graph: onnxGraph(dense) } } },
          { op: "LSTM", inputs: ["a"], outputs: ["c"] },
        ],
      }),
    );
    expect(inspection).toEqual({
      opset: 15,
      producer: "",
      inputs: [{ name: "tokens", dtype: "int64", shape: ["n", "length", null, 3] }],
      outputs: [{ name: "out", dtype: "float32", shape: undefined }],
      operators: [
        { op: "LSTM", count: 2 },
        { op: "If", count: 1 },
        { op: "MatMul", count: 1 },
        { op: "com.example::Einsum", count: 1 },
      ],
      weightsBytes: 96,
    });
  });
});

describe("damaged files", () => {
  const valid = onnxFile({
    inputs: [{ name: "x", shape: ["batch", 1, 6, 6] }],
    outputs: [{ name: "out" }],
    initializers: {
      w: { shape: [2, 1, 3, 3], data: wave(18) },
      s: { dtype: "int64", shape: [2], data: [0, -1] },
      p: { dtype: "int64", shape: [8], data: [0, 0, 1, 1, 0, 0, 1, 1] },
    },
    nodes: [
      { op: "Pad", inputs: ["x", "p"], outputs: ["a"], attributes: { mode: "reflect" } },
      { op: "Conv", inputs: ["a", "w"], outputs: ["b"], attributes: { strides: [2, 2], kernel_shape: [3, 3] } },
      { op: "AveragePool", inputs: ["b"], outputs: ["c"], attributes: { kernel_shape: [2, 2] } },
      { op: "Reshape", inputs: ["c", "s"], outputs: ["d"] },
      { op: "Split", inputs: ["d"], outputs: ["e", "f"], attributes: { axis: 1 } },
      { op: "Softmax", inputs: ["e"], outputs: ["out"] },
    ],
  });

  const survives = (bytes: Uint8Array) => {
    try {
      importOnnx(bytes);
    } catch (error) {
      if (!isFluxError(error)) throw error;
    }
  };

  test("every prefix of a model is refused or read, never a crash", () => {
    for (let length = 0; length <= valid.length; length++) survives(valid.slice(0, length));
  });

  test("any changed bytes are refused or read, never a crash", () => {
    const change = fc.record({
      at: fc.integer({ min: 0, max: valid.length - 1 }),
      value: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = valid.slice();
        for (const { at, value } of changes) bytes[at] = value;
        survives(bytes);
      }),
      { numRuns: 1500 },
    );
  });
});
