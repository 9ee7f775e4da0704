/** Chosen parameters → lane program: integer weights as digits, biases as residues, blocks joined to tiles. */
import type { AffineGroup, AffineStep, LaneProgram, LaneStep, WeightMatrix } from "../program.ts";
import type { Block } from "./blocks.ts";
import type { MemberModel, Scales } from "./member.ts";
import type { QuantizedLayer } from "./quantize.ts";
import type { PlanRing } from "./rings.ts";
import { tileLayer } from "./tiles.ts";

/** Where a member's features lie among the plan's encrypted features. */
export interface FeaturePlaces {
  readonly position: ArrayLike<number>;
  readonly total: number;
}

export interface EmittedProgram {
  readonly program: LaneProgram;
  /** Scale of the outputs' plaintexts. */
  readonly scaleOut: number;
}

const DIGIT_BITS = 7;

export function emitProgram(
  member: MemberModel,
  quantized: readonly QuantizedLayer[],
  scales: Scales,
  digits: readonly (1 | 2)[],
  ring: PlanRing,
  features: FeaturePlaces,
): EmittedProgram {
  const matrices: WeightMatrix[] = [];
  const steps: LaneStep[] = [];
  let scale = scales.encode;
  let inputs = features.total;
  member.layers.forEach(({ blocks: layer, squared }, depth) => {
    const last = depth === member.layers.length - 1;
    scale *= scales.weights[depth]!;
    const { matrices: integers, bias } = quantized[depth]!;
    const stored = layer.matrices.map(({ k, m }, i) => toDigits(k, m, integers[i]!, digits[depth]!));
    const blocks = depth === 0 ? layer.blocks.map((block) => moveInputs(block, features.position)) : layer.blocks;
    const tiled = tileLayer(stored, blocks);
    const groups = tiled.groups.map((group): AffineGroup => ({ ...group, matrix: group.matrix + matrices.length }));
    matrices.push(...tiled.matrices);
    const shifted = last ? bias.map((value, output) => value - member.outputCenter[output]!) : bias;
    const step: AffineStep = {
      kind: "affine",
      inputs,
      outputs: layer.rows,
      groups,
      bias: ring.primes.map((q) => Uint32Array.from(shifted, (value) => residueOf(value * scale, q))),
    };
    steps.push(step);
    inputs = layer.rows;
    if (last) return;
    steps.push({
      kind: "square",
      width: layer.rows,
      carried: layer.rows - squared,
      carryFactor: Uint32Array.from(ring.primes, (q) => residueOf(scale, q)),
    });
    scale *= scale;
  });
  const { n, primes } = ring;
  const program: LaneProgram = {
    version: 1,
    ring: { n, primes },
    inputs: features.total,
    outputs: member.outputs,
    polysOut: 2 ** member.squares + 1,
    matrices,
    steps,
  };
  return { program, scaleOut: scale };
}

/** Integers as one digit, or as two: w = low + 128·high with low in −64..63. */
function toDigits(k: number, m: number, integers: ArrayLike<number>, digits: 1 | 2): WeightMatrix {
  if (digits === 1) return { k, m, digitBits: 0, digits: [Int8Array.from(integers)] };
  const low = new Int8Array(k * m);
  const high = new Int8Array(k * m);
  for (let i = 0; i < k * m; i++) {
    const weight = integers[i]!;
    const rest = ((((weight + 64) % 128) + 128) % 128) - 64;
    low[i] = rest;
    high[i] = (weight - rest) / 128;
  }
  return { k, m, digitBits: DIGIT_BITS, digits: [low, high] };
}

/** round(value) mod q; a double of any size is an exact integer or is rounded to one. */
function residueOf(value: number, q: number): number {
  const modulus = BigInt(q);
  return Number(((BigInt(Math.round(value)) % modulus) + modulus) % modulus);
}

function moveInputs(block: Block, position: ArrayLike<number>): Block {
  return { ...block, inputs: block.inputs.map((input) => (input < 0 ? -1 : position[input]!)) };
}
