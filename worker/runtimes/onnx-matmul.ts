/**
 * One-node ONNX models, written byte by byte: onnxruntime takes an operator only from a model file.
 *
 * For MatMulInteger on WASM the weights are a constant of the model, so that they are packed for the kernel when the session opens
 * (as a constant right operand 31–37 G multiply-adds/s on one thread; as the left operand 3). For float32 MatMul on WebGPU they
 * are an input: nothing is packed there, and one session serves every matrix (opening one took 0.2 s on a software adapter).
 *
 * Field numbers: onnx/onnx.proto3 (ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto); IR 8, opset 13.
 */

/** TensorProto.DataType */
const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6 } as const;
type Element = keyof typeof ELEMENT;

/** Names of the models' inputs and output. */
export const MATMUL = { left: "a", weights: "w", output: "y" } as const;

/** uint8 `[rows, k]` × constant int8 `[k, m]` → int32 `[rows, m]` (MatMulInteger). */
export function integerMatMulModel(weights: Int8Array, k: number, m: number): Uint8Array<ArrayBuffer> {
  const constant = join(
    varint(1, k),
    varint(1, m),
    varint(2, ELEMENT.int8),
    text(8, MATMUL.weights),
    field(9, new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)),
  );
  return modelOf(
    "MatMulInteger",
    field(5, constant),
    field(11, tensorInfo(MATMUL.left, "uint8", ["rows", k])),
    field(12, tensorInfo(MATMUL.output, "int32", ["rows", m])),
  );
}

/** float32 `[rows, k]` × float32 `[k, m]` → float32 `[rows, m]` (MatMul), all sizes free. */
export function floatMatMulModel(): Uint8Array<ArrayBuffer> {
  return modelOf(
    "MatMul",
    field(11, tensorInfo(MATMUL.left, "float32", ["rows", "k"])),
    field(11, tensorInfo(MATMUL.weights, "float32", ["k", "m"])),
    field(12, tensorInfo(MATMUL.output, "float32", ["rows", "m"])),
  );
}

/** A model whose graph is one node of two inputs; `parts` are the graph's initializers, inputs and outputs. */
function modelOf(operator: string, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const node = join(text(1, MATMUL.left), text(1, MATMUL.weights), text(2, MATMUL.output), text(4, operator));
  const graph = join(field(1, node), text(2, "product"), ...parts);
  return join(varint(1, 8), field(7, graph), field(8, join(text(1, ""), varint(2, 13))));
}

/** Sizes are numbers, or names of free sizes. */
function tensorInfo(name: string, element: Element, sizes: readonly (number | string)[]): Uint8Array {
  const dimensions = sizes.map((size) => field(1, typeof size === "number" ? varint(1, size) : text(2, size)));
  const tensor = join(varint(1, ELEMENT[element]), field(2, join(...dimensions)));
  return join(text(1, name), field(2, field(1, tensor)));
}

// ---- protobuf wire format -----------------------------------------------------------------------------------------

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

const varint = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varintBytes(number * 8), ...varintBytes(value)]);

const field = (number: number, content: Uint8Array): Uint8Array =>
  join(Uint8Array.from([...varintBytes(number * 8 + 2), ...varintBytes(content.length)]), content);

const text = (number: number, value: string): Uint8Array => field(number, new TextEncoder().encode(value));

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
