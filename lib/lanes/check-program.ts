/** Structural checks of a lane program: everything a donor relies on without looking again. Throws FluxError("invalid_request"). */
import { FluxError } from "#lib/protocol/errors.ts";
import { LANE_LIMITS } from "./limits.ts";
import { bitLength, isPrime } from "./primes.ts";
import type { AffineStep, LaneProgram, LaneRing, SquareStep, WeightMatrix } from "./program.ts";

function refuse(detail: string): never {
  throw new FluxError("invalid_request", `Lane program: ${detail}. Compile the model again.`);
}

function checkCount(value: number, low: number, high: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < low || value > high)
    refuse(`${name} is ${value}, allowed ${low}..${high}`);
}

export function checkRing(ring: LaneRing): void {
  const { n, primes } = ring;
  checkCount(n, LANE_LIMITS.minRingDegree, LANE_LIMITS.maxRingDegree, "the ring degree");
  if ((n & (n - 1)) !== 0) refuse(`the ring degree ${n} is not a power of two`);
  checkCount(primes.length, 1, LANE_LIMITS.maxPrimes, "the number of primes");
  if (new Set(primes).size !== primes.length) refuse("a prime is there twice");
  for (const q of primes) {
    checkCount(q, LANE_LIMITS.minPrime, LANE_LIMITS.maxPrimeExclusive - 1, "a prime");
    if (!isPrime(q) || q % (2 * n) !== 1) refuse(`${q} is not a prime ≡ 1 mod ${2 * n}`);
    if (q <= 0.75 * 2 ** bitLength(q)) refuse(`the prime ${q} is too far below a power of two for mask expansion`);
  }
}

export function checkProgram(program: LaneProgram): void {
  checkRing(program.ring);
  checkCount(program.inputs, 1, LANE_LIMITS.maxFeatures, "inputs");
  checkCount(program.outputs, 1, LANE_LIMITS.maxWidth, "outputs");
  checkCount(program.matrices.length, 1, LANE_LIMITS.maxMatrices, "the number of matrices");
  checkCount(program.steps.length, 1, LANE_LIMITS.maxSteps, "the number of steps");
  program.matrices.forEach(checkMatrix);
  let width = program.inputs;
  let polys = 2;
  let squares = 0;
  for (const step of program.steps) {
    switch (step.kind) {
      case "affine":
        if (step.inputs !== width) refuse(`an affine step reads ${step.inputs} values where there are ${width}`);
        checkAffine(step, program);
        width = step.outputs;
        break;
      case "square":
        if (step.width !== width) refuse(`a square step reads ${step.width} values where there are ${width}`);
        checkSquare(step, program.ring.primes);
        polys = 2 * polys - 1;
        squares++;
        break;
    }
  }
  if (squares > LANE_LIMITS.maxSquares) refuse(`${squares} squares, at most ${LANE_LIMITS.maxSquares}`);
  if (width !== program.outputs) refuse(`the last step leaves ${width} values, declared ${program.outputs}`);
  if (polys !== program.polysOut) refuse(`${polys} polynomials come out, declared ${program.polysOut}`);
}

function checkMatrix(matrix: WeightMatrix): void {
  checkCount(matrix.k, 1, LANE_LIMITS.maxProductRows, "the rows of a matrix");
  checkCount(matrix.m, 1, LANE_LIMITS.maxWidth, "the columns of a matrix");
  checkCount(matrix.digits.length, 1, 2, "the digits of a matrix");
  const [low, high] = matrix.digits.length === 1 ? [0, 0] : [1, 7];
  checkCount(matrix.digitBits, low, high, "the digit bits of a matrix");
  for (const digit of matrix.digits) {
    if (digit.length !== matrix.k * matrix.m) refuse("a matrix has another number of weights than rows × columns");
    // −128 has no positive twin: kernels that negate would overflow.
    if (digit.includes(-128)) refuse("a weight digit is −128");
  }
}

function checkAffine(step: AffineStep, program: LaneProgram): void {
  checkCount(step.outputs, 1, LANE_LIMITS.maxWidth, "the outputs of a step");
  checkCount(step.groups.length, 1, LANE_LIMITS.maxGroups, "the groups of a step");
  const written = new Uint8Array(step.outputs);
  for (const group of step.groups) {
    const matrix = program.matrices[group.matrix];
    if (matrix === undefined) refuse(`a group names matrix ${group.matrix} of ${program.matrices.length}`);
    if (group.inputIndex.length !== matrix.k || group.outputIndex.length !== matrix.m) {
      refuse("a group's index lists do not fit its matrix");
    }
    for (const index of group.inputIndex) if (index < -1 || index >= step.inputs) refuse(`input index ${index}`);
    for (const index of group.outputIndex) {
      if (index < -1 || index >= step.outputs) refuse(`output index ${index}`);
      if (index < 0) continue;
      if (written[index] === 1) refuse(`output ${index} is written twice`);
      written[index] = 1;
    }
  }
  if (written.includes(0)) refuse(`output ${written.indexOf(0)} is never written`);
  checkResidues(step.bias, step.outputs, program.ring.primes, "bias");
}

function checkSquare(step: SquareStep, primes: readonly number[]): void {
  checkCount(step.carried, 0, step.width, "the carried values of a square");
  if (step.carryFactor.length !== primes.length) refuse("a square has another number of carry factors than primes");
  step.carryFactor.forEach((factor, p) => {
    if (factor >= primes[p]!) refuse("a carry factor is not below its prime");
  });
}

function checkResidues(rows: readonly Uint32Array[], width: number, primes: readonly number[], name: string): void {
  if (rows.length !== primes.length) refuse(`${name} has ${rows.length} rows for ${primes.length} primes`);
  rows.forEach((row, p) => {
    if (row.length !== width) refuse(`${name} has ${row.length} values for ${width} outputs`);
    for (const residue of row) if (residue >= primes[p]!) refuse(`${name}: a residue is not below its prime`);
  });
}
