/**
 * The lane program: what the compiler makes of a network and what a donor runs on every lane.
 *
 * Words. A *lane* is one (prime, NTT index) position across all ciphertexts of a batch. At one lane the whole network is
 * plain integer arithmetic modulo that lane's prime, so a donor needs no key, no NTT and no rotation.
 * A lane holds `polys` polynomials: 2 as encrypted; a square of p polynomials gives 2p − 1.
 *
 * Sources: CryptoNets (Gilad-Bachrach et al., ICML 2016) for batch packing; "Fast Homomorphic Linear Algebra with BLAS"
 * (arXiv 2503.16080) for ciphertext products as plain integer matrix products.
 */

/** Weights of one matrix as base-2^digitBits digits, least significant first: w = Σ digits[i]·2^(i·digitBits). */
export interface WeightMatrix {
  /** Rows: input values of one product. */
  readonly k: number;
  /** Columns: output values of one product. */
  readonly m: number;
  /** Bits between digits, 1..7; 0 with a single digit. */
  readonly digitBits: number;
  /** One or two digits, each `[k, m]` row-major, every entry in −127..127. */
  readonly digits: readonly Int8Array[];
}

/** One product: gathers `k` inputs, multiplies by a shared matrix, writes `m` outputs. A convolution is many groups of one matrix. */
export interface AffineGroup {
  /** `[k]` positions in the step's input; −1 reads a zero (padding). */
  readonly inputIndex: Int32Array;
  /** Index into `LaneProgram.matrices`. */
  readonly matrix: number;
  /** `[m]` positions in the step's output; −1 drops the column. All groups of a step together write each output exactly once. */
  readonly outputIndex: Int32Array;
}

/** y = W·x + b on every polynomial; the bias goes to polynomial 0 only. */
export interface AffineStep {
  readonly kind: "affine";
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: readonly AffineGroup[];
  /** `[primes][outputs]` residues of round(bias·scale), one array per prime of the ring. */
  readonly bias: readonly Uint32Array[];
}

/**
 * Values `0 .. width − carried − 1` become their polynomial square: (c0, c1, …) → (c0², 2·c0·c1, …).
 * The last `carried` values pass through, so that a residual connection can reach over a square: each of their polynomials
 * is multiplied by `carryFactor` (the step's scale, so that both kinds leave with the squared scale) and the polynomials
 * that the squares have more are zero.
 */
export interface SquareStep {
  readonly kind: "square";
  readonly width: number;
  readonly carried: number;
  /** `[primes]` residues. */
  readonly carryFactor: Uint32Array;
}

export type LaneStep = AffineStep | SquareStep;

/** Where a lane lives: polynomial degree and data primes. */
export interface LaneRing {
  /** Polynomial modulus degree N: lanes per prime, a power of two. */
  readonly n: number;
  /** The data primes, each below 2^31, ≡ 1 mod 2N. SEAL's special prime is not among them. */
  readonly primes: readonly number[];
}

export interface LaneProgram {
  readonly version: 1;
  readonly ring: LaneRing;
  /** Ciphertexts of one batch = values of a lane = input features. */
  readonly inputs: number;
  readonly outputs: number;
  /** Polynomials per output ciphertext: 2^squares + 1. */
  readonly polysOut: number;
  readonly matrices: readonly WeightMatrix[];
  readonly steps: readonly LaneStep[];
}

/** A run of neighbouring lanes of one prime: what one encrypted microtask works on. */
export interface LaneRun {
  /** Index into `LaneRing.primes`. */
  readonly primeIndex: number;
  /** 0 .. n − 1. */
  readonly firstLane: number;
  readonly laneCount: number;
}
