import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inverseMod, isPrime, mulMod, nttPrimes } from "#lib/lanes/primes.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";

describe("reference evaluator", () => {
  it("is the plain network modulo q on a hand-made program", () => {
    const q = nttPrimes(1024, 20, 1)[0]!;
    const program: LaneProgram = {
      version: 1,
      ring: { n: 1024, primes: [q] },
      inputs: 2,
      outputs: 2,
      polysOut: 3,
      matrices: [
        { k: 3, m: 2, digitBits: 7, digits: [Int8Array.of(1, 2, 3, -4, 5, 6), Int8Array.of(0, 1, 0, 0, 0, 0)] },
      ],
      steps: [
        {
          kind: "affine",
          inputs: 2,
          outputs: 2,
          // Column 0: x0 + 3·x1; column 1: 130·x0 − 4·x1. The third row reads padding.
          groups: [{ matrix: 0, inputIndex: Int32Array.of(0, 1, -1), outputIndex: Int32Array.of(1, 0) }],
          bias: [Uint32Array.of(7, 9)],
        },
        { kind: "square", width: 2, carried: 1, carryFactor: Uint32Array.of(10) },
      ],
    };
    // Poly 0: out0 = 130·2 − 4·5 + 7 = 247, out1 = 2 + 15 + 9 = 26. Poly 1: out0 = 130 − 12 = 118, out1 = 1 + 9 = 10.
    expect([...evaluateLane(program, 0, [2, 5], [1, 3])]).toEqual([
      (247 * 247) % q,
      260,
      (2 * 247 * 118) % q,
      100,
      (118 * 118) % q,
      0,
    ]);
  });
});

describe("modular helpers", () => {
  it("multiply exactly for every size of prime, extremes included", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 17, max: 31 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(),
        (bits, u, seed) => {
          const q = nttPrimes(1024, bits, 1)[0]!;
          for (const a of [0, 1, q - 1, Math.min(q - 1, Math.floor(u * q))]) {
            for (const b of [0, 1, q - 1, q - 2, seed % q]) {
              expect(mulMod(a, b, q)).toBe(Number((BigInt(a) * BigInt(b)) % BigInt(q)));
            }
          }
          expect(mulMod(inverseMod((seed % (q - 1)) + 1, q), (seed % (q - 1)) + 1, q)).toBe(1);
        },
      ),
    );
  });

  it("find the NTT primes", () => {
    expect([2, 3, 4, 91, 97, 2147483647].map(isPrime)).toEqual([true, true, false, false, true, true]);
    const primes = nttPrimes(8192, 24, 4);
    expect(primes).toHaveLength(4);
    expect(primes.every((q) => q % 16384 === 1 && q < 2 ** 24)).toBe(true);
  });
});
