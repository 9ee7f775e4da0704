/** A small network that encrypts well, and records for it: encrypted jobs of some seconds. */

import { GraphBuilder } from "#lib/model/builder.ts";
import { BATCH, type Graph } from "#lib/model/graph.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";

export const FEATURES = 24;
export const CLASSES = 5;
const HIDDEN = 12;

/** dense 24 → 12, square, dense 12 → 5 */
export function smallModel(): { readonly graph: Graph; readonly bytes: Uint8Array<ArrayBuffer> } {
  const builder = new GraphBuilder("small");
  const x = builder.input("x", [BATCH, FEATURES]);
  const dense = (input: typeof x, rows: number, columns: number, name: string) =>
    builder.add({
      op: "gemm",
      a: input,
      b: builder.constant(`${name}.w`, {
        shape: [rows, columns],
        data: values(rows * columns, rows).map((v) => v / Math.sqrt(rows)),
      }),
      c: builder.constant(`${name}.b`, { shape: [columns], data: values(columns, columns).map((v) => v / 4) }),
      alpha: 1,
      beta: 1,
      transA: false,
      transB: false,
      name,
      source: "Gemm",
    });
  const hidden = dense(x, FEATURES, HIDDEN, "first");
  const squared = builder.add({ op: "mul", a: hidden, b: hidden, name: "square", source: "Mul" });
  builder.output("logits", dense(squared, HIDDEN, CLASSES, "second"));
  const graph = builder.build();
  return { graph, bytes: Uint8Array.from(writeOnnx(graph)) };
}

/** `[records, FEATURES]`, −1..1 */
export function smallRecords(records: number, seed = 7): Float32Array<ArrayBuffer> {
  return Float32Array.from(values(records * FEATURES, seed));
}

/** NPY 1.0, little-endian float32. */
export function npyFloat32(data: Float32Array<ArrayBuffer>, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const header = `${literal.padEnd(128 - 10 - 1)}\n`;
  const bytes = new Uint8Array(128 + data.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 128);
  return bytes;
}

function values(count: number, seed: number): Float64Array {
  let state = (seed * 2_654_435_761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
