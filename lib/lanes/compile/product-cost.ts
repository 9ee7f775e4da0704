/**
 * What one row of an int8 product costs a donor, by the shape of its matrix: what the compiler weighs tiles with.
 *
 * Measured with onnxruntime-web's MatMulInteger, one WASM thread, constant B (G multiply-adds/s):
 *
 *     K × M   25×5  35×10  45×15  65×25  140×65  845×100  100×10  100×16
 *     rate     4.4   11.4   10.9   22.6    28.2     34.3    16.8    26.0
 *
 * They follow from 37 G/s on K and M rounded up to whole tiles of 16, plus 12 ns per row (within 15 %, but for 45×15, which is slower).
 * Gathering a row's bytes into place costs about 0.6 ns each where a group does not read the whole layer as it lies.
 */
const TILE = 16;
const MULTIPLY_ADDS_PER_NS = 37;
const ROW_NS = 12;
const GATHER_NS_PER_BYTE = 0.6;

/** Nanoseconds per row of a `[rows, k] × [k, m]` product, its gathering included. */
export function productRowNs(k: number, m: number): number {
  const whole = (count: number) => Math.ceil(count / TILE) * TILE;
  return (whole(k) * whole(m)) / MULTIPLY_ADDS_PER_NS + ROW_NS + k * GATHER_NS_PER_BYTE;
}

/** Nanoseconds per residue of a square (three to nine products and their sums), and of a reduction after a product. */
export const SQUARE_NS = 8;
export const REDUCE_NS = 3;
