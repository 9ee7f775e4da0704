/** Results as they leave Flux: one row of outputs per record, in dataset order, with the dataset's id column. */
import type { Recipe } from "../../protocol/api/recipe.ts";
import type { RecordTensor } from "../../protocol/tensors.ts";

export interface ResultChunk {
  /** Record number of the first row. */
  readonly start: number;
  /** The id column's values; null where the dataset has none. */
  readonly ids: readonly string[] | null;
  /** Per output `[count, ...shape]`, row-major, as float32: what donors send (lib/protocol/stage.ts). NaN where there is no result. */
  readonly outputs: readonly Float32Array[];
}

export interface ResultSource {
  readonly records: number;
  /** `dtype` is the model's: integers and bools are written as such. */
  readonly outputs: readonly RecordTensor[];
  /** Name of the id column; null where there is none. */
  readonly idName: string | null;
  /** What the results were made of; written where the format has a place for it (JSON, Parquet). */
  readonly recipe?: Recipe;
  /** In record order, without gaps; some thousand records each. Can be called again. */
  chunks(): AsyncIterable<ResultChunk>;
}

export function chunkRecords(source: ResultSource, chunk: ResultChunk): number {
  const [output] = source.outputs;
  return output === undefined ? 0 : chunk.outputs[0]!.length / output.shape.reduce((n, d) => n * d, 1);
}
