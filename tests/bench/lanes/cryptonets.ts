/**
 * The CryptoNets-shaped network as a lane program: conv 5×5 stride 2 (5 maps, 28×28 → 13×13) → x² → dense 100 → x² → dense 10
 * (Gilad-Bachrach et al., ICML 2016). Weights are random with the spread of trained ones: speed depends on shapes alone.
 */
import type { AffineStep, LaneProgram, SquareStep, WeightMatrix } from "#lib/lanes/program.ts";
import { seeded } from "#tests/unit/lanes/arbitrary.ts";

const SIDE = 28;
const MAPS = 5;
const OUT_SIDE = 13;

export function cryptoNetsProgram(n: number, primes: readonly number[]): LaneProgram {
  const random = seeded(1);
  const matrix = (k: number, m: number, spread: number): WeightMatrix => ({
    k,
    m,
    digitBits: 0,
    digits: [Int8Array.from({ length: k * m }, () => clamp((random() + random() + random() - 1.5) * spread))],
  });
  const bias = (outputs: number) =>
    primes.map((q) => Uint32Array.from({ length: outputs }, () => Math.floor(random() * q)));
  const dense = (inputs: number, outputs: number, index: number): AffineStep => {
    const upTo = (count: number) => Int32Array.from({ length: count }, (_, i) => i);
    const groups = [{ inputIndex: upTo(inputs), matrix: index, outputIndex: upTo(outputs) }];
    return { kind: "affine", inputs, outputs, groups, bias: bias(outputs) };
  };
  const square = (width: number): SquareStep => ({
    kind: "square",
    width,
    carried: 0,
    carryFactor: new Uint32Array(primes.length),
  });
  const convOutputs = MAPS * OUT_SIDE * OUT_SIDE;
  return {
    version: 1,
    ring: { n, primes },
    inputs: SIDE * SIDE,
    outputs: 10,
    polysOut: 5,
    matrices: [matrix(25, MAPS, 60), matrix(convOutputs, 100, 40), matrix(100, 10, 60)],
    steps: [
      { kind: "affine", inputs: SIDE * SIDE, outputs: convOutputs, groups: convGroups(), bias: bias(convOutputs) },
      square(convOutputs),
      dense(convOutputs, 100, 1),
      square(100),
      dense(100, 10, 2),
    ],
  };
}

function convGroups() {
  const positions = Array.from({ length: OUT_SIDE * OUT_SIDE }, (_, at) => at);
  return positions.map((at) => {
    const [top, left] = [2 * Math.floor(at / OUT_SIDE) - 1, 2 * (at % OUT_SIDE) - 1];
    const inputIndex = Int32Array.from({ length: 25 }, (_, tap) => {
      const [y, x] = [top + Math.floor(tap / 5), left + (tap % 5)];
      return y < 0 || x < 0 || y >= SIDE || x >= SIDE ? -1 : y * SIDE + x;
    });
    const outputIndex = Int32Array.from({ length: MAPS }, (_, map) => map * OUT_SIDE * OUT_SIDE + at);
    return { inputIndex, matrix: 0, outputIndex };
  });
}

const clamp = (weight: number): number => Math.max(-63, Math.min(63, Math.round(weight)));
