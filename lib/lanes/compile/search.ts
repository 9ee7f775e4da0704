/**
 * The search for parameters: fewest bytes per record at which quantisation and encryption noise change too few answers.
 *
 * Bytes are bits of modulus, and the modulus has to hold the outputs at their scale Δ^(2^D)·s0^(2^D)·s1^(2^(D−1))·…·sD for D squares. Each of
 * these scales buys down one source of error, whose mean square falls with the square of its scale. For a given number of bits the sum of
 * errors is least where every source's share is proportional to its exponent (Lagrange); what remains is a bisection over the bits, each try
 * judged by simulated answers.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { ErrorProfile } from "./error-profile.ts";
import { DIGIT_LIMIT, type MemberModel, type Scales } from "./member.ts";
import type { QuantizedLayer } from "./quantize.ts";
import { choosePrimes, maxModulusBits, modulusBits, type PlanRing, slotNoise, wireBits } from "./rings.ts";

export interface SearchOptions {
  /** Per member: wanted share of same answers, quantised and noisy against real arithmetic. */
  readonly aims: readonly number[];
  /** What the aims may be lowered to, to stay within `GOAL_BITS`. */
  readonly leastAim: number;
  /** Room in the modulus beyond the largest output seen on the samples. */
  readonly margin: number;
  readonly degrees: readonly number[];
  /** Records of the job, if known: a batch is paid for whole. */
  readonly records: number | undefined;
  readonly random: () => number;
}

export interface Choice {
  readonly ring: PlanRing;
  readonly encode: number;
  /** Per member: integers per unit of weight and digits, per layer. */
  readonly members: readonly { readonly weights: readonly number[]; readonly digits: readonly (1 | 2)[] }[];
  readonly simulated: readonly Simulated[];
}

/** A member's layers at chosen scales and, on the check set, their same answers and root mean square error against real arithmetic. */
export interface Simulated {
  readonly quantized: readonly QuantizedLayer[];
  readonly sameAnswers: number;
  readonly rmsError: number;
}

/** Scales at which the errors' sources are measured. */
const REFERENCE = { encode: 2 ** 14, weightLimit: 63, noise: slotNoise(8192) } as const;
const LEAST_SIGNAL_TO_ERROR = 16;
const ENCODE_RANGE = { least: 2 ** 6, most: 2 ** 40 } as const;
/** SEAL encodes at scales below the modulus only, and the encoded values must fit as well. */
const ENCODE_ROOM_BITS = 4;

/** Throws FluxError("plan_too_deep" | "plan_impossible") where no ring carries the model. */
export function searchParameters(members: readonly MemberModel[], options: SearchOptions): Choice {
  const tuners = members.map((member, i) => new Tuner(member, options.aims[i]!, options));
  const degrees = options.degrees.filter((n) => tuners.every((tuner) => tuner.leastBits <= maxModulusBits(n)));
  if (degrees.length === 0) {
    const depth = Math.max(...members.map((member) => member.squares));
    throw new FluxError(
      "plan_too_deep",
      `${depth} squares one after another need more bits than any ring up to N = ${Math.max(...options.degrees)} carries. Remove an activation, or use privacy: public.`,
    );
  }
  for (const [relaxed, digits] of ATTEMPTS) {
    const candidates = degrees
      .map((n) => candidate(tuners, n, digits, relaxed, options))
      .filter((found) => found !== undefined)
      .sort((a, b) => a.cost - b.cost);
    for (const each of candidates) {
      const choice = confirm(tuners, each, digits);
      if (choice !== undefined) return choice;
    }
  }
  throw new FluxError(
    "plan_impossible",
    "No encryption parameters keep this model's answers. Scale its outputs down, use fewer squares, or accept a lower fidelity by name.",
  );
}

/** Bits of modulus that a plan should not exceed by its number of squares: primes of together 36, 72 and 144 bits, 9, 18 and 36 bytes per
 * input value. Primes are a little smaller than their bits say. */
const GOAL_BITS: readonly number[] = [35.5, 71.5, 143.5];
/** To keep to the goal, so many times the changed answers of the aim are taken. */
const GOAL_TOLERANCE = 4;

/**
 * One digit per weight where that does, then two; then with ever more changed answers. A model whose decisions are too close for any
 * modulus still gets its best plan: the rehearsal says how faithful it is, and the submitter decides.
 */
const ATTEMPTS: readonly (readonly [relaxed: number, digits: 1 | 2])[] = [
  [1, 1],
  [1, 2],
  [4, 1],
  [4, 2],
  [20, 2],
  [100, 2],
];

interface Candidate {
  readonly n: number;
  readonly bits: number;
  /** Per member: the share of same answers that a simulation has to confirm. */
  readonly aims: readonly number[];
  readonly cost: number;
}

/** The bits that a degree is expected to need, by the error model, and the bytes that they cost. */
function candidate(
  tuners: readonly Tuner[],
  n: number,
  digits: 1 | 2,
  relaxed: number,
  options: SearchOptions,
): Candidate | undefined {
  const limit = maxModulusBits(n);
  const wanted = tuners.map((tuner) => tuner.wanted(slotNoise(n), limit, digits, relaxed));
  const bits = Math.max(...wanted.map((want) => want.bits));
  const ring = bits <= limit ? choosePrimes(n, bits) : undefined;
  if (ring === undefined) return undefined;
  const batches = options.records === undefined ? 1 / n : Math.ceil(options.records / (n / 2));
  return { n, bits, aims: wanted.map(({ aim }) => aim), cost: batches * n * wireBits(ring.primes) };
}

/** Bits added after a simulation that falls short, and how often. */
const STEP_BITS = 2;
const MAX_STEPS = 8;

/** Simulates a candidate, with a few bits more each time it falls short of the aim. */
function confirm(tuners: readonly Tuner[], { n, bits, aims }: Candidate, digits: 1 | 2): Choice | undefined {
  const noise = slotNoise(n);
  for (let step = 0; step < MAX_STEPS; step++) {
    const ring = choosePrimes(n, bits + step * STEP_BITS);
    if (ring === undefined) return undefined;
    // All members read the same ciphertexts: the finest encoding that any of them wants; each spends its own bits on weights.
    const available = modulusBits(ring.primes);
    const alone = tuners.map((tuner) => tuner.allocate(noise, available, digits));
    const encode = Math.max(...alone.map((scales) => scales.encode));
    const scales = tuners.map((tuner, i) =>
      alone[i]!.encode === encode ? alone[i]! : tuner.allocate(noise, available, digits, encode),
    );
    const simulated = scales.map((scale, i) => tuners[i]!.simulate(scale, noise, digits));
    if (simulated.some((each, i) => each.sameAnswers < aims[i]! || each.rmsError > tuners[i]!.mostError)) continue;
    const members = scales.map(({ weights }, i) => ({ weights, digits: tuners[i]!.digitsFor(weights) }));
    return { ring, encode, members, simulated };
  }
  return undefined;
}

/** One member's trade between bits and errors. */
class Tuner {
  private readonly member: MemberModel;
  private readonly aim: number;
  private readonly options: SearchOptions;
  /** Error coefficients: mean square = coefficient / scale², for the encoding (per unit of slot noise) and each layer. */
  private readonly noiseCoefficient: number;
  private readonly layerCoefficients: readonly number[];
  /** Errors at the reference scales, and their mean square as the coefficients have it. */
  private readonly reference: { readonly profile: ErrorProfile; readonly meanSquare: number };

  constructor(member: MemberModel, aim: number, options: SearchOptions) {
    this.member = member;
    this.aim = aim;
    this.options = options;
    const weights = member.layers.map(({ largestWeight }) => REFERENCE.weightLimit / largestWeight);
    const scales = { encode: REFERENCE.encode, weights };
    const sources = member.errorSources(scales, REFERENCE.noise, options.random);
    this.noiseCoefficient = (sources.noise * REFERENCE.encode ** 2) / REFERENCE.noise ** 2;
    this.layerCoefficients = sources.layers.map((error, i) => error * weights[i]! ** 2);
    const digits = weights.map(() => 2 as const);
    const quantized = member.quantize(scales, digits, REFERENCE.noise, options.random);
    this.reference = {
      profile: member.simulatedErrors(quantized, scales, REFERENCE.noise, options.random),
      meanSquare: this.predictedMeanSquare(scales, REFERENCE.noise),
    };
  }

  /** Bits at the coarsest scales: less cannot be. */
  get leastBits(): number {
    const weights = this.member.layers.map(({ largestWeight }) => 1 / largestWeight);
    return this.member.modulusBits({ encode: ENCODE_RANGE.least, weights }, this.options.margin);
  }

  /** Errors must stay well below the outputs even where answers would bear more: else noise fills the modulus. */
  get mostError(): number {
    return this.member.outputMax / LEAST_SIGNAL_TO_ERROR;
  }

  digitsFor(weights: readonly number[]): (1 | 2)[] {
    return weights.map((weight, i) => (weight * this.member.layers[i]!.largestWeight > DIGIT_LIMIT[1] + 0.5 ? 2 : 1));
  }

  simulate(scales: Scales, noise: number, digits: 1 | 2): Simulated {
    const limits = digits === 1 ? scales.weights.map(() => 1 as const) : this.digitsFor(scales.weights);
    const quantized = this.member.quantize(scales, limits, noise, this.options.random);
    const profile = this.member.simulatedErrors(quantized, scales, noise, this.options.random);
    return { quantized, sameAnswers: profile.sameAnswers(), rmsError: profile.rmsError };
  }

  /** Bits at which the error model meets the aim; a little less of both where that keeps to the goal for this many squares. */
  wanted(
    noise: number,
    limit: number,
    digits: 1 | 2,
    relaxed: number,
  ): { readonly bits: number; readonly aim: number } {
    const aim = 1 - relaxed * (1 - this.aim);
    const bits = this.expectedBits(noise, limit, digits, aim);
    const goal = GOAL_BITS[this.member.squares] ?? limit;
    const least = Math.min(aim, Math.max(1 - GOAL_TOLERANCE * (1 - aim), this.options.leastAim));
    if (bits <= goal || least === aim) return { bits, aim };
    const fewer = Math.max(goal, this.expectedBits(noise, limit, digits, least));
    return fewer < bits ? { bits: fewer, aim: least } : { bits, aim };
  }

  /** Fewest bits of modulus at which the error model meets an aim; more than `limit` if there are none. */
  private expectedBits(noise: number, limit: number, digits: 1 | 2, aim: number): number {
    for (let bits = Math.ceil(this.leastBits); bits <= limit; bits++) {
      const predicted = this.predictedMeanSquare(this.allocate(noise, bits, digits), noise);
      const factor = Math.sqrt(predicted / Math.max(this.reference.meanSquare, Number.MIN_VALUE));
      if (this.reference.profile.sameAnswers(factor) >= aim && Math.sqrt(predicted) <= this.mostError) return bits;
    }
    return limit + 1;
  }

  private predictedMeanSquare({ encode, weights }: Scales, noise: number): number {
    const layers = this.layerCoefficients.reduce((sum, coefficient, i) => sum + coefficient / weights[i]! ** 2, 0);
    return (this.noiseCoefficient * noise ** 2) / encode ** 2 + layers;
  }

  /** The scales that spend `bits` best; with `encode` given, the rest of them on the weights. */
  allocate(noise: number, bits: number, digits: 1 | 2, encode?: number): Scales {
    const { member } = this;
    const depth = member.squares;
    const most = Math.min(ENCODE_RANGE.most, 2 ** (bits - ENCODE_ROOM_BITS));
    const spare = bits - member.modulusBits({ encode: 1, weights: member.layers.map(() => 1) }, this.options.margin);
    const variables = [
      {
        cost: 2 ** depth,
        coefficient: this.noiseCoefficient * noise ** 2,
        least: encode ?? ENCODE_RANGE.least,
        most: encode ?? most,
      },
      ...member.layers.map(({ largestWeight }, i) => ({
        cost: 2 ** (depth - i),
        coefficient: this.layerCoefficients[i]!,
        least: 1 / largestWeight,
        most: DIGIT_LIMIT[digits] / largestWeight,
      })),
    ];
    const logs = waterFill(variables, spare);
    // Whole integers at the largest weight: small exact weights (an identity, ±1) stay exact.
    const whole = (rounded: (value: number) => number) =>
      member.layers.map(
        ({ largestWeight }, i) => Math.max(1, rounded(2 ** logs[i + 1]! * largestWeight)) / largestWeight,
      );
    const bitsOf = (weights: readonly number[]) =>
      weights.reduce((sum, weight, i) => sum + 2 ** (depth - i) * Math.log2(weight), 0);
    const weights = whole(Math.round);
    const spent = bitsOf(weights);
    // Rounding up may take more than there is. Beside a fixed encoding nothing else can give way: the outputs would outgrow the modulus.
    if (encode !== undefined) {
      const fits = spent + 2 ** depth * Math.log2(encode) <= spare;
      return { encode, weights: fits ? weights : whole((value) => Math.floor(value + 1e-9)) };
    }
    return { encode: 2 ** Math.min((spare - spent) / 2 ** depth, Math.log2(most)), weights };
  }
}

interface Variable {
  readonly cost: number;
  readonly coefficient: number;
  readonly least: number;
  readonly most: number;
}

/** log2 of the scales that minimise Σ coefficient/scale² with Σ cost·log2(scale) = spare, each within its bounds. */
function waterFill(variables: readonly Variable[], spare: number): number[] {
  const TINY = 1e-30;
  const fixed = new Map<number, number>();
  for (;;) {
    const free = variables.map((_, i) => i).filter((i) => !fixed.has(i));
    let rest = spare;
    for (const [i, log] of fixed) rest -= variables[i]!.cost * log;
    // log2 scale_i = ½·(log2(coefficient_i / cost_i) − log2 λ)
    const half = (i: number) => 0.5 * Math.log2(Math.max(variables[i]!.coefficient, TINY) / variables[i]!.cost);
    const costs = free.reduce((sum, i) => sum + variables[i]!.cost, 0);
    const lambda = costs === 0 ? 0 : (free.reduce((sum, i) => sum + variables[i]!.cost * half(i), 0) - rest) / costs;
    const logs = variables.map((_, i) => fixed.get(i) ?? half(i) - lambda);
    // Scales at their upper bound leave bits over, at the lower they cost more: fix one kind at a time, the worst first.
    const excess = free.map((i) => ({
      i,
      bound: logs[i]! > Math.log2(variables[i]!.most) ? Math.log2(variables[i]!.most) : Math.log2(variables[i]!.least),
      by: Math.max(logs[i]! - Math.log2(variables[i]!.most), Math.log2(variables[i]!.least) - logs[i]!),
    }));
    const worst = excess.reduce<(typeof excess)[number] | undefined>(
      (a, b) => (a === undefined || b.by > a.by ? b : a),
      undefined,
    );
    if (worst === undefined || worst.by <= 1e-9) return logs;
    fixed.set(worst.i, worst.bound);
  }
}
