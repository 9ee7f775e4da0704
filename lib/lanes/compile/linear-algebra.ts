/** Small dense linear algebra for the quantiser: symmetric positive definite matrices, row-major `[n, n]`. */

/** Lower Cholesky factor L with A = L·Lᵀ; overwrites and returns `a` (the upper triangle is zeroed). */
export function cholesky(a: Float64Array, n: number): Float64Array {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      if (i === j) a[j * n + j] = Math.sqrt(Math.max(sum, Number.MIN_VALUE));
      else a[i * n + j] = sum / a[j * n + j]!;
    }
    for (let i = 0; i < j; i++) a[i * n + j] = 0;
  }
  return a;
}

/** A⁻¹ of a symmetric positive definite A (which is overwritten). */
export function invertSymmetric(a: Float64Array, n: number): Float64Array {
  const l = cholesky(a, n);
  // Rows of L⁻¹, then A⁻¹ = L⁻ᵀ·L⁻¹.
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    inverse[i * n + i] = 1 / l[i * n + i]!;
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= l[i * n + k]! * inverse[k * n + j]!;
      inverse[i * n + j] = sum / l[i * n + i]!;
    }
  }
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i <= k; i++) {
      const factor = inverse[k * n + i]!;
      if (factor === 0) continue;
      for (let j = 0; j <= i; j++) out[i * n + j] = out[i * n + j]! + factor * inverse[k * n + j]!;
    }
  }
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) out[i * n + j] = out[j * n + i]!;
  return out;
}
