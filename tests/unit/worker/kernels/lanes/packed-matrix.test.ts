import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WeightMatrix } from "#lib/lanes/program.ts";
import { packMatrix, rowRuns } from "#worker/kernels/lanes/packed-matrix.ts";
import { MAX_COLUMN_WEIGHT, MAX_COLUMNS } from "#worker/kernels/lanes/wasm/product.ts";

const matrices = fc
  .record({
    k: fc.integer({ min: 1, max: 60 }),
    m: fc.integer({ min: 1, max: 23 }),
    digits: fc.integer({ min: 1, max: 2 }),
  })
  .chain(({ k, m, digits }) =>
    fc
      .array(fc.int8Array({ min: -127, max: 127, minLength: k * m, maxLength: k * m }), {
        minLength: digits,
        maxLength: digits,
      })
      .map((made): WeightMatrix => ({ k, m, digitBits: digits === 1 ? 0 : 7, digits: made })),
  );

describe("packMatrix", () => {
  it("keeps every weight once, in blocks of few sizes that differ by at most one", () => {
    fc.assert(
      fc.property(matrices, (matrix) => {
        const packed = packMatrix(matrix);
        const seen = matrix.digits.map(() => new Map<number, number>());
        for (const pass of packed.passes) {
          const digit = matrix.digitBits === 0 ? 0 : pass.shift / matrix.digitBits;
          const sizes = new Set(pass.blocks.map((block) => block.columns));
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_COLUMNS);
          for (const { firstColumn, columns, weights } of pass.blocks) {
            for (let row = 0; row < 2 * pass.pairs; row++) {
              for (let c = 0; c < columns; c++) {
                const weight = weights[(row >> 1) * columns * 2 + 2 * c + (row & 1)]!;
                if (row < pass.rows) seen[digit]!.set((pass.firstRow + row) * matrix.m + firstColumn + c, weight);
                else expect(weight).toBe(0);
              }
            }
          }
        }
        matrix.digits.forEach((digit, d) => {
          expect(seen[d]!.size).toBe(digit.length);
          for (const [at, weight] of digit.entries()) expect(seen[d]!.get(at)).toBe(weight);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe("rowRuns", () => {
  it("cuts a column of ±127 where its sum would pass the bound, and leaves a light one whole", () => {
    const heavy: WeightMatrix = { k: 1200, m: 1, digitBits: 0, digits: [new Int8Array(1200).fill(-127)] };
    expect(rowRuns(heavy)).toEqual([
      { firstRow: 0, rows: 516 },
      { firstRow: 516, rows: 516 },
      { firstRow: 1032, rows: 168 },
    ]);
    expect(516 * 127).toBeLessThanOrEqual(MAX_COLUMN_WEIGHT);
    expect(517 * 127).toBeGreaterThan(MAX_COLUMN_WEIGHT);
    const light: WeightMatrix = { ...heavy, digits: [new Int8Array(1200).fill(20)] };
    expect(rowRuns(light)).toEqual([{ firstRow: 0, rows: 1200 }]);
  });

  it("stays within any bound for every column and digit, and covers every row once", () => {
    fc.assert(
      fc.property(matrices, fc.integer({ min: 127, max: 2000 }), (matrix, bound) => {
        let next = 0;
        for (const { firstRow, rows } of rowRuns(matrix, bound)) {
          expect(firstRow).toBe(next);
          expect(rows).toBeGreaterThan(0);
          next += rows;
          for (const digit of matrix.digits) {
            for (let column = 0; column < matrix.m; column++) {
              let sum = 0;
              for (let row = firstRow; row < next; row++) sum += Math.abs(digit[row * matrix.m + column]!);
              expect(sum).toBeLessThanOrEqual(bound);
            }
          }
        }
        expect(next).toBe(matrix.k);
      }),
      { numRuns: 60 },
    );
  });
});
