/** Records of a normalised dataset as the key-holder reads them: all model inputs of a record, flattened, one after another. */
import { elementsPerRecord } from "../protocol/tensors.ts";
import type { InputBinding } from "./bind.ts";
import type { DatasetReader } from "./reader.ts";

export interface FlatRecords {
  readonly count: number;
  /** Values of a record. */
  readonly features: number;
  /** `[count, features]` */
  read(start: number, count: number): Promise<Float64Array>;
}

export function flatRecords(reader: DatasetReader, bindings: readonly InputBinding[]): FlatRecords {
  const widths = bindings.map(({ model }) => elementsPerRecord(model));
  const features = widths.reduce((sum, width) => sum + width, 0);

  async function read(start: number, count: number): Promise<Float64Array> {
    const records = new Float64Array(count * features);
    let first = 0;
    for (const [index, binding] of bindings.entries()) {
      const width = widths[index] ?? 0;
      const values = await reader.readInput(binding, start, count);
      for (let record = 0; record < count; record++) {
        for (let i = 0; i < width; i++) records[record * features + first + i] = Number(values[record * width + i]);
      }
      first += width;
    }
    return records;
  }

  return { count: reader.description.records, features, read };
}
