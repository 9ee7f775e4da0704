/**
 * The reference evaluator: one lane in BigInt, as plainly as the definition reads. The measure for every fast evaluator.
 */
import type { AffineStep, LaneProgram, SquareStep, WeightMatrix } from "./program.ts";

/** Values of one lane: `[poly][value]`. */
type Lane = bigint[][];

/**
 * Runs the program on one lane. `c0` and `c1` are `[inputs]` residues of the prime at `primeIndex`.
 * Returns residues `[poly][output]`, as in a result's bytes.
 */
export function evaluateLane(
  program: LaneProgram,
  primeIndex: number,
  c0: ArrayLike<number>,
  c1: ArrayLike<number>,
): Uint32Array<ArrayBuffer> {
  const q = BigInt(program.ring.primes[primeIndex]!);
  let lane: Lane = [Array.from(c0, BigInt), Array.from(c1, BigInt)];
  for (const step of program.steps) {
    switch (step.kind) {
      case "affine":
        lane = affine(step, program.matrices, primeIndex, q, lane);
        break;
      case "square":
        lane = square(step, primeIndex, q, lane);
        break;
    }
  }
  return Uint32Array.from(lane.flat(), Number);
}

/** The integer weight that a matrix's digits stand for. */
export function weightAt(matrix: WeightMatrix, row: number, column: number): number {
  const at = row * matrix.m + column;
  return matrix.digits.reduce((sum, digit, i) => sum + digit[at]! * 2 ** (i * matrix.digitBits), 0);
}

function affine(step: AffineStep, matrices: readonly WeightMatrix[], primeIndex: number, q: bigint, lane: Lane): Lane {
  return lane.map((values, poly) => {
    const out = Array.from(step.bias[primeIndex]!, (bias) => (poly === 0 ? BigInt(bias) : 0n));
    for (const group of step.groups) {
      const matrix = matrices[group.matrix]!;
      group.outputIndex.forEach((output, column) => {
        if (output < 0) return;
        group.inputIndex.forEach((input, row) => {
          if (input >= 0) out[output]! += values[input]! * BigInt(weightAt(matrix, row, column));
        });
      });
    }
    return out.map((value) => residue(value, q));
  });
}

function square(step: SquareStep, primeIndex: number, q: bigint, lane: Lane): Lane {
  const polysOut = 2 * lane.length - 1;
  const out: Lane = Array.from({ length: polysOut }, () => new Array<bigint>(step.width).fill(0n));
  const firstCarried = step.width - step.carried;
  for (let value = 0; value < firstCarried; value++) {
    for (let i = 0; i < lane.length; i++) {
      for (let j = 0; j < lane.length; j++) {
        out[i + j]![value] = residue(out[i + j]![value]! + lane[i]![value]! * lane[j]![value]!, q);
      }
    }
  }
  const factor = BigInt(step.carryFactor[primeIndex]!);
  for (let value = firstCarried; value < step.width; value++) {
    for (let i = 0; i < lane.length; i++) out[i]![value] = residue(lane[i]![value]! * factor, q);
  }
  return out;
}

function residue(value: bigint, q: bigint): bigint {
  return ((value % q) + q) % q;
}
