/** Records → slot values: centring, scaling, and what happens to values outside the calibrated range. */
import type { KeyholderPlan } from "#lib/lanes/plan.ts";
import { FluxError } from "#lib/protocol/errors.ts";

/** Plain records, row-major `[rows, features]`, in the dataset's order and units. */
export interface RecordMatrix {
  readonly rows: number;
  readonly features: number;
  readonly data: Float32Array | Float64Array;
}

/** Checks that records fit the plan's input and the batch's slots. */
export function checkRecords(plan: KeyholderPlan, records: RecordMatrix, slots: number): void {
  const { rows, features, data } = records;
  if (features !== plan.input.sourceFeatures || data.length !== rows * features) {
    throw new FluxError(
      "dataset_mismatch",
      `Records have ${features} values, the plan is for ${plan.input.sourceFeatures}. Map the columns again.`,
    );
  }
  if (rows < 1 || rows > slots) {
    throw new FluxError("invalid_request", `A batch holds 1..${slots} records, not ${rows}. Split the records.`);
  }
}

/**
 * One encrypted feature of all records as slot values. Slots beyond the records repeat them from the start, so that every slot
 * holds a plausible value. Returns how many values were clipped.
 */
export function encodeFeature(
  plan: KeyholderPlan,
  records: RecordMatrix,
  feature: number,
  slots: Float64Array,
): number {
  let clipped = 0;
  for (let row = 0; row < records.rows; row++) {
    const value = records.data[row * records.features + plan.input.index[feature]!]!;
    const inside = insideRange(plan, value, row, feature);
    if (inside !== value) clipped++;
    slots[row] = (inside - plan.input.center[feature]!) * plan.input.factor[feature]!;
  }
  for (let slot = records.rows; slot < slots.length; slot++) slots[slot] = slots[slot - records.rows]!;
  return clipped;
}

/** All encrypted features of one record. */
export function encodeRecord(plan: KeyholderPlan, records: RecordMatrix, row: number, encoded: Float64Array): void {
  for (let feature = 0; feature < encoded.length; feature++) {
    const value = records.data[row * records.features + plan.input.index[feature]!]!;
    const inside = insideRange(plan, value, row, feature);
    encoded[feature] = (inside - plan.input.center[feature]!) * plan.input.factor[feature]!;
  }
}

function insideRange({ input }: KeyholderPlan, value: number, row: number, feature: number): number {
  const low = input.low[feature]!;
  const high = input.high[feature]!;
  if (value >= low && value <= high) return value;
  const column = input.index[feature]!;
  if (Number.isNaN(value)) throw outside(row, column, "is not a number", "Fill or drop missing values.");
  if (input.outside === "refuse") {
    throw outside(row, column, `is ${value}, outside ${low}..${high}`, "Choose clipping, or calibrate on wider data.");
  }
  return value < low ? low : high;
}

function outside(row: number, column: number, what: string, remedy: string): FluxError {
  return new FluxError("plan_range", `Record ${row}, value ${column} ${what}. ${remedy}`, {
    param: `records[${row}][${column}]`,
  });
}
