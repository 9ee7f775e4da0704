/** The smallest model that can be checked by hand: y = x·W, as an ONNX file, and records for it. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "#lib/model/onnx/generated/onnx_pb.ts";

const FLOAT = 1;

/** A model whose weights are the given initializer, well-formed or not. `[batch, inputs]` → `[batch, outputs]`. */
export function modelWithWeights(
  initializer: Partial<TensorProto>,
  inputs: number,
  outputs: number,
): Uint8Array<ArrayBuffer> {
  const { $typeName: _name, $unknown: _unknown, ...fields } = { ...create(TensorProtoSchema), ...initializer };
  const model = create(ModelProtoSchema, {
    irVersion: 9n,
    opsetImport: [{ domain: "", version: 17n }],
    graph: create(GraphProtoSchema, {
      name: "linear",
      node: [{ opType: "MatMul", name: "product", input: ["x", "w"], output: ["y"] }],
      initializer: [create(TensorProtoSchema, fields)],
      input: [port("x", inputs)],
      output: [port("y", outputs)],
    }),
  });
  return new Uint8Array(toBinary(ModelProtoSchema, model));
}

/** @param weights `[inputs, outputs]`, row-major */
export function linearModel(weights: Float32Array<ArrayBuffer>, inputs: number): Uint8Array<ArrayBuffer> {
  const outputs = weights.length / inputs;
  const dims = [BigInt(inputs), BigInt(outputs)];
  return modelWithWeights(
    { name: "w", dims, dataType: FLOAT, rawData: new Uint8Array(weights.buffer) },
    inputs,
    outputs,
  );
}

/** Record r of `csvRecords`, value i: a fixed scatter of small numbers that float32 holds exactly. */
export function recordValue(record: number, value: number): number {
  return ((record * 7 + value * 3) % 17) / 4 - 2;
}

export function csvRecords(records: number, inputs: number): Uint8Array<ArrayBuffer> {
  const names = Array.from({ length: inputs }, (_, i) => `f${i}`).join(",");
  const rows = Array.from({ length: records }, (_, record) =>
    Array.from({ length: inputs }, (_, i) => recordValue(record, i)).join(","),
  );
  return new TextEncoder().encode(`${names}\n${rows.join("\n")}\n`);
}

/** What the model gives for record `record` of `csvRecords`. */
export function linearAnswer(weights: Float32Array, inputs: number, record: number): number[] {
  const outputs = weights.length / inputs;
  return Array.from({ length: outputs }, (_, output) => {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += recordValue(record, i) * weights[i * outputs + output]!;
    return sum;
  });
}

function port(name: string, width: number) {
  const dim = [
    { value: { case: "dimParam" as const, value: "batch" } },
    { value: { case: "dimValue" as const, value: BigInt(width) } },
  ];
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: FLOAT, shape: { dim } } } },
  });
}
