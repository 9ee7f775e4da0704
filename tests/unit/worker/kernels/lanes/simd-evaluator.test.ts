/** What the contract's small programs do not reach: weights larger than the cache, bounds met exactly, refusals. */
import { describe, expect, it } from "vitest";
import { laneBytes, packLanes } from "#lib/lanes/block.ts";
import { redrawWords } from "#lib/lanes/mask.ts";
import type { AffineStep, LaneProgram, WeightMatrix } from "#lib/lanes/program.ts";
import { evaluateLane } from "#lib/lanes/reference.ts";
import { limbPlanes } from "#tests/support/lanes.ts";
import { randomResidues, seeded } from "#tests/unit/lanes/arbitrary.ts";
import { prepareSimd } from "#worker/kernels/lanes/simd-evaluator.ts";

const Q = 2_147_352_577;
const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** One dense layer, or several that follow one another, each with a square before it. */
function denseProgram(matrices: readonly WeightMatrix[]): LaneProgram {
  const steps = matrices.flatMap((matrix, index): LaneProgram["steps"] => {
    const affine: AffineStep = {
      kind: "affine",
      inputs: matrix.k,
      outputs: matrix.m,
      groups: [{ inputIndex: upTo(matrix.k), matrix: index, outputIndex: upTo(matrix.m) }],
      bias: [new Uint32Array(matrix.m).fill(Q - 1)],
    };
    if (index === 0) return [affine];
    return [{ kind: "square", width: matrix.k, carried: 0, carryFactor: Uint32Array.of(1) }, affine];
  });
  return {
    version: 1,
    ring: { n: 2048, primes: [Q] },
    inputs: matrices[0]!.k,
    outputs: matrices.at(-1)!.m,
    polysOut: 2 ** (matrices.length - 1) + 1,
    matrices,
    steps,
  };
}

function dense(k: number, m: number, weight: (row: number, column: number) => number): WeightMatrix {
  const digit = Int8Array.from({ length: k * m }, (_, at) => weight(Math.floor(at / m), at % m));
  return { k, m, digitBits: 0, digits: [digit] };
}

/** Evaluates lanes given as residues and compares the ones named with the reference. */
async function expectReference(program: LaneProgram, lanes: readonly Uint32Array[], compared: readonly number[]) {
  const evaluator = await prepareSimd(program);
  const features = program.inputs;
  const packed = new Uint8Array(lanes.length * laneBytes(Q, features));
  packLanes(limbPlanes(lanes, Q), Q, features, packed);
  const mask = {
    planes: limbPlanes(
      lanes.map((lane) => lane.toReversed()),
      Q,
    ),
    redraws: new Uint8Array(4 * lanes.length * redrawWords(Q, features)),
  };
  const actual = evaluator.evaluate({ primeIndex: 0, laneCount: lanes.length, packed, mask });
  const perLane = program.polysOut * program.outputs;
  for (const lane of compared) {
    const expected = evaluateLane(program, 0, lanes[lane]!, lanes[lane]!.toReversed());
    expect(actual.slice(lane * perLane, (lane + 1) * perLane)).toEqual(expected);
  }
}

describe("the SIMD evaluator", () => {
  it("cuts weights that outgrow the cache and walks tiles of lanes through them", async () => {
    const random = seeded(3);
    const weight = () => Math.floor(random() * 255) - 127;
    const program = denseProgram([dense(520, 300, weight), dense(300, 7, weight)]);
    const lanes = Array.from({ length: 70 }, () => randomResidues(520, Q, random));
    await expectReference(program, lanes, [0, 31, 32, 63, 64, 69]);
  });

  it("is exact where a column's weights add up to the bound and every limb is at its extreme", async () => {
    // 516·127 + 3 = 65,535 with low limbs of −2^15: |sum| = 2^31 − 2^15.
    const program = denseProgram([dense(517, 2, (row, column) => (row === 516 ? 3 : 127) * (column === 0 ? 1 : -1))]);
    const extremes = [0x8000, 0x7fff, 0x8000_0000 - 0x8000, Q - 0x8000, (Q - 1) / 2, (Q + 1) / 2, Q - 1, 0x3fff_8000];
    const lanes = extremes.map((value) => new Uint32Array(517).fill(value % Q));
    await expectReference(program, lanes, [...upTo(lanes.length)]);
  });

  it("runs every count of features around a turn of sixteen", async () => {
    const random = seeded(9);
    for (let features = 1; features <= 34; features++) {
      const program = denseProgram([dense(features, 3, () => Math.floor(random() * 255) - 127)]);
      const lanes = Array.from({ length: 5 }, () => randomResidues(features, Q, random));
      await expectReference(program, lanes, [0, 4]);
    }
  });

  it("refuses bytes that are not the lanes it was told", async () => {
    const program = denseProgram([dense(8, 2, () => 1)]);
    const evaluator = await prepareSimd(program);
    const mask = { planes: new Uint8Array(4 * 8 * 4), redraws: new Uint8Array(4096) };
    const packed = new Uint8Array(4 * laneBytes(Q, 8) - 1);
    expect(() => evaluator.evaluate({ primeIndex: 0, laneCount: 4, packed, mask })).toThrow(/4 lanes are/);
  });

  it("refuses a program that would not fit a donor's memory", async () => {
    const width = 65_536;
    const wide = denseProgram([dense(1, width, () => 1)]);
    const square = { kind: "square", width, carried: 0, carryFactor: Uint32Array.of(1) } as const;
    // Eight squares make 257 polynomials of 65,536 values.
    const program = { ...wide, steps: [...wide.steps, ...new Array(8).fill(square)] };
    const refusal = await prepareSimd(program).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "plan_impossible" });
  });
});
