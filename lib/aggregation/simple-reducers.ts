/** The reducers without parameters: each turns a record's segments into one distribution (or value) a record. */
import { type AggregationSet, logSumExp } from "./aggregation-set.ts";

export type SimpleReducer = "concat" | "mean" | "vote" | "max";

/**
 * Applies a reducer to every record.
 * - `concat`: the record's one segment as it is (the first, where there are more)
 * - `mean`: arithmetic mean of probabilities (or values)
 * - `vote`: share of segments whose most probable class it is, smoothed by ½ a vote so that no class is impossible
 * - `max`: the segment that is surest of its answer (regression: the largest value)
 * @returns `[records, classes]` log-probabilities (values for regression)
 */
export function reduceSimple(set: AggregationSet, reducer: SimpleReducer): Float64Array {
  const result = new Float64Array(set.records * set.classes);
  for (let r = 0; r < set.records; r++) {
    const rows = segmentRows(set, r);
    const target = result.subarray(r * set.classes, (r + 1) * set.classes);
    if (set.task === "regression") reduceValues(rows, target, reducer);
    else reduceDistributions(rows, target, reducer);
  }
  return result;
}

/** Keeps only one member's segment of every record. @returns `[records, classes]` */
export function singleMember(set: AggregationSet, member: number): Float64Array {
  const result = new Float64Array(set.records * set.classes).fill(
    set.task === "regression" ? 0 : -Math.log(set.classes),
  );
  for (let s = 0, r = 0; s < set.member.length; s++) {
    while (s >= set.offsets[r + 1]!) r++;
    if (set.member[s] === member) {
      result.set(set.outputs.subarray(s * set.classes, (s + 1) * set.classes), r * set.classes);
    }
  }
  return result;
}

function segmentRows(set: AggregationSet, record: number): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let s = set.offsets[record]!; s < set.offsets[record + 1]!; s++) {
    rows.push(set.outputs.subarray(s * set.classes, (s + 1) * set.classes));
  }
  return rows;
}

function reduceDistributions(rows: Float64Array[], target: Float64Array, reducer: SimpleReducer): void {
  switch (reducer) {
    case "concat":
      if (rows[0]) target.set(rows[0]);
      return;
    case "mean":
      for (let c = 0; c < target.length; c++) {
        target[c] = logSumExp(rows.map((row) => row[c]!)) - Math.log(rows.length);
      }
      return;
    case "vote": {
      const votes = new Float64Array(target.length).fill(0.5);
      for (const row of rows) votes[argmax(row)]! += 1;
      const total = rows.length + 0.5 * target.length;
      for (let c = 0; c < target.length; c++) target[c] = Math.log(votes[c]! / total);
      return;
    }
    case "max": {
      let surest = rows[0];
      for (const row of rows) if (surest && row[argmax(row)]! > surest[argmax(surest)]!) surest = row;
      if (surest) target.set(surest);
      return;
    }
  }
}

function reduceValues(rows: Float64Array[], target: Float64Array, reducer: SimpleReducer): void {
  for (let c = 0; c < target.length; c++) {
    const values = rows.map((row) => row[c]!);
    switch (reducer) {
      case "concat":
        target[c] = values[0] ?? 0;
        break;
      case "mean":
        target[c] = values.reduce((sum, value) => sum + value, 0) / values.length;
        break;
      case "vote": {
        const sorted = values.sort((a, b) => a - b);
        const middle = sorted.length >> 1;
        target[c] = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
        break;
      }
      case "max":
        target[c] = Math.max(...values);
        break;
    }
  }
}

/** Position of the largest value; the first of equals. */
export function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}
