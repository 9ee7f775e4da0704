/** The generated kernel's element-wise functions on their own, at the edges of what they promise. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { instantiateLaneKernel, type LaneKernel } from "#worker/kernels/lanes/wasm/kernel.ts";
import { SQUARE_POLYS } from "#worker/kernels/lanes/wasm/square.ts";
import { VECTOR_BYTES, VECTOR_LANES } from "#worker/kernels/lanes/wasm/vectors.ts";

const memory = new WebAssembly.Memory({ initial: 4 });
const words = new Int32Array(memory.buffer);
const WIDTH = 8;
const STRIDE = WIDTH * VECTOR_BYTES;
const INPUT = 1024;
const OUTPUT = 65_536;
let kernel: LaneKernel;

beforeAll(async () => {
  kernel = await instantiateLaneKernel(memory);
});

const moduli = fc.oneof(
  fc.integer({ min: 2 ** 16 + 1, max: 2 ** 31 - 1 }),
  fc.constantFrom(65_537, 2 ** 24 - 3, 2 ** 31 - 1, 2_147_352_577),
);

/** A modulus and balanced residues up to the edge: |r| ≤ q/2 + 2^10. */
const balancedResidues = (count: number) =>
  moduli.chain((q) => {
    const edge = Math.min(2 ** 31 - 1, Math.floor(q / 2) + 1024);
    const value = fc.oneof(
      fc.integer({ min: -edge, max: edge }),
      fc.constantFrom(-edge, edge, 0, 1, -1, 0x7fff, 0x8000, -0x8000, -0x8001),
    );
    return fc.record({ q: fc.constant(q), values: fc.array(value, { minLength: count, maxLength: count }) });
  });

const modulo = (value: bigint, q: bigint): bigint => ((value % q) + q) % q;

/** The value is congruent and balanced. */
function expectResidue(actual: number, exact: bigint, q: number): void {
  expect(modulo(BigInt(actual), BigInt(q))).toBe(modulo(exact, BigInt(q)));
  expect(Math.abs(actual)).toBeLessThanOrEqual(q / 2 + 1024);
}

describe("square", () => {
  it.each(SQUARE_POLYS)("of %i polynomials is the polynomial square, balanced", (polys) => {
    const count = polys * WIDTH * VECTOR_LANES;
    fc.assert(
      fc.property(balancedResidues(count), ({ q, values }) => {
        words.set(values, INPUT / 4);
        kernel.square[polys]!(INPUT, STRIDE, OUTPUT, STRIDE, WIDTH, q, 1 / q);
        for (let k = 0; k < 2 * polys - 1; k++) {
          for (let at = 0; at < STRIDE / 4; at++) {
            let exact = 0n;
            for (let i = Math.max(0, k - polys + 1); i <= Math.min(k, polys - 1); i++) {
              exact += BigInt(values[(i * STRIDE) / 4 + at]!) * BigInt(values[((k - i) * STRIDE) / 4 + at]!);
            }
            expectResidue(words[(OUTPUT + k * STRIDE) / 4 + at]!, exact, q);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("scale", () => {
  it("multiplies by one residue", () => {
    fc.assert(
      fc.property(balancedResidues(WIDTH * VECTOR_LANES + 1), ({ q, values }) => {
        const [factor, ...rest] = values as [number, ...number[]];
        words.set(rest, INPUT / 4);
        kernel.scale(INPUT, OUTPUT, WIDTH, factor, q, 1 / q);
        rest.forEach((value, at) => {
          expectResidue(words[OUTPUT / 4 + at]!, BigInt(value) * BigInt(factor), q);
        });
      }),
      { numRuns: 200 },
    );
  });
});
