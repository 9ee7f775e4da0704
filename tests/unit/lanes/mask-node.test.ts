import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { importMaskSeed, maskStreams } from "#lib/lanes/mask.ts";
import { scatteredMasksNode } from "#lib/lanes/mask-node.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";

describe("scatteredMasksNode", () => {
  it("gives, for lanes in any order, the streams that a donor expands for whole runs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 17, max: 31 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 0, max: 7 }),
        fc.array(fc.integer({ min: 0, max: 16_383 }), { minLength: 1, maxLength: 6 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        async (bits, features, primeIndex, lanes, seed) => {
          const q = nttPrimes(1024, bits, 1)[0]!;
          const scattered = scatteredMasksNode(seed, q, features, primeIndex, lanes);
          const key = await importMaskSeed(seed);
          const planeBytes = scattered.planes.length / lanes.length;
          const redrawBytes = scattered.redraws.length / lanes.length;
          for (const [i, firstLane] of lanes.entries()) {
            const { planes, redraws } = await maskStreams(key, q, features, { primeIndex, firstLane, laneCount: 1 });
            expect(scattered.planes.slice(i * planeBytes, (i + 1) * planeBytes)).toEqual(planes);
            expect(scattered.redraws.slice(i * redrawBytes, (i + 1) * redrawBytes)).toEqual(redraws);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
