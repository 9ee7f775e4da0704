/**
 * SavedModels and frozen graphs built to TensorFlow's format (files written by TensorFlow itself are not at hand): the graph,
 * functions, signature, variables from the checkpoint, against the same network computed by hand.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "#lib/model/evaluate.ts";
import type { Graph, Tensor } from "#lib/model/graph.ts";
import { openCheckpoint } from "#lib/model/tensorflow/checkpoint.ts";
import { AttrValueSchema, GraphDefSchema, SavedModelSchema } from "#lib/model/tensorflow/generated/tensorflow_pb.ts";
import { importFrozenGraph } from "#lib/model/tensorflow/graph-def.ts";
import { importSavedModel } from "#lib/model/tensorflow/saved-model.ts";
import { type ErrorCode, isFluxError } from "#lib/protocol/errors.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";
import { wave } from "../onnx/model-file.ts";
import { relativeError } from "../ort.ts";
import { checkpointFiles, FLOAT_TYPE, type NodeInit, shapeProto, textAttr } from "./saved-files.ts";

const kernel: Tensor = { shape: [4, 3], data: wave(12, 1) };
const bias: Tensor = { shape: [3], data: wave(3, 2) };
const variables = new Map([
  ["dense/kernel", kernel],
  ["dense/bias", bias],
]);

const placeholder = (name: string): NodeInit => ({
  name,
  op: "Placeholder",
  attr: { dtype: FLOAT_TYPE, shape: create(AttrValueSchema, { value: { case: "shape", value: shapeProto([-1, 4]) } }) },
});
const handle = (name: string): NodeInit => ({ name, op: "VarHandleOp", attr: { shared_name: textAttr(name) } });
const call = (name: string, fn: string, input: string[]): NodeInit => ({
  name,
  op: "StatefulPartitionedCall",
  input,
  attr: { f: create(AttrValueSchema, { value: { case: "func", value: { name: fn } } }) },
});
const info = (name: string, shape: readonly number[]) => ({ name, dtype: 1, tensorShape: shapeProto(shape) });

/** As Keras exports a dense layer: the serving function calls the wrapped one, which reads the variables. */
function denseModel(change: { readonly depth?: number; readonly signature?: string; readonly dead?: NodeInit } = {}) {
  const body: NodeInit[] = [
    { name: "MatMul/ReadVariableOp", op: "ReadVariableOp", input: ["kernel"], attr: { dtype: FLOAT_TYPE } },
    { name: "MatMul", op: "MatMul", input: ["x", "MatMul/ReadVariableOp:value:0"], attr: { T: FLOAT_TYPE } },
    { name: "BiasAdd/ReadVariableOp", op: "ReadVariableOp", input: ["bias"], attr: { dtype: FLOAT_TYPE } },
    {
      name: "BiasAdd",
      op: "BiasAdd",
      input: ["MatMul:product:0", "BiasAdd/ReadVariableOp:value:0"],
      attr: { T: FLOAT_TYPE },
    },
    { name: "Relu", op: "Relu", input: ["BiasAdd:output:0", "^NoOp"], attr: { T: FLOAT_TYPE } },
    { name: "NoOp", op: "NoOp" },
  ];
  const signature = (name: string) => ({
    name,
    inputArg: ["x", "kernel", "bias"].map((argument) => ({ name: argument })),
    outputArg: [{ name: "result" }],
  });
  const functions = [
    { signature: signature("__inference_dense"), nodeDef: body, ret: { result: "Relu:activations:0" } },
    ...Array.from({ length: change.depth ?? 1 }, (_, level) => ({
      signature: signature(`wrapper${level}`),
      nodeDef: [call("call", level === 0 ? "__inference_dense" : `wrapper${level - 1}`, ["x", "kernel", "bias"])],
      ret: { result: "call:output:0" },
    })),
  ];
  const saved = create(SavedModelSchema, {
    savedModelSchemaVersion: 1n,
    metaGraphs: [
      {
        metaInfoDef: { tags: ["serve"], tensorflowVersion: "2.15.0" },
        graphDef: {
          node: [
            placeholder("serving_default_x"),
            handle("dense/kernel"),
            handle("dense/bias"),
            call("StatefulPartitionedCall", `wrapper${(change.depth ?? 1) - 1}`, [
              "serving_default_x",
              "dense/kernel",
              "dense/bias",
            ]),
            ...(change.dead ? [change.dead] : []),
          ],
          library: { function: functions },
        },
        signatureDef: {
          __saved_model_init_op: { outputs: { op: info("NoOp", []) } },
          [change.signature ?? "serving_default"]: {
            inputs: { x: info("serving_default_x:0", [-1, 4]) },
            outputs: { scores: info("StatefulPartitionedCall:0", [-1, 3]) },
          },
        },
      },
    ],
  });
  return toBinary(SavedModelSchema, saved);
}

function filesOf(pb: Uint8Array, folder = ""): ReadonlyMap<string, Uint8Array> {
  const checkpoint = [...checkpointFiles(variables)].map(([name, bytes]) => [`${folder}${name}`, bytes] as const);
  return new Map([[`${folder}saved_model.pb`, pb], ...checkpoint]);
}

/** relu(x·kernel + bias), by hand. */
function expected(x: ArrayLike<number>): number[] {
  return [0, 1].flatMap((record) =>
    [0, 1, 2].map((column) => {
      let sum = bias.data[column]!;
      for (let k = 0; k < 4; k++) sum += x[record * 4 + k]! * kernel.data[k * 3 + column]!;
      return Math.max(0, sum);
    }),
  );
}

function expectDense(graph: Graph, input: string, output: string): void {
  const x = wave(8, 9);
  const actual = evaluate(graph, { records: 2, inputs: new Map([[input, x]]) }).get(output)!;
  expect(actual.shape).toEqual([2, 3]);
  expect(relativeError(actual.data, expected(x))).toBeLessThan(1e-6);
}

describe("SavedModel", () => {
  test("variables, nested functions and the default signature", () => {
    expectDense(importSavedModel(filesOf(denseModel())), "x", "scores");
    expectDense(importSavedModel(filesOf(denseModel({ depth: 5 }))), "x", "scores");
  });

  test("in a folder, as a zip of it unpacks; with the only signature under another name", () => {
    expectDense(importSavedModel(filesOf(denseModel({ signature: "predict" }), "my_model/")), "x", "scores");
  });

  test("nodes that the outputs do not need may be anything", () => {
    const dead = { name: "save/RestoreV2", op: "RestoreV2", input: ["nowhere"] };
    expectDense(importSavedModel(filesOf(denseModel({ dead }))), "x", "scores");
  });
});

const content = (tensor: Tensor) => new Uint8Array(Float32Array.from(tensor.data).buffer);
const constant = (name: string, tensor: Tensor): NodeInit => ({
  name,
  op: "Const",
  attr: {
    dtype: FLOAT_TYPE,
    value: create(AttrValueSchema, {
      value: {
        case: "tensor",
        value: { dtype: 1, tensorShape: shapeProto(tensor.shape), tensorContent: content(tensor) },
      },
    }),
  },
});

function frozen(...nodes: readonly NodeInit[]): Uint8Array {
  return toBinary(GraphDefSchema, create(GraphDefSchema, { node: [...nodes] }));
}

describe("frozen graph", () => {
  test("Placeholders are inputs, and what nothing reads is the output", () => {
    const graph = importFrozenGraph(
      frozen(
        constant("w", kernel),
        constant("b", bias),
        placeholder("x"),
        { name: "product", op: "MatMul", input: ["x", "w"], attr: { T: FLOAT_TYPE } },
        { name: "sum", op: "BiasAdd", input: ["product", "b"], attr: { T: FLOAT_TYPE } },
        { name: "scores", op: "Relu", input: ["sum"], attr: { T: FLOAT_TYPE } },
      ),
    );
    expectDense(graph, "x", "scores");
  });

  test("one number in a list stands for the whole constant", () => {
    const attr = {
      dtype: FLOAT_TYPE,
      value: create(AttrValueSchema, {
        value: { case: "tensor", value: { dtype: 1, tensorShape: shapeProto([4]), floatVal: [1, 2] } },
      }),
    };
    const graph = importFrozenGraph(
      frozen({ name: "c", op: "Const", attr }, placeholder("x"), {
        name: "out",
        op: "Add",
        input: ["x", "c"],
        attr: { T: FLOAT_TYPE },
      }),
    );
    const { data } = evaluate(graph, { records: 1, inputs: new Map([["x", [0, 0, 0, 0]]]) }).get("out")!;
    expect([...data]).toEqual([1, 2, 2, 2]);
  });
});

/** Functions that each call the next one twice: 2^40 nodes if nothing stopped it. */
function explodingModel(): Uint8Array {
  const signature = (name: string) => ({ name, inputArg: [{ name: "x" }], outputArg: [{ name: "y" }] });
  const functions = Array.from({ length: 30 }, (_, level) => ({
    signature: signature(`f${level}`),
    nodeDef:
      level === 0
        ? [{ name: "last", op: "Neg", input: ["x"], attr: { T: FLOAT_TYPE } }]
        : [call("first", `f${level - 1}`, ["x"]), call("last", `f${level - 1}`, ["first:output:0"])],
    ret: { y: "last:output:0" },
  }));
  const node = [placeholder("x"), call("out", "f29", ["x"])];
  return toBinary(GraphDefSchema, create(GraphDefSchema, { node, library: { function: functions } }));
}

const refusals: readonly {
  readonly name: string;
  readonly run: () => unknown;
  readonly code: ErrorCode;
  readonly says: RegExp;
}[] = [
  {
    name: "no saved_model.pb",
    run: () => importSavedModel(new Map()),
    code: "model_unreadable",
    says: /saved_model\.pb/,
  },
  {
    name: "missing variables",
    run: () => importSavedModel(new Map([["saved_model.pb", denseModel()]])),
    code: "model_invalid",
    says: /variable "dense\/(kernel|bias)" is not in the checkpoint/,
  },
  {
    name: "a missing shard",
    run: () => importSavedModel(new Map([...filesOf(denseModel())].filter(([name]) => !name.includes("data-")))),
    code: "model_unreadable",
    says: /shard 0 of 1 is missing/,
  },
  {
    name: "a shard cut short",
    run: () =>
      importSavedModel(
        new Map(
          [...filesOf(denseModel())].map(([name, bytes]) => [name, name.includes("data-") ? bytes.slice(0, 8) : bytes]),
        ),
      ),
    code: "model_unreadable",
    says: /outside its shard/,
  },
  {
    name: "functions too deep",
    run: () => importSavedModel(filesOf(denseModel({ depth: 60 }))),
    code: "model_too_large",
    says: /deeper/,
  },
  {
    name: "functions that explode",
    run: () => importFrozenGraph(explodingModel()),
    code: "model_too_large",
    says: /more than/,
  },
  {
    name: "an empty graph",
    run: () => importFrozenGraph(new Uint8Array(0)),
    code: "model_unreadable",
    says: /no nodes/,
  },
  {
    name: "a graph without data",
    run: () => importFrozenGraph(frozen(constant("w", kernel))),
    code: "model_unsupported",
    says: /no Placeholder/,
  },
  {
    name: "a constant repeated without end",
    run: () => {
      const tensor = { dtype: 1, tensorShape: shapeProto([100_000_000]), floatVal: [1] };
      const value = create(AttrValueSchema, { value: { case: "tensor", value: tensor } });
      return importFrozenGraph(
        frozen({ name: "c", op: "Const", attr: { dtype: FLOAT_TYPE, value } }, placeholder("x"), {
          name: "out",
          op: "Add",
          input: ["x", "c"],
        }),
      );
    },
    code: "model_too_large",
    says: /repeats a number/,
  },
];

describe("refused", () => {
  test.each(refusals.map((refusal) => [refusal.name, refusal] as const))("%s", (_, { run, code, says }) => {
    const before = cpuMs();
    try {
      run();
    } catch (error) {
      if (!isFluxError(error)) throw error;
      expect({ code: error.code, detail: error.detail }).toEqual({ code, detail: expect.stringMatching(says) });
      expect(cpuMs() - before).toBeLessThan(2000);
      return;
    }
    throw new Error("was accepted");
  });

  test("changed bytes anywhere are refused or read, never a crash", () => {
    const files = filesOf(denseModel());
    const names = [...files.keys()];
    const change = fc.record({
      file: fc.constantFrom(...names),
      at: fc.nat(),
      value: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = new Map([...files].map(([name, bytes]) => [name, bytes.slice()]));
        for (const { file, at, value } of changes) {
          const bytes = damaged.get(file)!;
          bytes[at % bytes.length] = value;
        }
        try {
          importSavedModel(damaged);
        } catch (error) {
          if (!isFluxError(error)) throw error;
        }
      }),
      { numRuns: 800 },
    );
  });
});

describe("checkpoint", () => {
  test("every variable by its name and by its key, over both blocks of the table", () => {
    const many = new Map(
      Array.from({ length: 11 }, (_, i) => [`layer_${i}/kernel`, { shape: [2], data: Float32Array.of(i, -i) }]),
    );
    const files = checkpointFiles(many);
    const checkpoint = openCheckpoint(files.get("variables/variables.index")!, () =>
      files.get("variables/variables.data-00000-of-00001"),
    );
    for (const [name, tensor] of many) expect(checkpoint(name)).toEqual(tensor);
    expect(checkpoint("layer_with_weights-3/kernel/.ATTRIBUTES/VARIABLE_VALUE")?.data).toEqual(Float32Array.of(3, -3));
    expect(checkpoint("nothing")).toBeUndefined();
  });
});
