/**
 * A lane program in real numbers: what an honest computation decrypts to, but for encryption noise. The key-holder computes
 * canaries with it: it has the program and the records, and needs no model.
 */
import type { LaneProgram } from "./program.ts";
import { weightAt } from "./reference.ts";

/** One record's slot values `[outputs]` from its encoded values x̃ `[inputs]`. */
export type PlainProgram = (encoded: Float64Array) => Float64Array;

/** Makes a program ready for plain evaluation at the plan's encoding scale and the member's output scale. */
export function plainProgram(program: LaneProgram, encodeScale: number, scaleOut: number): PlainProgram {
  const lift = centredLift(program.ring.primes);
  const matrices = program.matrices.map((matrix) =>
    Float64Array.from({ length: matrix.k * matrix.m }, (_, at) =>
      weightAt(matrix, Math.floor(at / matrix.m), at % matrix.m),
    ),
  );
  const stages = program.steps.map((step): ((values: Float64Array) => Float64Array) => {
    if (step.kind === "square") {
      const factor = lift(Array.from(step.carryFactor));
      return (values) => values.map((value, i) => (i < step.width - step.carried ? value * value : value * factor));
    }
    const bias = Float64Array.from({ length: step.outputs }, (_, output) => lift(step.bias.map((row) => row[output]!)));
    return (values) => {
      const out = bias.slice();
      for (const group of step.groups) {
        const weights = matrices[group.matrix]!;
        const m = group.outputIndex.length;
        for (let row = 0; row < group.inputIndex.length; row++) {
          const input = group.inputIndex[row]!;
          if (input < 0) continue;
          const value = values[input]!;
          for (let column = 0; column < m; column++) {
            const output = group.outputIndex[column]!;
            if (output >= 0) out[output] = out[output]! + value * weights[row * m + column]!;
          }
        }
      }
      return out;
    };
  });
  // A last bias may be larger than the modulus has room for (the outputs, without their centres, are not): everything is modulo Q.
  const modulus = program.ring.primes.reduce((product, q) => product * q, 1);
  return (encoded) => {
    let values: Float64Array = encoded.map((value) => value * encodeScale);
    for (const stage of stages) values = stage(values);
    return values.map((value) => (value - modulus * Math.round(value / modulus)) / scaleOut);
  };
}

/** Residues of one integer modulo all primes → the integer nearest to zero (Chinese remainders). */
function centredLift(primes: readonly number[]): (residues: readonly number[]) => number {
  const moduli = primes.map(BigInt);
  const product = moduli.reduce((a, b) => a * b, 1n);
  const units = moduli.map((q) => {
    const rest = product / q;
    return rest * inverse(rest % q, q);
  });
  return (residues) => {
    const sum = residues.reduce((total, residue, i) => total + BigInt(residue) * units[i]!, 0n) % product;
    return Number(sum > product / 2n ? sum - product : sum);
  };
}

function inverse(a: bigint, q: bigint): bigint {
  let [r0, r1, t0, t1] = [q, a, 0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1, t0, t1] = [r1, r0 - quotient * r1, t1, t0 - quotient * t1];
  }
  return ((t0 % q) + q) % q;
}
