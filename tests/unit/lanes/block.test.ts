import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blobBytes,
  blobRange,
  encodeResult,
  laneBytes,
  limbCount,
  packLanes,
  parsePayload,
  parseResult,
  parseResultLanes,
  payloadHeader,
  unpackLanes,
} from "#lib/lanes/block.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import { buildProgram, randomResidues, seeded } from "./arbitrary.ts";

function planesOf(residues: Uint32Array, q: number, features: number): Uint8Array {
  const limbs = limbCount(q);
  const planes = new Uint8Array(residues.length * limbs);
  residues.forEach((value, i) => {
    const lane = Math.floor(i / features);
    for (let limb = 0; limb < limbs; limb++) {
      planes[lane * limbs * features + limb * features + (i % features)] = (value >>> (8 * limb)) & 255;
    }
  });
  return planes;
}

describe("lane payloads", () => {
  it("pack to the prime's bits and unpack to the same planes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 18, max: 31 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        (bits, features, lanes, seed) => {
          const q = nttPrimes(1024, bits, 1)[0]!;
          const planes = planesOf(randomResidues(lanes * features, q, seeded(seed)), q, features);
          const body = new Uint8Array(lanes * laneBytes(q, features));
          packLanes(planes, q, features, body);
          expect(laneBytes(q, features)).toBeLessThanOrEqual(Math.ceil((bits * features) / 8) + 1);
          const back = new Uint8Array(planes.length);
          unpackLanes(body, q, features, back);
          expect(back).toEqual(planes);
        },
      ),
    );
  });

  it("refuses a residue that is not below the prime", () => {
    for (const bits of [24, 28, 31]) {
      const q = nttPrimes(1024, bits, 1)[0]!;
      const body = new Uint8Array(laneBytes(q, 4));
      const planes = planesOf(Uint32Array.of(0, q - 1, 1, q), q, 4);
      packLanes(planes, q, 4, body);
      expect(() => unpackLanes(body, q, 4, new Uint8Array(planes.length))).toThrow(/not below its prime/);
    }
  });

  it("are contiguous ranges of the batch's blob, in order, without gaps", () => {
    const ring = { n: 1024, primes: [...nttPrimes(1024, 28, 2), ...nttPrimes(1024, 24, 1)] };
    let next = 0;
    for (let primeIndex = 0; primeIndex < 3; primeIndex++) {
      for (const [firstLane, laneCount] of [
        [0, 7],
        [7, 1000],
        [1007, 17],
      ] as const) {
        const range = blobRange(ring, 13, { primeIndex, firstLane, laneCount });
        expect(range.offset).toBe(next);
        next += range.length;
      }
    }
    expect(next).toBe(blobBytes(ring, 13));
  });

  it("have a header that is checked word by word", () => {
    const ring = { n: 1024, primes: nttPrimes(1024, 28, 2) };
    const run = { primeIndex: 1, firstLane: 3, laneCount: 2 };
    const seed = new Uint8Array(16).fill(9);
    const bytes = new Uint8Array(48 + 2 * laneBytes(ring.primes[1]!, 5));
    bytes.set(payloadHeader(ring, 5, run, seed));
    expect(parsePayload(bytes, ring, 5)).toMatchObject({ run, seed, features: 5, modulus: ring.primes[1] });
    // The low bytes of firstLane (12, 13) name other valid lanes: the lease, not the payload, says which were asked for.
    for (const at of Array.from({ length: 32 }, (_, i) => i).filter((i) => i !== 12 && i !== 13)) {
      const hostile = bytes.slice();
      hostile[at] = hostile[at]! ^ 0x80;
      expect(() => parsePayload(hostile, ring, 5), `byte ${at}`).toThrow(/Lane block/);
    }
    expect(() => parsePayload(bytes.subarray(1), ring, 5)).toThrow(/Lane block/);
    expect(() => parsePayload(bytes, ring, 6)).toThrow(/another program/);
  });
});

describe("lane results", () => {
  const program = buildProgram({
    seed: 3,
    bits: [24, 31],
    widths: [4, 3, 2, 2],
    squares: 2,
    digits: 1,
    extreme: false,
    groups: 1,
    carried: false,
  });
  const run = { primeIndex: 1, firstLane: 100, laneCount: 3 };
  const q = program.ring.primes[1]!;
  const residues = randomResidues(3 * program.polysOut * program.outputs, q, seeded(1));

  it("give back their residues", () => {
    expect(parseResult(encodeResult(program, run, residues), program, run)).toEqual(residues);
  });

  it("give back chosen lanes in the order that was asked for", () => {
    const perLane = program.polysOut * program.outputs;
    const lane = (index: number) => [...residues.subarray(index * perLane, (index + 1) * perLane)];
    const got = parseResultLanes(encodeResult(program, run, residues), program, run, [2, 0]);
    expect([...got]).toEqual([...lane(2), ...lane(0)]);
  });

  it("a value that is not below its prime: a chosen lane with it is refused; in the whole it stands for its residue", () => {
    const large = residues.slice();
    large[0] = q;
    const bytes = encodeResult(program, run, large);
    expect(() => parseResultLanes(bytes, program, run, [0])).toThrow("not below its prime");
    expect(parseResultLanes(bytes, program, run, [1])).toHaveLength(program.polysOut * program.outputs);
    expect(parseResult(bytes, program, run)[0]).toBe(0);
  });

  it("never yield a residue out of range: 100,000 mutations", () => {
    const random = seeded(11);
    const good = encodeResult(program, run, residues);
    let refused = 0;
    for (let i = 0; i < 100_000; i++) {
      const bytes = random() < 0.1 ? good.slice(0, Math.floor(random() * good.length)) : good.slice();
      const flips = 1 + Math.floor(random() * 4);
      for (let k = 0; k < flips && bytes.length > 0; k++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
      try {
        for (const value of parseResult(bytes, program, run)) if (value >= q) throw new Error("out of range");
      } catch (error) {
        if (!isFluxError(error) || error.code !== "result_malformed") throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10_000);
  });
});
