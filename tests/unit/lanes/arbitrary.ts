/** Random lane programs and runs for property-based tests. */
import fc from "fast-check";
import { nttPrimes } from "#lib/lanes/primes.ts";
import type { AffineGroup, AffineStep, LaneProgram, LaneStep, SquareStep, WeightMatrix } from "#lib/lanes/program.ts";

/** Mulberry32: a small seeded generator, enough to fill test data. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ProgramShape {
  readonly seed: number;
  readonly bits: readonly number[];
  readonly widths: readonly number[];
  readonly squares: number;
  readonly digits: 1 | 2;
  readonly extreme: boolean;
  readonly groups: number;
  readonly carried: boolean;
}

/** Shapes of small programs: any prime size, up to two squares, one or two digits, extreme or random weights. */
export const programShape: fc.Arbitrary<ProgramShape> = fc.record({
  seed: fc.nat(),
  bits: fc.uniqueArray(fc.integer({ min: 18, max: 31 }), { minLength: 1, maxLength: 3 }),
  widths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 4, maxLength: 4 }),
  squares: fc.integer({ min: 0, max: 2 }),
  digits: fc.constantFrom<1 | 2>(1, 2),
  extreme: fc.boolean(),
  groups: fc.integer({ min: 1, max: 3 }),
  carried: fc.boolean(),
});

/** The program of a shape: affine, then (square, affine) per square, each affine split into groups that may share a matrix. */
export function buildProgram(shape: ProgramShape): LaneProgram {
  const random = seeded(shape.seed);
  const n = 1024;
  const primes = shape.bits.map((bits) => nttPrimes(n, bits, 1)[0]!);
  const matrices: WeightMatrix[] = [];
  const steps: LaneStep[] = [];
  let width = shape.widths[0]!;
  const inputs = width;
  for (let layer = 0; layer <= shape.squares; layer++) {
    if (layer > 0) steps.push(randomSquare(width, primes, shape.carried, random));
    const step = randomAffine(width, shape.widths[layer + 1]!, primes, matrices, shape, random);
    steps.push(step);
    width = step.outputs;
  }
  return {
    version: 1,
    ring: { n, primes },
    inputs,
    outputs: width,
    polysOut: 2 ** shape.squares + 1,
    matrices,
    steps,
  };
}

/** Residues below q: zeros, ones, the largest, and random ones in between. */
export function randomResidues(count: number, q: number, random: () => number): Uint32Array {
  return Uint32Array.from({ length: count }, () => {
    const kind = random();
    if (kind < 0.1) return 0;
    if (kind < 0.3) return q - 1;
    return Math.floor(random() * q);
  });
}

function randomSquare(width: number, primes: readonly number[], carry: boolean, random: () => number): SquareStep {
  return {
    kind: "square",
    width,
    carried: carry ? Math.floor(random() * (width + 1)) : 0,
    carryFactor: Uint32Array.from(primes, (q) => randomResidues(1, q, random)[0]!),
  };
}

function randomAffine(
  inputs: number,
  groupWidth: number,
  primes: readonly number[],
  matrices: WeightMatrix[],
  shape: ProgramShape,
  random: () => number,
): AffineStep {
  const k = Math.max(1, Math.ceil(random() * inputs));
  const matrix = matrices.push(randomMatrix(k, groupWidth, shape, random)) - 1;
  const groups: AffineGroup[] = [];
  let outputs = 0;
  for (let g = 0; g < shape.groups; g++) {
    const inputIndex = Int32Array.from({ length: k }, () => Math.floor(random() * (inputs + 1)) - 1);
    // Later groups may drop columns; the first keeps one output at least.
    const outputIndex = Int32Array.from({ length: groupWidth }, (_, m) =>
      (g > 0 || m > 0) && random() < 0.2 ? -1 : outputs++,
    );
    groups.push({ matrix, inputIndex, outputIndex });
  }
  const bias = primes.map((q) => randomResidues(outputs, q, random));
  return { kind: "affine", inputs, outputs, groups, bias };
}

function randomMatrix(k: number, m: number, shape: ProgramShape, random: () => number): WeightMatrix {
  const zeroColumn = random() < 0.3 ? Math.floor(random() * m) : -1;
  const digit = () =>
    Int8Array.from({ length: k * m }, (_, at) => {
      if (at % m === zeroColumn) return 0;
      if (shape.extreme) return random() < 0.5 ? -127 : 127;
      return Math.floor(random() * 255) - 127;
    });
  const digits = shape.digits === 1 ? [digit()] : [digit(), digit()];
  return { k, m, digitBits: shape.digits === 1 ? 0 : 1 + Math.floor(random() * 7), digits };
}
