/** onnxruntime-web as the tests' yardstick: one file imports it. */
import * as ort from "onnxruntime-web/wasm";
import type { DType, GraphPort } from "#lib/model/graph.ts";
import { elementCount, withBatch } from "#lib/model/graph.ts";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "fatal";

/** Runs a model file; outputs by name as doubles. */
export async function runOrt(
  model: Uint8Array,
  inputs: readonly Pick<GraphPort, "name" | "dtype" | "shape">[],
  feeds: { readonly records: number; readonly inputs: ReadonlyMap<string, ArrayLike<number>> },
): Promise<Map<string, { shape: readonly number[]; data: Float64Array }>> {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
  try {
    const tensors = inputs.map((input) => {
      const shape = withBatch(input.shape, feeds.records);
      return [input.name, ortTensor(feeds.inputs.get(input.name)!, input.dtype, shape)] as const;
    });
    const results = await session.run(Object.fromEntries(tensors));
    return new Map(
      session.outputNames.map((name) => {
        const { dims, data } = results[name]!;
        return [name, { shape: dims, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) }];
      }),
    );
  } finally {
    await session.release();
  }
}

function ortTensor(values: ArrayLike<number>, dtype: DType, shape: readonly number[]): ort.Tensor {
  if (values.length !== elementCount(shape)) throw new Error(`${values.length} values for [${shape}]`);
  switch (dtype) {
    case "float32":
      return new ort.Tensor("float32", Float32Array.from(values), shape);
    case "uint8":
      return new ort.Tensor("uint8", Uint8Array.from(values), shape);
    case "int32":
      return new ort.Tensor("int32", Int32Array.from(values), shape);
    case "int64":
      return new ort.Tensor("int64", BigInt64Array.from(Array.from(values, BigInt)), shape);
    default:
      throw new Error(`The tests do not feed ${dtype}`);
  }
}

/** The largest difference relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let scale = 1e-30;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    if (Number.isNaN(actual[i]!) !== Number.isNaN(expected[i]!)) return Number.POSITIVE_INFINITY;
  }
  return actual.length === expected.length ? worst / Math.max(1, scale) : Number.POSITIVE_INFINITY;
}
