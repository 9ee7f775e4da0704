/**
 * The search for parameters: fewest bytes per record at which quantisation and encryption noise change too few answers.
 *
 * Bytes are bits of modulus, and the modulus has to hold the outputs at their scale Δ^(2^D)·s0^(2^D)·s1^(2^(D−1))·…·sD for D squares. Each of
 * these scales buys down one source of error, whose mean square falls with the square of its scale. For a given number of bits the sum of
 * errors is least where every source's share is proportional to its exponent (Lagrange); what remains is a bisection over the bits, each try
 * judged by simulated answers.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import { DIGIT_LIMIT, type MemberModel, type Scales } from "./member.ts";
import { choosePrimes, maxModulusBits, modulusBits, type PlanRing, slotNoise, wireBits } from "./rings.ts";

export interface SearchOptions {
  /** Wanted share of same answers, quantised and noisy against real arithmetic. */
  readonly aim: number;
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
  /** Per member, on the check set: same answers and root mean square error against real arithmetic. */
  readonly simulated: readonly { readonly sameAnswers: number; readonly rmsError: number }[];
}

/** Scales at which the errors' sources are measured. */
const REFERENCE = { encode: 2 ** 14, weightLimit: 63 } as const;
const ENCODE_RANGE = { least: 2 ** 6, most: 2 ** 40 } as const;

/** Throws FluxError("plan_too_deep" | "plan_impossible") where no ring carries the model. */
export function searchParameters(members: readonly MemberModel[], options: SearchOptions): Choice {
  const tuners = members.map((member) => new Tuner(member, options));
  let best: { choice: Choice; cost: number } | undefined;
  let tried = 0;
  for (const n of options.degrees) {
    const limit = maxModulusBits(n);
    if (tuners.every((tuner) => tuner.leastBits <= limit)) tried++;
    else continue;
    const choice = chooseForDegree(tuners, n, limit, options);
    if (choice === undefined) continue;
    const batches = options.records === undefined ? 1 / n : Math.ceil(options.records / (n / 2));
    const cost = batches * n * wireBits(choice.ring.primes);
    if (best === undefined || cost < best.cost) best = { choice, cost };
  }
  if (best !== undefined) return best.choice;
  const depth = Math.max(...members.map((member) => member.squares));
  if (tried === 0) {
    throw new FluxError(
      "plan_too_deep",
      `${depth} squares one after another need more bits than any ring up to N = ${Math.max(...options.degrees)} carries. Remove an activation, or use privacy: public.`,
    );
  }
  throw new FluxError(
    "plan_impossible",
    "No encryption parameters keep this model's answers. Scale its outputs down, use fewer squares, or accept a lower fidelity by name.",
  );
}

function chooseForDegree(
  tuners: readonly Tuner[],
  n: number,
  limit: number,
  options: SearchOptions,
): Choice | undefined {
  const noise = slotNoise(n);
  for (const digits of [1, 2] as const) {
    const needs = tuners.map((tuner) => tuner.bitsNeeded(noise, limit, digits));
    if (needs.some((bits) => bits === undefined)) continue;
    const bits = Math.max(...needs.map((need) => need ?? 0));
    const ring = choosePrimes(n, bits);
    if (ring === undefined) continue;
    // All members read the same ciphertexts: the finest encoding that any of them wants; each spends its own bits on weights.
    const available = modulusBits(ring.primes);
    const encode = Math.max(...tuners.map((tuner) => tuner.allocate(noise, available, digits).encode));
    const scales = tuners.map((tuner) => tuner.allocate(noise, available, digits, encode));
    const simulated = scales.map((scale, i) => tuners[i]!.simulate(scale, noise, digits));
    if (simulated.some(({ sameAnswers }) => sameAnswers < options.aim - SLACK)) continue;
    const members = scales.map(({ weights }, i) => ({ weights, digits: tuners[i]!.digitsFor(weights) }));
    return { ring, encode, members, simulated };
  }
  return undefined;
}

/** The last simulation draws other noise than the bisection did: one record in a thousand may fall differently. */
const SLACK = 0.001;

/** One member's trade between bits and errors. */
class Tuner {
  private readonly member: MemberModel;
  private readonly options: SearchOptions;
  /** Error coefficients: mean square = coefficient / scale², for the encoding (per unit of slot noise) and each layer. */
  private readonly noiseCoefficient: number;
  private readonly layerCoefficients: readonly number[];

  constructor(member: MemberModel, options: SearchOptions) {
    this.member = member;
    this.options = options;
    const weights = member.layers.map(({ largestWeight }) => REFERENCE.weightLimit / largestWeight);
    const unitNoise = 100;
    const sources = member.errorSources({ encode: REFERENCE.encode, weights }, unitNoise, options.random);
    this.noiseCoefficient = (sources.noise * REFERENCE.encode ** 2) / unitNoise ** 2;
    this.layerCoefficients = sources.layers.map((error, i) => error * weights[i]! ** 2);
  }

  /** Bits at the coarsest scales: less cannot be. */
  get leastBits(): number {
    const weights = this.member.layers.map(({ largestWeight }) => 1 / largestWeight);
    return this.member.modulusBits({ encode: ENCODE_RANGE.least, weights }, this.options.margin);
  }

  digitsFor(weights: readonly number[]): (1 | 2)[] {
    return weights.map((weight, i) => (weight * this.member.layers[i]!.largestWeight > DIGIT_LIMIT[1] + 0.5 ? 2 : 1));
  }

  simulate(scales: Scales, noise: number, digits: 1 | 2): { sameAnswers: number; rmsError: number } {
    const limits = digits === 1 ? scales.weights.map(() => 1 as const) : this.digitsFor(scales.weights);
    const quantized = this.member.quantize(scales.weights, limits);
    return this.member.simulatedFidelity(quantized, scales, noise, this.options.random);
  }

  /** Fewest bits of modulus at which the aim is met, or undefined if `limit` bits do not do. */
  bitsNeeded(noise: number, limit: number, digits: 1 | 2): number | undefined {
    const passes = (bits: number) =>
      this.simulate(this.allocate(noise, bits, digits), noise, digits).sameAnswers >= this.options.aim;
    let low = Math.ceil(this.leastBits);
    let high = Math.floor(limit);
    if (low > high || !passes(high)) return undefined;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (passes(middle)) high = middle;
      else low = middle + 1;
    }
    return high;
  }

  /** The scales that spend `bits` best; with `encode` given, the rest of them on the weights. */
  allocate(noise: number, bits: number, digits: 1 | 2, encode?: number): Scales {
    const { member } = this;
    const depth = member.squares;
    const spare = bits - member.modulusBits({ encode: 1, weights: member.layers.map(() => 1) }, this.options.margin);
    const variables = [
      {
        cost: 2 ** depth,
        coefficient: this.noiseCoefficient * noise ** 2,
        least: encode ?? ENCODE_RANGE.least,
        most: encode ?? ENCODE_RANGE.most,
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
    const weights = member.layers.map(
      ({ largestWeight }, i) => Math.max(1, Math.round(2 ** logs[i + 1]! * largestWeight)) / largestWeight,
    );
    if (encode !== undefined) return { encode, weights };
    const spent = weights.reduce((sum, weight, i) => sum + 2 ** (depth - i) * Math.log2(weight), 0);
    return { encode: 2 ** Math.min((spare - spent) / 2 ** depth, Math.log2(ENCODE_RANGE.most)), weights };
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
