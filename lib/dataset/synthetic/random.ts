/** A small seeded generator for synthetic data. Not for anything secret. */

export interface Random {
  /** Uniform in 0 ≤ x < 1. */
  uniform(): number;
  /** Uniform in low ≤ x < high. */
  between(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  /** Integer in 0 … count − 1. */
  below(count: number): number;
}

/** xoshiro128** (Blackman & Vigna) seeded by SplitMix32: the same numbers for the same seed everywhere. */
export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const splitMix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [a, b, c, d] = [splitMix(), splitMix(), splitMix(), splitMix()];
  const rotate = (x: number, bits: number) => ((x << bits) | (x >>> (32 - bits))) >>> 0;
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
    const shifted = (b << 9) >>> 0;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d >>> 0, 11);
    return result;
  };
  const uniform = () => next() / 2 ** 32;
  return {
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    // Box and Muller; 1 − u keeps the logarithm finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    below: (count) => Math.floor(uniform() * count),
  };
}
