/**
 * Adapts a layer to inputs that are not what they were: quantised and noisy, as the layers before it leave them. The weights move by the
 * least-squares correction that brings the layer's outputs on calibration records back to those of the real network,
 *
 *     ΔW = W·(X − X̂)·X̂ᵀ·(X̂·X̂ᵀ + λ)⁻¹,
 *
 * with λ holding them near the model's own: there are about as many records as inputs, and what is learnt has to hold for others.
 */
import type { BlockLayer } from "./blocks.ts";
import { cholesky } from "./linear-algebra.ts";

/**
 * λ as a share of the mean diagonal of X̂·X̂ᵀ. On the CryptoNets-shaped digits network (845 inputs, 512 records), root mean square error of
 * the outputs of other records at 102 bits of modulus: without this step 0.239; λ = 0.003 0.316; 0.03 0.243; 0.3 0.210; 1 0.204.
 */
const RIDGE = 1;
/** Larger matrices are left alone: k³ work and k² memory. */
const MAX_ROWS = 1024;
const WORK = 5e8;

/** The layer's matrices, adapted: `real` and `path` are its inputs on the samples in the real network and as they arrive. */
export function refitMatrices(
  layer: BlockLayer,
  real: readonly Float64Array[],
  path: readonly Float64Array[],
): readonly Float64Array[] {
  if (path === real) return layer.matrices.map(({ weights }) => weights);
  const samples = real[0]?.length ?? 0;
  const realMeans = real.map(mean);
  const pathMeans = path.map(mean);
  return layer.matrices.map(({ k, m, weights }, index) => {
    if (k > MAX_ROWS) return weights;
    const blocks = layer.blocks.filter((block) => block.matrix === index);
    const stride = Math.max(1, Math.ceil((blocks.length * samples * k * (k / 2 + m)) / WORK));
    const gram = new Float64Array(k * k);
    const cross = new Float64Array(k * m);
    const arrived = new Float64Array(k);
    const missing = new Float64Array(m);
    for (let at = 0; at < blocks.length * samples; at += stride) {
      const block = blocks[at % blocks.length]!;
      const sample = Math.floor(at / blocks.length);
      missing.fill(0);
      for (let row = 0; row < k; row++) {
        const input = block.inputs[row]!;
        if (input < 0) {
          arrived[row] = 0;
          continue;
        }
        const x = path[input]![sample]! - pathMeans[input]!;
        const gap = real[input]![sample]! - realMeans[input]! - x;
        arrived[row] = x;
        if (gap === 0) continue;
        for (let column = 0; column < m; column++) {
          missing[column] = missing[column]! + gap * weights[row * m + column]!;
        }
      }
      for (let row = 0; row < k; row++) {
        const x = arrived[row]!;
        if (x === 0) continue;
        for (let other = 0; other <= row; other++) gram[row * k + other] = gram[row * k + other]! + x * arrived[other]!;
        for (let column = 0; column < m; column++) {
          cross[row * m + column] = cross[row * m + column]! + x * missing[column]!;
        }
      }
    }
    return addSolution(gram, cross, weights, k, m);
  });
}

/** weights + (gram + λ)⁻¹·cross, by Cholesky and two triangular solves. */
function addSolution(
  gram: Float64Array,
  cross: Float64Array,
  weights: Float64Array,
  k: number,
  m: number,
): Float64Array {
  let trace = 0;
  for (let i = 0; i < k; i++) trace += gram[i * k + i]!;
  if (!(trace > 0)) return weights;
  for (let i = 0; i < k; i++) gram[i * k + i] = gram[i * k + i]! + (RIDGE * trace) / k;
  const lower = cholesky(gram, k);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) subtractRow(cross, i, lower[i * k + j]!, j, m);
    scaleRow(cross, i, 1 / lower[i * k + i]!, m);
  }
  for (let i = k - 1; i >= 0; i--) {
    for (let j = i + 1; j < k; j++) subtractRow(cross, i, lower[j * k + i]!, j, m);
    scaleRow(cross, i, 1 / lower[i * k + i]!, m);
  }
  return weights.map((weight, i) => weight + cross[i]!);
}

/** row `to` −= factor · row `from` */
function subtractRow(values: Float64Array, to: number, factor: number, from: number, m: number): void {
  if (factor === 0) return;
  for (let c = 0; c < m; c++) values[to * m + c] = values[to * m + c]! - factor * values[from * m + c]!;
}

function scaleRow(values: Float64Array, row: number, factor: number, m: number): void {
  for (let c = 0; c < m; c++) values[row * m + c] = values[row * m + c]! * factor;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / Math.max(1, values.length);
}
