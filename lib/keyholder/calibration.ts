/** What a plan is made from: some records of the whole dataset, and every value's range. */
import type { CalibrationRecords } from "#lib/lanes/compile/compile.ts";

/** Records by range, flattened: `[count, features]`. */
export interface RecordSource {
  readonly count: number;
  readonly features: number;
  read(start: number, count: number): Promise<Float64Array>;
}

/** Records that the compiler looks at; more would not change its choices. */
const CALIBRATION_RECORDS = 4096;
/** Values looked at for their range: beyond it, calibration records alone tell the range. */
const RANGE_VALUES = 2 ** 28;
const CHUNK_RECORDS = 1024;

/** Evenly spread over the dataset. */
export async function calibrationRecords(records: RecordSource): Promise<CalibrationRecords> {
  const rows = Math.min(CALIBRATION_RECORDS, records.count);
  const data = new Float64Array(rows * records.features);
  const chunks = Math.ceil(rows / CHUNK_RECORDS);
  for (let chunk = 0, row = 0; chunk < chunks; chunk++) {
    const count = Math.min(CHUNK_RECORDS, rows - row);
    const start = Math.floor((chunk * (records.count - count)) / Math.max(1, chunks - 1));
    data.set(await records.read(start, count), row * records.features);
    row += count;
  }
  return { rows, features: records.features, data };
}

/** Every value's range over the whole dataset; null where that would take too long to look at. */
export async function rangesOf(records: RecordSource): Promise<{ low: Float64Array; high: Float64Array } | null> {
  const { features } = records;
  if (records.count * features > RANGE_VALUES) return null;
  const low = new Float64Array(features).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(features).fill(Number.NEGATIVE_INFINITY);
  for (let start = 0; start < records.count; start += CHUNK_RECORDS) {
    const values = await records.read(start, Math.min(CHUNK_RECORDS, records.count - start));
    for (let i = 0; i < values.length; i++) {
      const feature = i % features;
      const value = values[i]!;
      if (value < low[feature]!) low[feature] = value;
      if (value > high[feature]!) high[feature] = value;
    }
  }
  return { low, high };
}

/**
 * Ranges widened to coarse steps (a sixteenth of their width, or of their size where they have none), for key-holders whose
 * programs are read by others: a program's first biases hold the middle of every range, and with few records the exact ends are records.
 */
export function coarseRanges({ low, high }: { readonly low: ArrayLike<number>; readonly high: ArrayLike<number> }): {
  low: Float64Array;
  high: Float64Array;
} {
  const coarse = { low: Float64Array.from(low), high: Float64Array.from(high) };
  for (let i = 0; i < low.length; i++) {
    const [from, to] = [coarse.low[i]!, coarse.high[i]!];
    const size = to > from ? to - from : Math.abs(to);
    if (size === 0) continue;
    const step = 2 ** (Math.ceil(Math.log2(size)) - 4);
    coarse.low[i] = Math.floor(from / step) * step;
    coarse.high[i] = Math.ceil(to / step) * step;
    if (coarse.low[i] === coarse.high[i]) coarse.high[i]! += step;
  }
  return coarse;
}
