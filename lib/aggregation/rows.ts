/** Row-major matrices as flat arrays: taking and putting back rows. */

/** Rows of `values` (each `width` long) in the order given. */
export function gatherRows(values: Float64Array, rows: ArrayLike<number>, width: number): Float64Array {
  const gathered = new Float64Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    gathered.set(values.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  }
  return gathered;
}

/** Writes row i of `values` to row `rows[i]` of `target`. */
export function scatterRows(values: Float64Array, rows: ArrayLike<number>, width: number, target: Float64Array): void {
  for (let i = 0; i < rows.length; i++) target.set(values.subarray(i * width, (i + 1) * width), rows[i]! * width);
}
