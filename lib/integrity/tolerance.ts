/**
 * How far an honest result may lie from the coordinator's own. Runtimes add in different orders, with and without fused
 * multiply-adds, so float32 outputs differ in their last bits; how much that grows through a model depends on the model.
 * It is measured: inputs are shaken by a few units in the last place, and what the outputs then move by is what rounding
 * moves them by as well.
 */

/** One output of a model for some records, row-major: `values[record · width + i]`. */
export interface OutputValues {
  readonly width: number;
  readonly values: Float32Array;
}

export interface OutputTolerance {
  /** Largest magnitude seen: differences are relative to it. */
  scale: number;
  /** Allowed difference as a share of `scale`. */
  relative: number;
}

/** What is promised of results: within 1e-4 of the largest output. No model is held to more. */
const LEAST = 1e-4;
/** A model that shakes more than this cannot be told from a wrong one by the bulk rule. */
const MOST = 1e-2;
/** Shaken inputs are one draw of the rounding of one layer; honest runs may be this much worse. */
const SHAKE_FACTOR = 8;

/** 8 units in the last place of a float32. */
export const SHAKE = 2 ** -20;

/** `value · (1 ± SHAKE)`, the sign drawn for every element. Integers are left as they are. */
export function shaken(values: Float32Array, random: () => number): Float32Array<ArrayBuffer> {
  const moved = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) moved[i] = values[i]! * (1 + (random() < 0.5 ? SHAKE : -SHAKE));
  return moved;
}

/** Tolerances from a reference run and runs on shaken inputs. */
export function calibrate(
  reference: readonly OutputValues[],
  shakenRuns: readonly (readonly OutputValues[])[],
): OutputTolerance[] {
  return reference.map(({ values }, output) => {
    const scale = largest(values);
    let moved = 0;
    for (const run of shakenRuns) moved = Math.max(moved, largestDifference(values, run[output]!.values));
    const relative = Math.min(MOST, Math.max(LEAST, (SHAKE_FACTOR * moved) / Math.max(scale, Number.MIN_VALUE)));
    return { scale, relative };
  });
}

/** Positions of the records that differ by more than the tolerance, or are not finite where the reference is. */
export function differingRecords(
  reference: readonly OutputValues[],
  result: readonly OutputValues[],
  tolerances: readonly OutputTolerance[],
): number[] {
  const records = new Set<number>();
  for (const [output, { width, values }] of reference.entries()) {
    const { scale, relative } = tolerances[output]!;
    const allowed = relative * Math.max(scale, largest(values));
    const other = result[output]!.values;
    for (let i = 0; i < values.length; i++) {
      if (!within(values[i]!, other[i]!, allowed)) records.add(Math.floor(i / Math.max(1, width)));
    }
  }
  return [...records].sort((a, b) => a - b);
}

/** Largest difference of a result that was found right, as a share of what is allowed: 0 the same bits, 1 the most there is. */
export function driftOf(
  reference: readonly OutputValues[],
  result: readonly OutputValues[],
  tolerances: readonly OutputTolerance[],
): number {
  let most = 0;
  for (const [output, { values }] of reference.entries()) {
    const { scale, relative } = tolerances[output]!;
    const difference = largestDifference(values, result[output]!.values);
    if (difference > 0) most = Math.max(most, difference / (relative * Math.max(scale, largest(values))));
  }
  return Math.min(1, most);
}

/**
 * The second look at a record that differs: right after all where the reference itself moves as far when its inputs are
 * shaken (a tie between two classes, a value at a step). Element by element, so that one unstable output excuses no other.
 */
export function isExcused(
  reference: readonly OutputValues[],
  result: readonly OutputValues[],
  shakenRuns: readonly (readonly OutputValues[])[],
  tolerances: readonly OutputTolerance[],
  record: number,
): boolean {
  return reference.every(({ width, values }, output) => {
    const { scale, relative } = tolerances[output]!;
    const allowed = relative * Math.max(scale, largest(values));
    for (let i = record * width; i < (record + 1) * width; i++) {
      let moved = 0;
      for (const run of shakenRuns) moved = Math.max(moved, Math.abs(run[output]!.values[i]! - values[i]!));
      if (!within(values[i]!, result[output]!.values[i]!, allowed + SHAKE_FACTOR * moved)) return false;
    }
    return true;
  });
}

function within(reference: number, value: number, allowed: number): boolean {
  if (Object.is(reference, value) || reference === value) return true;
  return Math.abs(reference - value) <= allowed;
}

function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  return most;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (Number.isFinite(difference)) most = Math.max(most, difference);
  }
  return most;
}
