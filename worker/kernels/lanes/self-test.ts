/**
 * Extreme values that every lane runtime must get right on this device before it may compute for anyone: wrong fast maths, a driver
 * that rounds, a kernel that saturates. Milliseconds, once per page.
 */
import { laneBytes, limbCount, packLanes } from "#lib/lanes/block.ts";
import type { LaneRuntime } from "#lib/lanes/evaluator.ts";
import { redrawWords } from "#lib/lanes/mask.ts";
import type { AffineStep, LaneProgram, WeightMatrix } from "#lib/lanes/program.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";

/** The largest prime ≡ 1 mod 2^15 below 2^31, and a small one: four limbs and three. */
const PRIMES = [2_147_352_577, 786_433] as const;
/** Rows of the first matrix: ±127 in all of them passes every bound on exact sums. */
const ROWS = 700;
const COLUMNS = 6;

/** Residues that fill the lanes of the test, by lane; q is the prime. */
const LANES: readonly ((feature: number, q: number) => number)[] = [
  () => 0,
  (_, q) => q - 1,
  (_, q) => (q - 1) / 2,
  (_, q) => (q + 1) / 2,
  (f, q) => (f % 2 === 0 ? 0x7fff : 0x8000) % q,
  (f, q) => (f % 2 === 0 ? q - 1 : 1),
  (f, q) => (f * 2_654_435_761) % q,
];

/** What went wrong, or undefined if every bit is right. Throws what the runtime throws. */
export async function findLaneFault(runtime: LaneRuntime): Promise<string | undefined> {
  const program = selfTestProgram();
  const evaluator = await runtime.prepare(program);
  try {
    for (const [primeIndex, q] of PRIMES.entries()) {
      const lanes = LANES.map((value) => ({
        c0: Uint32Array.from({ length: ROWS }, (_, f) => value(f, q)),
        c1: Uint32Array.from({ length: ROWS }, (_, f) => value(ROWS - f, q)),
      }));
      const laneCount = lanes.length;
      const packed = new Uint8Array(laneCount * laneBytes(q, ROWS));
      packLanes(
        planesOf(
          lanes.map(({ c0 }) => c0),
          q,
        ),
        q,
        ROWS,
        packed,
      );
      const planes = planesOf(
        lanes.map(({ c1 }) => c1),
        q,
      );
      const mask = { planes, redraws: new Uint8Array(4 * laneCount * redrawWords(q, ROWS)) };
      const actual = await evaluator.evaluate({ primeIndex, laneCount, packed, mask });
      const expected = lanes.flatMap(({ c0, c1 }) => Array.from(evaluateLane(program, primeIndex, c0, c1)));
      const wrong = expected.findIndex((value, i) => value !== actual[i]);
      if (wrong >= 0) return `value ${wrong} modulo ${q} is ${actual[wrong]}, not ${expected[wrong]}`;
    }
    return undefined;
  } finally {
    await evaluator.dispose();
  }
}

/** All rows at ±127 in two digits, a square, and a small layer whose padding reads zeros. */
export function selfTestProgram(): LaneProgram {
  const extreme: WeightMatrix = {
    k: ROWS,
    m: COLUMNS,
    digitBits: 7,
    digits: [0, 1].map((digit) =>
      Int8Array.from({ length: ROWS * COLUMNS }, (_, at) => {
        const [row, column] = [Math.floor(at / COLUMNS), at % COLUMNS];
        const signs = [1, -1, row % 2 === 0 ? 1 : -1, 0, row % 3 === 0 ? -1 : 1, digit === 0 ? 1 : -1];
        return 127 * signs[column]!;
      }),
    ),
  };
  const small: WeightMatrix = {
    k: 4,
    m: 3,
    digitBits: 0,
    digits: [Int8Array.of(127, -127, 1, 127, -127, 0, 127, 127, -1, -127, -127, 127)],
  };
  const affine = (inputs: number, outputs: number, matrix: number, inputIndex: number[][]): AffineStep => ({
    kind: "affine",
    inputs,
    outputs,
    groups: inputIndex.map((index, g) => ({
      matrix,
      inputIndex: Int32Array.from(index),
      outputIndex: Int32Array.from({ length: outputs / inputIndex.length }, (_, m) => g + m * inputIndex.length),
    })),
    bias: PRIMES.map((q) => Uint32Array.from({ length: outputs }, (_, o) => (o % 2 === 0 ? q - 1 : o))),
  });
  const everyRow = Array.from({ length: ROWS }, (_, row) => row);
  return {
    version: 1,
    ring: { n: 1024, primes: PRIMES },
    inputs: ROWS,
    outputs: 6,
    polysOut: 3,
    matrices: [extreme, small],
    steps: [
      affine(ROWS, COLUMNS, 0, [everyRow]),
      { kind: "square", width: COLUMNS, carried: 1, carryFactor: Uint32Array.from(PRIMES, (q) => q - 2) },
      affine(COLUMNS, 6, 1, [
        [0, 1, 2, -1],
        [2, 3, 4, 5],
      ]),
    ],
  };
}

function planesOf(lanes: readonly Uint32Array[], q: number): Uint8Array<ArrayBuffer> {
  const limbs = limbCount(q);
  const bytes = lanes.flatMap((lane) =>
    Array.from({ length: limbs }, (_, limb) => Array.from(lane, (value) => (value >>> (8 * limb)) & 255)).flat(),
  );
  return Uint8Array.from(bytes);
}
