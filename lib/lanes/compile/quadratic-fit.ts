/** Least-squares quadratics for activations that are not quadratic, fitted to what flows into them on calibration records. */

/** y ≈ a·x² + b·x + c */
export interface Quadratic {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Inputs are fitted as if spread by this much more than seen, so that records a little outside the samples do not fall off. */
const MIN_SPREAD = 1e-6;

/** The quadratic nearest to `f` over the given inputs, in the mean of squares. */
export function fitQuadratic(f: (x: number) => number, inputs: readonly Float64Array[]): Quadratic {
  let count = 0;
  let sum = 0;
  for (const column of inputs) {
    count += column.length;
    for (const x of column) sum += x;
  }
  const mean = sum / count;
  let squares = 0;
  for (const column of inputs) for (const x of column) squares += (x - mean) ** 2;
  const spread = Math.sqrt(squares / count);
  // A value that never moves: its tangent is all that can be known.
  if (!(spread > MIN_SPREAD * (1 + Math.abs(mean)))) {
    const step = 1e-3;
    const b = (f(mean + step) - f(mean - step)) / (2 * step);
    return { a: 0, b, c: f(mean) - b * mean };
  }
  // Normal equations in z = (x − mean) / spread: moments m0 = 1, m1 = 0, m2 = 1.
  let m3 = 0;
  let m4 = 0;
  let y0 = 0;
  let y1 = 0;
  let y2 = 0;
  for (const column of inputs) {
    for (const x of column) {
      const z = (x - mean) / spread;
      const y = f(x);
      m3 += z * z * z;
      m4 += z * z * z * z;
      y0 += y;
      y1 += y * z;
      y2 += y * z * z;
    }
  }
  m3 /= count;
  m4 /= count;
  y0 /= count;
  y1 /= count;
  y2 /= count;
  // z² made orthogonal to 1 and z: u = z² − m3·z − 1, with mean square m4 − m3² − 1 (0 only for two-valued inputs).
  const uSquare = m4 - m3 * m3 - 1;
  const p = uSquare > 1e-9 ? (y2 - m3 * y1 - y0) / uSquare : 0;
  const linear = y1 - p * m3;
  const constant = y0 - p;
  const a = p / (spread * spread);
  const b = linear / spread - 2 * a * mean;
  return { a, b, c: constant - (linear / spread) * mean + a * mean * mean };
}
