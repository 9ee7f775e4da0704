/**
 * What the parts of a lane program cost a donor, by shape: what the compiler weighs tiles with and estimates core-seconds from.
 *
 * Fitted to the SIMD kernel (worker/kernels/lanes), one thread of a Zen 4 core, nanoseconds per polynomial of four lanes, measured
 * and as fitted:
 *
 *     K × M     1×1  2×5  9×16  25×5  35×10  50×1  50×5  100×10  140×65  300×30  845×100
 *     measured   13   24    96    57    117    45    87     252    1875    1795    15307
 *     fitted     13   24    94    58    117    45    93     270    1926    1893    15851
 *
 * Joining two 5×5 positions of five maps (35×10) gains nothing on this kernel, where an int8 product (MatMulInteger) ran 2.6 times
 * as fast on it; with a single map, tiles still pay.
 */
const VECTOR_LANES = 4;
const GROUP_NS = 6;
const GATHER_NS_PER_PAIR = 1.1;
const COLUMNS_PER_BLOCK = 5;
const BLOCK_NS = 3.5;
const REDUCE_NS_PER_COLUMN = 2.4;
const NS_PER_PAIR_AND_COLUMN = 0.357;

/** Nanoseconds per lane and polynomial of a group with a `[k, m]` matrix: gathering and reducing included. */
export function groupNs(k: number, m: number, digits: number): number {
  const pairs = Math.ceil(k / 2);
  const blocks = Math.ceil(m / COLUMNS_PER_BLOCK);
  const product = BLOCK_NS * blocks + REDUCE_NS_PER_COLUMN * m + NS_PER_PAIR_AND_COLUMN * pairs * m;
  return (GROUP_NS + GATHER_NS_PER_PAIR * pairs + digits * product) / VECTOR_LANES;
}

/** Nanoseconds per lane and residue that a square makes. */
export const SQUARE_NS = 0.45;
/** Nanoseconds per lane and feature: the mask's AES, and loading both polynomials. */
export const LOAD_NS = 2.5;
/** Nanoseconds per lane and residue of the result. */
export const RESULT_NS = 3;
