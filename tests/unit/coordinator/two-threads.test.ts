/** Encrypting in two threads gives what one gives: phases that decrypt to the same values, and the same count of clipped ones. */
import { expect, it } from "vitest";
import { encryptInTwoThreads } from "#lib/coordinator/isolated/two-threads.ts";
import { encryptPhases } from "#lib/keyholder/encrypt-batch.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import type { KeyholderPlan } from "#lib/lanes/plan.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";

const N = 4096;
const FEATURES = 160;
const SCALE = 2 ** 16;
/** SEAL's noise is 3.2 wide; summed in a slot it stays far below this part of the scale. */
const TOLERANCE = 0.05;

it("gives every feature's values, from either thread", async () => {
  const [q, special] = nttPrimes(N, 30, 2, []) as [number, number];
  const all = <T>(value: T) => new Array<T>(FEATURES).fill(value);
  const plan: KeyholderPlan = {
    version: 1,
    ring: { n: N, primes: [q], specialPrime: special },
    input: {
      sourceFeatures: FEATURES,
      index: all(0).map((_, i) => i),
      center: all(0),
      factor: all(1),
      low: all(-1),
      high: all(1),
      outside: "clip",
      scale: SCALE,
    },
    members: [
      {
        digest: "0".repeat(64),
        firstOutput: 0,
        outputs: 1,
        polysOut: 2,
        scaleOut: 1,
        factor: [1],
        center: [0],
        expectedMax: 1,
        capacity: 1,
        precisionBits: 10,
        tail: "",
      },
    ],
  };
  const rows = 50;
  const data = Float32Array.from({ length: rows * FEATURES }, (_, i) => ((i * 37) % 101) / 50 - 1);
  data[3] = 5;
  data[FEATURES + 159] = -7;
  using key = await SealKey.create({ n: N, primes: [q], specialPrime: special });
  const records = { rows, features: FEATURES, data };
  const two = await encryptInTwoThreads(plan, key, records);
  const one = encryptPhases(plan, key, records);
  expect(two.clippedValues).toBe(2);
  expect(one.clippedValues).toBe(2);
  for (const feature of [0, 80, 90, 159]) {
    // A phase is a ciphertext whose second polynomial is zero.
    const ciphertext = new Int32Array(2 * N);
    ciphertext.set(two.phases[0]!.subarray(feature * N, (feature + 1) * N));
    const slots = key.decrypt(ciphertext, 2, SCALE);
    for (let row = 0; row < rows; row++) {
      const wanted = Math.min(1, Math.max(-1, data[row * FEATURES + feature]!));
      expect(Math.abs(slots[row]! - wanted)).toBeLessThan(TOLERANCE);
    }
  }
});
