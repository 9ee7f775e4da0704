/** Which rings there are, what noise they put on a slot, and which primes make up a wanted number of bits. */
import { limbCount } from "../block.ts";
import { SECURITY_BITS_128 } from "../limits.ts";
import { bitLength, nttPrimes, smallestNttPrime } from "../primes.ts";
import type { LaneRing } from "../program.ts";

export const RING_DEGREES = [2048, 4096, 8192, 16384] as const;

export interface PlanRing extends LaneRing {
  readonly specialPrime: number | undefined;
}

/** Standard deviation of SEAL's error coefficients; rounding a plaintext adds 1/√12. */
const ERROR_DEVIATION = 3.2;
const MAX_PRIME_BITS = 31;
const MIN_PRIME_BITS = 18;
/** Primes are a little below their power of two; and in large rings there are so few small ones that some totals cannot be had. */
const SPARE_BITS = 2;
const MAX_SPARE_BITS = 16;

/**
 * Standard deviation of a fresh ciphertext's noise in a real slot, times the encoding scale: √(N/2) coefficients' worth.
 * Measured 205–212 at N = 8192 and 147 at 4096 (this says 205.6 and 145.4).
 */
export function slotNoise(n: number): number {
  return Math.sqrt((n / 2) * (ERROR_DEVIATION ** 2 + 1 / 12));
}

/** Most bits of data modulus at this degree. */
export function maxModulusBits(n: number): number {
  const limit = SECURITY_BITS_128[n]!;
  const withSpecial = limit - bitLength(smallestNttPrime(n));
  return Math.max(Math.min(limit, MAX_PRIME_BITS), withSpecial);
}

export function modulusBits(primes: readonly number[]): number {
  return primes.reduce((sum, q) => sum + Math.log2(q), 0);
}

/** Bits that a residue of every prime takes on the wire. */
export function wireBits(primes: readonly number[]): number {
  return primes.reduce((sum, q) => sum + bitLength(q), 0);
}

/** The primes with the fewest bits that make up `bits`; of equal ones those with the least work. Undefined where security forbids it. */
export function choosePrimes(n: number, bits: number): PlanRing | undefined {
  let best: { ring: PlanRing; score: number } | undefined;
  for (
    let total = Math.ceil(bits);
    total <= Math.ceil(bits) + (best === undefined ? MAX_SPARE_BITS : SPARE_BITS);
    total++
  ) {
    for (
      let count = Math.ceil(total / MAX_PRIME_BITS);
      count <= Math.floor(total / MIN_PRIME_BITS) || count === 1;
      count++
    ) {
      const ring = ringOf(n, Math.max(total, MIN_PRIME_BITS), count);
      if (ring === undefined || modulusBits(ring.primes) < bits) continue;
      // A limb more is a quarter of a prime's product, a prime more is one more square and reduction: weighed as a percent of bytes each.
      const limbs = ring.primes.reduce((sum, q) => sum + limbCount(q), 0);
      const score = wireBits(ring.primes) + 0.3 * limbs + 0.5 * count;
      if (best === undefined || score < best.score) best = { ring, score };
    }
  }
  return best?.ring;
}

function ringOf(n: number, total: number, count: number): PlanRing | undefined {
  const small = Math.floor(total / count);
  const larger = total - small * count;
  if (small < MIN_PRIME_BITS || small + (larger > 0 ? 1 : 0) > MAX_PRIME_BITS) return undefined;
  const primes = [...nttPrimes(n, small + 1, larger), ...nttPrimes(n, small, count - larger)];
  if (primes.length !== count) return undefined;
  const specialPrime = count === 1 ? undefined : smallestNttPrime(n, primes);
  const bits = wireBits(specialPrime === undefined ? primes : [...primes, specialPrime]);
  return bits <= SECURITY_BITS_128[n]! ? { n, primes, specialPrime } : undefined;
}
