/**
 * ONNX files of one matrix product, written by hand: `C[m,n] = A[m,k] · B[k,n]`, float32 (MatMul) or int8 (MatMulInteger
 * with int32 sums). Field numbers: onnx.proto3; wire format: protobuf encoding, varints and length-delimited fields only.
 */

const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6 } as const;
type Element = keyof typeof ELEMENT;

export interface GemmShape {
  m: number;
  k: number;
  n: number;
}

export function gemmModel(kind: "float32" | "int8", { m, k, n }: GemmShape): Uint8Array<ArrayBuffer> {
  const integer = kind === "int8";
  const graph = message(
    [1, message([1, "A"], [1, "B"], [2, "C"], [4, integer ? "MatMulInteger" : "MatMul"])],
    [2, "gemm"],
    [11, tensor("A", integer ? "uint8" : "float32", m, k)],
    [11, tensor("B", integer ? "int8" : "float32", k, n)],
    [12, tensor("C", integer ? "int32" : "float32", m, n)],
  );
  // IR version 8 and opset 13 are read by every onnxruntime of the last years.
  return Uint8Array.from(message([1, 8], [8, message([1, ""], [2, 13])], [7, graph]));
}

/** ValueInfoProto: a name and a fixed shape. */
function tensor(name: string, element: Element, rows: number, columns: number): number[] {
  const shape = message([1, message([1, rows])], [1, message([1, columns])]);
  return message([1, name], [2, message([1, message([1, ELEMENT[element]], [2, shape])])]);
}

type Field = [number: number, value: number | string | readonly number[]];

function message(...fields: readonly Field[]): number[] {
  return fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [...varint(number << 3), ...varint(value)];
    const bytes = typeof value === "string" ? Array.from(new TextEncoder().encode(value)) : value;
    return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes];
  });
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return [...bytes, rest];
}
