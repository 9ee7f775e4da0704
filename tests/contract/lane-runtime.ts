/**
 * The contract of a lane runtime, free of any test framework so that the same code runs in Node and inside a browser page:
 * random programs on random and extreme residues give the bits of the BigInt reference evaluator.
 */
import { laneBytes, limbCount, packLanes } from "#lib/lanes/block.ts";
import type { LaneChunk, LaneRuntime } from "#lib/lanes/evaluator.ts";
import { redrawWords } from "#lib/lanes/mask.ts";
import { bitLength } from "#lib/lanes/primes.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";
import { limbPlanes } from "#tests/support/lanes.ts";
import { buildProgram, type ProgramShape, randomResidues, seeded } from "#tests/unit/lanes/arbitrary.ts";

export interface ContractReport {
  readonly programs: number;
  readonly lanes: number;
  /** Seeds of programs with a lane that differs, or that threw; empty when the contract holds. */
  readonly failures: readonly { readonly seed: number; readonly detail: string }[];
}

/** Runs `programs` random programs from `firstSeed` on. */
export async function checkLaneRuntime(runtime: LaneRuntime, programs: number, firstSeed = 1): Promise<ContractReport> {
  const failures: { seed: number; detail: string }[] = [];
  let lanes = 0;
  for (let seed = firstSeed; seed < firstSeed + programs; seed++) {
    const random = seeded(seed);
    const program = buildProgram(randomShape(seed, random));
    try {
      lanes += await checkProgramOn(runtime, program, random);
    } catch (error) {
      failures.push({ seed, detail: String(error) });
    }
  }
  return { programs, lanes, failures };
}

/** Sizes from one value to columns that are too long for one exact pass; every prime size; up to three squares. */
function randomShape(seed: number, random: () => number): ProgramShape {
  const upTo = (most: number): number => 1 + Math.floor(random() * most);
  // Long columns cost the BigInt reference much: one program in sixteen.
  const long = seed % 16 === 0;
  return {
    seed,
    bits: [17 + (seed % 15)],
    widths: [long ? 200 + upTo(900) : upTo(40), upTo(7), upTo(12), upTo(6), upTo(4)],
    squares: long ? 0 : seed % 4,
    digits: random() < 0.5 ? 1 : 2,
    extreme: random() < 0.4,
    groups: upTo(3),
    carried: random() < 0.3,
  };
}

async function checkProgramOn(runtime: LaneRuntime, program: LaneProgram, random: () => number): Promise<number> {
  const laneCount = 1 + Math.floor(random() * 6);
  const evaluator = await runtime.prepare(program);
  try {
    for (const [primeIndex, q] of program.ring.primes.entries()) {
      const rows = Array.from({ length: laneCount }, () => ({
        c0: extremeOr(random, program.inputs, q),
        c1: extremeOr(random, program.inputs, q),
      }));
      const actual = await evaluator.evaluate(chunkOf(rows, primeIndex, q, random));
      const perLane = program.polysOut * program.outputs;
      rows.forEach(({ c0, c1 }, lane) => {
        const expected = evaluateLane(program, primeIndex, c0, c1);
        for (let i = 0; i < perLane; i++) {
          if (actual[lane * perLane + i] !== expected[i]) {
            throw new Error(`q ${q} lane ${lane} value ${i}: ${actual[lane * perLane + i]}, expected ${expected[i]}`);
          }
        }
      });
      if (actual.length !== laneCount * perLane) throw new Error(`${actual.length} residues`);
    }
  } finally {
    await evaluator.dispose();
  }
  return laneCount * program.ring.primes.length;
}

/** One run in four is all one extreme: zeros, ones, q − 1, the half, limbs of all ones. */
function extremeOr(random: () => number, count: number, q: number): Uint32Array {
  if (random() >= 0.25) return randomResidues(count, q, random);
  const extremes = [0, 1, q - 1, (q - 1) / 2, (q + 1) / 2, 0x7fff, 0x8000, 0xffff, 0x10000, q & 0x7fff0000];
  return new Uint32Array(count).fill(extremes[Math.floor(random() * extremes.length)]! % q);
}

interface Row {
  readonly c0: Uint32Array;
  readonly c1: Uint32Array;
}

/** Rows as a donor gets them: c0 packed; c1 as mask streams, some residues rejected and redrawn, top limbs with stray bits. */
function chunkOf(rows: readonly Row[], primeIndex: number, q: number, random: () => number): LaneChunk {
  const features = rows[0]!.c0.length;
  const packed = new Uint8Array(rows.length * laneBytes(q, features));
  packLanes(
    limbPlanes(
      rows.map((row) => row.c0),
      q,
    ),
    q,
    features,
    packed,
  );
  const bits = bitLength(q);
  const wordsPerLane = redrawWords(q, features);
  const words = new Uint32Array(rows.length * wordsPerLane).fill(0xffffffff);
  const drawn = rows.map(({ c1 }, lane) => {
    let used = 0;
    return c1.map((value) => {
      if (random() > 0.05 || used + 2 > wordsPerLane || q === 2 ** bits - 1) return value;
      // One word that is rejected again, then the residue.
      if (random() < 0.5) words[lane * wordsPerLane + used++] = 2 ** bits - 1;
      words[lane * wordsPerLane + used++] = value;
      return q + Math.floor(random() * (2 ** bits - q));
    });
  });
  const planes = limbPlanes(drawn, q);
  const limbs = limbCount(q);
  if (bits % 8 !== 0) {
    planes.forEach((limb, at) => {
      const isTop = Math.floor(at / features) % limbs === limbs - 1;
      if (isTop) planes[at] = limb | (Math.floor(random() * 256) & ~((1 << (bits % 8)) - 1));
    });
  }
  return { primeIndex, laneCount: rows.length, packed, mask: { planes, redraws: new Uint8Array(words.buffer) } };
}
