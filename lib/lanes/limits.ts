/** Bounds of the lane engine, each with its reason. Anything outside is refused before memory is spent on it. */
export const LANE_LIMITS = {
  /** The largest ring of the design (three squares); 128-bit security allows 438 bits there. */
  maxRingDegree: 16384,
  minRingDegree: 1024,
  /** 438 bits of modulus in primes of at least 18 bits. */
  maxPrimes: 24,
  /** Residues are handled as at most four 8-bit limbs with a sign bit to spare in 32-bit arithmetic. */
  maxPrimeExclusive: 2 ** 31,
  /** NTT primes of N = 1024 start at 2^12; below 2^16 there are too few to choose from. */
  minPrime: 2 ** 16,
  /** A batch of 8,192 × 4 primes of so many features is 1 GiB on the key-holder: its memory bound. */
  maxFeatures: 8192,
  /** Width of any layer: a lane's activations at 5 polynomials × 4 limbs stay below 2 MB. */
  maxWidth: 65_536,
  /**
   * Rows of one product. 16,384 · 255 · 127 < 2^29 for one limb and one digit, so that
   * a0 + 2^8·a1 + 2^16·a2 + 2^24·a3 stays below 2^53: exact in a double.
   */
  maxProductRows: 16_384,
  maxMatrices: 4096,
  maxGroups: 65_536,
  /** Two affine steps around each of three squares, and room for splitting. */
  maxSteps: 16,
  maxSquares: 3,
  /** A program is downloaded once per donor and job. */
  maxProgramBytes: 64 * 1024 * 1024,
  /** One microtask's payload: one frame on the donor socket. */
  maxPayloadBytes: 4 * 1024 * 1024,
} as const;

/**
 * Largest sum of all primes' bits by ring degree, SEAL's own prime included: 128-bit classical security with ternary secrets
 * (Homomorphic Encryption Standard, 2018).
 */
export const SECURITY_BITS_128: Readonly<Record<number, number>> = {
  1024: 27,
  2048: 54,
  4096: 109,
  8192: 218,
  16384: 438,
};
