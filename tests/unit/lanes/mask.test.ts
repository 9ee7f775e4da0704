import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limbCount, readResidue, residuesBelow } from "#lib/lanes/block.ts";
import { expandMask, importMaskSeed, redrawWords } from "#lib/lanes/mask.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";

const seed = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

describe("mask expansion", () => {
  it("regenerates any run of lanes without what precedes it", async () => {
    const key = await importMaskSeed(seed);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 18, max: 31 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (bits, features, firstLane, laneCount) => {
          const q = nttPrimes(1024, bits, 1)[0]!;
          const laneSize = limbCount(q) * features;
          const all = await expandMask(key, q, features, { primeIndex: 2, firstLane: 0, laneCount: 64 });
          const part = await expandMask(key, q, features, { primeIndex: 2, firstLane, laneCount });
          expect(residuesBelow(all, q, features)).toBe(true);
          expect(part).toEqual(all.slice(firstLane * laneSize, (firstLane + laneCount) * laneSize));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("is uniform below q, also where a fifth of the draws is rejected (chi-square over 64 bins)", async () => {
    const key = await importMaskSeed(seed);
    // 17 bits at N = 1024: the prime is well below 2^17, so redraws are exercised.
    const q = nttPrimes(1024, 17, 8).at(-1)!;
    expect(1 - q / 2 ** 17).toBeGreaterThan(0.1);
    const features = 1000;
    const planes = await expandMask(key, q, features, { primeIndex: 0, firstLane: 0, laneCount: 64 });
    const bins = new Float64Array(64);
    const limbs = limbCount(q);
    for (let lane = 0; lane < 64; lane++) {
      for (let f = 0; f < features; f++) {
        bins[Math.floor((readResidue(planes, lane * limbs * features + f, limbs, features) / q) * 64)]!++;
      }
    }
    const chiSquare = bins.reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0);
    // 63 degrees of freedom: 0.9999 quantile 113.
    expect(chiSquare).toBeLessThan(113);
  });

  it("differs between primes, seeds and lanes", async () => {
    const q = nttPrimes(1024, 28, 1)[0]!;
    const run = { primeIndex: 0, firstLane: 0, laneCount: 2 };
    const key = await importMaskSeed(seed);
    const other = await importMaskSeed(seed.map((byte) => byte ^ 1));
    const planes = await expandMask(key, q, 32, run);
    expect(planes.slice(0, 128)).not.toEqual(planes.slice(128));
    expect(await expandMask(key, q, 32, { ...run, primeIndex: 1 })).not.toEqual(planes);
    expect(await expandMask(other, q, 32, run)).not.toEqual(planes);
  });

  it("keeps redraw words few for primes just below a power of two", () => {
    expect(redrawWords(nttPrimes(8192, 28, 1)[0]!, 784)).toBeLessThan(100);
    expect(redrawWords(nttPrimes(8192, 24, 4)[3]!, 784)).toBeLessThan(200);
  });
});
