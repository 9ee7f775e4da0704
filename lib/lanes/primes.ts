/** NTT primes: which primes a ring of degree N can use, found deterministically. */

/** Exact a·b mod q for 0 ≤ a, b < q < 2^31. */
export function mulMod(a: number, b: number, q: number): number {
  // The double quotient is off by at most one, and the low 32 bits of the difference hold the (small) remainder exactly.
  const quotient = Math.floor((a * b) / q);
  let r = (Math.imul(a, b) - Math.imul(quotient, q)) | 0;
  if (r < 0) r += q;
  else if (r >= q) r -= q;
  return r;
}

export function powMod(base: number, exponent: number, q: number): number {
  let result = 1;
  let square = base % q;
  for (let e = exponent; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = mulMod(result, square, q);
    square = mulMod(square, square, q);
  }
  return result;
}

/** a⁻¹ mod q for a prime q (Fermat). */
export function inverseMod(a: number, q: number): number {
  return powMod(a, q - 2, q);
}

/** Deterministic below 3.2·10^9 with the bases 2, 3, 5, 7 (Jaeschke 1993). */
export function isPrime(candidate: number): boolean {
  if (!Number.isSafeInteger(candidate) || candidate < 2 || candidate >= 2 ** 31) return false;
  for (const p of [2, 3, 5, 7, 11, 13]) if (candidate % p === 0) return candidate === p;
  let odd = candidate - 1;
  let twos = 0;
  while (odd % 2 === 0) {
    odd /= 2;
    twos++;
  }
  return [2, 3, 5, 7].every((base) => {
    let x = powMod(base, odd, candidate);
    if (x === 1 || x === candidate - 1) return true;
    for (let i = 1; i < twos; i++) {
      x = mulMod(x, x, candidate);
      if (x === candidate - 1) return true;
    }
    return false;
  });
}

/** Bits of a prime: 2^(bits−1) ≤ q < 2^bits. */
export function bitLength(q: number): number {
  return 32 - Math.clz32(q);
}

/** The `count` largest primes of exactly `bits` bits with q ≡ 1 mod 2N and q > ¾·2^bits, descending; fewer if there are fewer. */
export function nttPrimes(n: number, bits: number, count: number, exclude: readonly number[] = []): number[] {
  const found: number[] = [];
  const step = 2 * n;
  const top = 2 ** bits;
  // Above ¾·2^bits a mask draw of `bits` bits is accepted at least three times out of four.
  for (let q = top - step + 1; q > 0.75 * top && found.length < count; q -= step) {
    if (!exclude.includes(q) && isPrime(q)) found.push(q);
  }
  return found;
}

/** The smallest prime ≡ 1 mod 2N outside `exclude`: SEAL's special prime, of which Flux only pays the bits. */
export function smallestNttPrime(n: number, exclude: readonly number[] = []): number {
  for (let q = 2 * n + 1; ; q += 2 * n) if (isPrime(q) && !exclude.includes(q)) return q;
}
