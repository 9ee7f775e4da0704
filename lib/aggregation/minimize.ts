/**
 * Limited-memory BFGS (Nocedal 1980; Liu & Nocedal, Mathematical Programming 1989) with a backtracking line search. Full batches of
 * some hundred records make the loss smooth and exact: some thirty evaluations do what first-order steps need hundreds for.
 */

export interface MinimizeOptions {
  /** Evaluations at most. @default 60 */
  readonly evaluations?: number;
  /** Stops when the value falls by less than this share of itself. @default 3e-5 */
  readonly tolerance?: number;
}

/** Correction pairs that are kept. */
const MEMORY = 8;
/** Sufficient decrease (Armijo 1966). */
const DECREASE = 1e-4;

/**
 * Moves `x` to where `evaluate` is small.
 * @param evaluate the value at x; writes its gradient
 */
export function minimize(
  x: Float64Array,
  evaluate: (x: Float64Array, gradient: Float64Array) => number,
  { evaluations = 60, tolerance = 3e-5 }: MinimizeOptions = {},
): void {
  const size = x.length;
  let gradient = new Float64Array(size);
  let next = new Float64Array(size);
  const trial = new Float64Array(size);
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  let value = evaluate(x, gradient);
  let left = evaluations - 1;

  while (left > 0) {
    const direction = descent(gradient, pairs);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      pairs.length = 0;
      gradient.forEach((g, i) => {
        direction[i] = -g;
      });
      slope = dot(direction, gradient);
      if (!(slope < 0)) return;
    }
    // Without curvature yet, a first step of moderate length.
    let step = pairs.length === 0 ? Math.min(1, 0.5 / Math.sqrt(-slope)) : 1;
    let found = Number.NaN;
    while (left > 0) {
      for (let i = 0; i < size; i++) trial[i] = x[i]! + step * direction[i]!;
      found = evaluate(trial, next);
      left--;
      if (found <= value + DECREASE * step * slope) break;
      step *= 0.4;
      found = Number.NaN;
    }
    if (Number.isNaN(found)) return;
    const s = new Float64Array(size);
    const y = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      s[i] = trial[i]! - x[i]!;
      y[i] = next[i]! - gradient[i]!;
    }
    const curvature = dot(s, y);
    if (curvature > 1e-12) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > MEMORY) pairs.shift();
    }
    x.set(trial);
    [gradient, next] = [next, gradient];
    const fell = value - found;
    value = found;
    if (fell < tolerance * Math.abs(value)) return;
  }
}

/** −H·g by the two-loop recursion. */
function descent(
  gradient: Float64Array,
  pairs: readonly { readonly s: Float64Array; readonly y: Float64Array; readonly rho: number }[],
): Float64Array {
  const direction = gradient.map((g) => -g);
  const alphas: number[] = [];
  for (let p = pairs.length - 1; p >= 0; p--) {
    const { s, y, rho } = pairs[p]!;
    const alpha = rho * dot(s, direction);
    alphas[p] = alpha;
    addScaled(direction, y, -alpha);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  pairs.forEach(({ s, y, rho }, p) => {
    addScaled(direction, s, alphas[p]! - rho * dot(y, direction));
  });
  return direction;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(target: Float64Array, source: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += factor * source[i]!;
}
