/**
 * A weight matrix as the product kernel reads it: per pass and block of columns, int16 pairs `[pair][column][2]`.
 *
 * A *pass* is one digit of a run of rows that is short enough for exact int32 sums. Passes add up on the output, each shifted
 * by its digit. Limits come from the weights as they are, not from the worst case: a column of 845 seven-bit weights of a real
 * network is one pass, where the worst case (Σ|w| = 845·127) would be two.
 */
import type { WeightMatrix } from "#lib/lanes/program.ts";
import { MAX_COLUMN_WEIGHT, MAX_COLUMNS } from "./wasm/product.ts";

export interface PackedMatrix {
  readonly passes: readonly PackedPass[];
  /** Of all weights. */
  readonly bytes: number;
}

export interface PackedPass {
  readonly firstRow: number;
  readonly rows: number;
  readonly pairs: number;
  /** Left shift of this digit's sums. */
  readonly shift: number;
  readonly blocks: readonly PackedBlock[];
}

export interface PackedBlock {
  readonly firstColumn: number;
  readonly columns: number;
  readonly weights: Int16Array<ArrayBuffer>;
}

export function packMatrix(matrix: WeightMatrix): PackedMatrix {
  const passes = rowRuns(matrix).flatMap(({ firstRow, rows }) =>
    matrix.digits.map((digit, index): PackedPass => {
      const pairs = Math.ceil(rows / 2);
      const blocks = columnBlocks(matrix.m).map(({ firstColumn, columns }) => {
        const weights = new Int16Array(pairs * columns * 2);
        for (let row = 0; row < rows; row++) {
          const from = (firstRow + row) * matrix.m + firstColumn;
          const to = (row >> 1) * columns * 2 + (row & 1);
          for (let c = 0; c < columns; c++) weights[to + 2 * c] = digit[from + c]!;
        }
        return { firstColumn, columns, weights };
      });
      return { firstRow, rows, pairs, shift: index * matrix.digitBits, blocks };
    }),
  );
  const bytes = passes.reduce((sum, p) => sum + p.blocks.reduce((s, block) => s + block.weights.byteLength, 0), 0);
  return { passes, bytes };
}

/** Runs of rows, as long as every column's Σ|w| stays exact, for every digit. */
export function rowRuns(
  matrix: WeightMatrix,
  maxColumnWeight = MAX_COLUMN_WEIGHT,
): { firstRow: number; rows: number }[] {
  const { k, m, digits } = matrix;
  const sums = digits.map(() => new Int32Array(m));
  const runs: { firstRow: number; rows: number }[] = [];
  let firstRow = 0;
  for (let row = 0; row < k; row++) {
    const fits = digits.every((digit, d) => {
      for (let c = 0; c < m; c++) if (sums[d]![c]! + Math.abs(digit[row * m + c]!) > maxColumnWeight) return false;
      return true;
    });
    if (!fits) {
      runs.push({ firstRow, rows: row - firstRow });
      firstRow = row;
      for (const sum of sums) sum.fill(0);
    }
    digits.forEach((digit, d) => {
      for (let c = 0; c < m; c++) sums[d]![c]! += Math.abs(digit[row * m + c]!);
    });
  }
  runs.push({ firstRow, rows: k - firstRow });
  return runs;
}

/** As few blocks as possible, as equal as possible: 16 columns are 4 of 4, not 3 of 5 and one of 1. */
function columnBlocks(m: number): { firstColumn: number; columns: number }[] {
  const count = Math.ceil(m / MAX_COLUMNS);
  return Array.from({ length: count }, (_, i) => {
    const firstColumn = Math.floor((i * m) / count);
    return { firstColumn, columns: Math.floor(((i + 1) * m) / count) - firstColumn };
  });
}
