/** Results in the formats that people ask for, as streams of bytes. */

import { numpyResults } from "./numpy.ts";
import { parquetResults } from "./parquet.ts";
import type { ResultSource } from "./source.ts";
import { csvResults, jsonlResults, jsonResults } from "./text.ts";

export type { ResultChunk, ResultSource } from "./source.ts";

export const RESULT_FORMATS = ["json", "csv", "jsonl", "npy", "parquet"] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

export interface ResultFile {
  readonly contentType: string;
  /** Of a file name, with the dot: several outputs make an .npz of "npy". */
  readonly extension: string;
  readonly bytes: AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

export function resultFile(format: ResultFormat, source: ResultSource): ResultFile {
  switch (format) {
    case "json":
      return { contentType: "application/json", extension: ".json", bytes: jsonResults(source) };
    case "jsonl":
      return { contentType: "application/jsonl", extension: ".jsonl", bytes: jsonlResults(source) };
    case "csv":
      return { contentType: "text/csv; charset=utf-8", extension: ".csv", bytes: csvResults(source) };
    case "npy":
      return {
        contentType: "application/octet-stream",
        extension: source.outputs.length === 1 ? ".npy" : ".npz",
        bytes: numpyResults(source),
      };
    case "parquet":
      return { contentType: "application/vnd.apache.parquet", extension: ".parquet", bytes: parquetResults(source) };
  }
}
