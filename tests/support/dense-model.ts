/** A network of two dense layers with ReLU, as large as a test wants, and records for it. */
import { GraphBuilder } from "#lib/model/builder.ts";
import { BATCH } from "#lib/model/graph.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";

export interface DenseShape {
  features: number;
  hidden: number;
  classes: number;
}

export function denseModel({ features, hidden, classes }: DenseShape): Uint8Array<ArrayBuffer> {
  const builder = new GraphBuilder("dense");
  const x = builder.input("x", [BATCH, features]);
  const layer = (input: typeof x, rows: number, columns: number, name: string) =>
    builder.add({
      op: "gemm",
      a: input,
      b: builder.constant(`${name}.w`, { shape: [rows, columns], data: noise(rows * columns, rows) }),
      c: builder.constant(`${name}.b`, { shape: [columns], data: noise(columns, 7) }),
      alpha: 1,
      beta: 1,
      transA: false,
      transB: false,
      name,
      source: "Gemm",
    });
  const relu = builder.add({
    op: "relu",
    x: layer(x, features, hidden, "first"),
    name: "relu",
    source: "Relu",
  });
  builder.output("y", layer(relu, hidden, classes, "second"));
  return Uint8Array.from(writeOnnx(builder.build()));
}

/** `[records, ...shape]` bytes as an NPY 1.0 file. */
export function byteRecords(records: number, ...shape: number[]): Uint8Array<ArrayBuffer> {
  const features = shape.reduce((product, side) => product * side, 1);
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${[records, ...shape].join(", ")}), }`;
  const header = `${literal.padEnd(128 - 10 - 1)}\n`;
  const file = new Uint8Array(128 + records * features);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  file.set(new TextEncoder().encode(header), 10);
  for (let i = 0; i < records * features; i++) file[128 + i] = (i * 31 + (i >> 7)) & 255;
  return file;
}

function noise(count: number, seed: number): Float64Array {
  let state = (seed * 2_654_435_761) >>> 0;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) / 16;
  });
}
