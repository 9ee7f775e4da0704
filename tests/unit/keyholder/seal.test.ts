import { describe, expect, it } from "vitest";
import { type CkksRing, SealKey } from "#lib/keyholder/seal.ts";
import { mulMod, nttPrimes, smallestNttPrime } from "#lib/lanes/primes.ts";

const n = 2048;
const ring: CkksRing = { n, primes: nttPrimes(n, 20, 2), specialPrime: smallestNttPrime(n) };
const values = Float64Array.from({ length: n / 2 }, (_, i) => Math.sin(i));

function join(parts: readonly (readonly Int32Array[])[]): Int32Array {
  const all = parts.flat();
  const out = new Int32Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function worst(a: Float64Array, b: Float64Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe("SEAL key", () => {
  it("decrypts what it encrypted, residues in hand", async () => {
    using key = await SealKey.create(ring);
    const { c0, c1 } = key.encrypt(values, 2 ** 20);
    expect(worst(key.decrypt(join([c0, c1]), 2, 2 ** 20), values)).toBeLessThan(1e-2);
  });

  it("gives a secret with which c0 + c1·s is message and little noise at every prime", async () => {
    using key = await SealKey.create(ring);
    const { c0, c1 } = key.encrypt(values, 2 ** 20);
    const secret = key.secretResidues();
    const phase = ring.primes.map((q, p) =>
      Int32Array.from({ length: n }, (_, i) => (c0[p]![i]! + mulMod(c1[p]![i]!, secret[p]![i]!, q)) % q),
    );
    const zeros = ring.primes.map(() => new Int32Array(n));
    expect(worst(key.decrypt(join([phase, zeros]), 2, 2 ** 20), values)).toBeLessThan(1e-2);
  });

  it("is the same key after export and import, and another without", async () => {
    using key = await SealKey.create(ring);
    using same = await SealKey.create(ring, { secret: key.exportSecret() });
    using other = await SealKey.create(ring);
    const { c0, c1 } = key.encrypt(values, 2 ** 20);
    expect(worst(same.decrypt(join([c0, c1]), 2, 2 ** 20), values)).toBeLessThan(1e-2);
    expect(worst(other.decrypt(join([c0, c1]), 2, 2 ** 20), values)).toBeGreaterThan(1e3);
  });

  it("refuses damaged keys and insecure rings", async () => {
    using key = await SealKey.create(ring);
    const secret = key.exportSecret();
    await expect(SealKey.create(ring, { secret: secret.subarray(1) })).rejects.toMatchObject({ code: "key_lost" });
    const damaged = secret.slice().fill(255, 0, 64);
    await expect(SealKey.create(ring, { secret: damaged })).rejects.toMatchObject({ code: "key_lost" });
    const wide = { n, primes: nttPrimes(n, 30, 3), specialPrime: smallestNttPrime(n) };
    await expect(SealKey.create(wide)).rejects.toMatchObject({ code: "plan_impossible" });
  });

  it("leaks nothing over 10,000 operations", async () => {
    // N = 1024 with one prime: the smallest ring SEAL accepts at 128 bits; every operation makes and frees the same objects.
    const small: CkksRing = { n: 1024, primes: nttPrimes(1024, 27, 1), specialPrime: undefined };
    const slots = new Float64Array(512).fill(0.5);
    // A hundred operations: a key made, one imported, 49 encryptions and 49 decryptions.
    const operate = async (count: number) => {
      for (let i = 0; i < count; i += 100) {
        using key = await SealKey.create(small);
        using copy = await SealKey.create(small, { secret: key.exportSecret() });
        for (let k = 0; k < 49; k++) {
          const { c0, c1 } = key.encrypt(slots, 2 ** 18);
          copy.decrypt(join([c0, c1]), 2, 2 ** 18);
        }
      }
    };
    await operate(1000);
    const before = process.memoryUsage.rss();
    await operate(10_000);
    // A leaked ciphertext is 16 kB, a key's context several hundred: either would show as 100 MB and more.
    expect(process.memoryUsage.rss() - before).toBeLessThan(60e6);
  });
});
