/** Ways in which real devices get products wrong: the self-test finds each, and passes what is right. */
import { describe, expect, it } from "vitest";
import { matrixLaneRuntime } from "#worker/kernels/lanes/matrix-evaluator.ts";
import { findLaneFault } from "#worker/kernels/lanes/self-test.ts";
import type { MatrixRuntime } from "#worker/runtimes/matrix-runtime.ts";

interface Arithmetic {
  /** What adding a product to a sum gives. */
  readonly add: (sum: number, left: number, weight: number, row: number) => number;
  readonly exactBelow: number;
}

/** A runtime in plain JavaScript with this arithmetic. */
function runtimeWith({ add, exactBelow }: Arithmetic): MatrixRuntime {
  return {
    name: "ort-wasm",
    exactBelow,
    async prepare(weights, k, m) {
      return {
        async multiply(bytes, rows) {
          const sums = new Int32Array(rows * m);
          for (let row = 0; row < rows; row++) {
            for (let column = 0; column < m; column++) {
              let sum = 0;
              for (let i = 0; i < k; i++) sum = add(sum, bytes[row * k + i]!, weights[i * m + column]!, i);
              sums[row * m + column] = sum;
            }
          }
          return sums;
        },
        dispose() {},
      };
    },
  };
}

/** Rounds to `bits` bits of mantissa. */
function rounded(value: number, bits: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) + 1 - bits);
  return Math.round(value / unit) * unit;
}

const EXACT = (sum: number, left: number, weight: number): number => sum + left * weight;

const right: { name: string; arithmetic: Arithmetic }[] = [
  { name: "int32 accumulators", arithmetic: { add: EXACT, exactBelow: 2 ** 29 } },
  {
    name: "float32 accumulators",
    arithmetic: { add: (sum, left, weight) => Math.fround(sum + left * weight), exactBelow: 2 ** 24 },
  },
];

const wrong: { name: string; arithmetic: Arithmetic }[] = [
  {
    name: "float32 whose partial sums may pass 2^24",
    arithmetic: { add: (sum, left, weight) => Math.fround(sum + left * weight), exactBelow: 2 ** 29 },
  },
  {
    name: "half precision accumulators",
    arithmetic: { add: (sum, left, weight) => rounded(sum + left * weight, 11), exactBelow: 2 ** 24 },
  },
  {
    name: "operands cut to bfloat16, weights exact",
    arithmetic: { add: (sum, left, weight) => sum + rounded(left, 7) * weight, exactBelow: 2 ** 24 },
  },
  {
    name: "weights cut to six bits",
    arithmetic: { add: (sum, left, weight) => sum + left * rounded(weight, 6), exactBelow: 2 ** 24 },
  },
  {
    name: "bytes read as signed",
    arithmetic: { add: (sum, left, weight) => sum + (left > 127 ? left - 256 : left) * weight, exactBelow: 2 ** 29 },
  },
  {
    name: "int8 products that saturate at 16 bits",
    arithmetic: { add: (sum, left, weight) => sum + Math.min(32_000, left * weight), exactBelow: 2 ** 29 },
  },
  {
    name: "accumulators that saturate at 2^23",
    arithmetic: {
      add: (sum, left, weight) => Math.max(-(2 ** 23), Math.min(2 ** 23, sum + left * weight)),
      exactBelow: 2 ** 24,
    },
  },
  {
    name: "a last row that is dropped",
    arithmetic: { add: (sum, left, weight, row) => (row === 699 ? sum : sum + left * weight), exactBelow: 2 ** 29 },
  },
];

describe("findLaneFault", () => {
  it.each(right)("passes $name", async ({ arithmetic }) => {
    expect(await findLaneFault(matrixLaneRuntime(runtimeWith(arithmetic)))).toBeUndefined();
  });

  it.each(wrong)("finds $name", async ({ arithmetic }) => {
    expect(await findLaneFault(matrixLaneRuntime(runtimeWith(arithmetic)))).toMatch(/^value \d+ modulo \d+ is/);
  });
});
