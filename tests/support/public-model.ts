/** A small network with an unstable output beside a stable one, its records, and what an exact evaluation makes of them. */
import { GraphBuilder } from "#lib/model/builder.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { BATCH, type Graph } from "#lib/model/graph.ts";

export const FEATURES = 20;
export const CLASSES = 6;
/** Output values of one record: the probabilities and the label. */
export const WIDTH = CLASSES + 1;

/** Deterministic numbers in −1..1 (Numerical Recipes' generator). */
export function numbers(count: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** `x` [batch, 20] → `p` [batch, 6], and `label` [batch], which jumps where two classes tie. */
export function publicModel(): Graph {
  const builder = new GraphBuilder("net");
  const x = builder.input("x", [BATCH, FEATURES]);
  const dense = (input: typeof x, rows: number, columns: number, name: string) =>
    builder.add({
      op: "matMul",
      a: input,
      b: builder.constant(`${name}w`, { shape: [rows, columns], data: numbers(rows * columns, rows + columns) }),
      name,
      source: "MatMul",
    });
  const hidden = builder.add({ op: "relu", x: dense(x, FEATURES, 16, "a"), name: "r", source: "Relu" });
  const logits = dense(hidden, 16, CLASSES, "b");
  builder.output("p", builder.add({ op: "softmax", x: logits, axis: 1, name: "s", source: "Softmax" }));
  const argMax = { op: "argMax", x: logits, axis: 1, keepDims: false, selectLast: false } as const;
  builder.output("label", builder.add({ ...argMax, name: "m", source: "ArgMax" }));
  return builder.build();
}

/** A result of `records` records, in double precision rounded once: hardware that is unlike anybody's. */
export function exactResult(graph: Graph, inputs: Float32Array, records: number): Float32Array<ArrayBuffer> {
  const outputs = evaluate(graph, { records, inputs: new Map([["x", Float64Array.from(inputs)]]) });
  const result = new Float32Array(records * WIDTH);
  result.set(Float32Array.from(outputs.get("p")!.data));
  result.set(Float32Array.from(outputs.get("label")!.data), records * CLASSES);
  return result;
}
