/**
 * One quantity of many donors, estimated in log space with shrinkage: donor ← class ← fleet.
 *
 * An observation is x = ln(measured ÷ baseline), the baseline being what the donor's benchmark promises; so the benchmark
 * is the prior's start, and what is learnt of a class is how far its benchmarks are from the truth.
 *
 * Model: x ~ N(θ_donor, R), θ_donor ~ N(m_class, τ²_class), m_class shrunk towards the fleet's (empirical Bayes; Efron and
 * Morris 1975). Donors are followed with a bounded memory and clipped residuals (Huber 1964), so that one outlier moves
 * little and a lasting change is found within a few observations. Each donor has one vote in its class, however many
 * observations it sent. Class priors are published by `reestimate`, not on every observation: see optimizer.ts.
 */

/** Effective number of observations a donor's mean remembers: it follows a device that warms up or gets busy. */
const MEMORY = 30;
/** Residuals beyond this many standard deviations are cut to it. */
const CLIP = 2.5;
/** Pseudo-observations that a donor's own noise estimate is shrunk with. */
const NOISE_WEIGHT = 10;
/** Pseudo-donors of the fleet's prior in a class, and of the start in the fleet. */
const PARENT_WEIGHT = 4;
/** Votes of departed donors are halved when there are this many, so that classes follow the times. */
const RETIRED_VOTES = 400;
const MIN_VARIANCE = 1e-4;

/** What is believed of a donor before it sent anything. */
export interface Prior {
  /** ln(true ÷ baseline). */
  mean: number;
  /** Variance between donors. */
  between: number;
  /** Variance between observations of one donor. */
  within: number;
}

/** One donor's own evidence of one quantity. */
export interface Evidence {
  n: number;
  mean: number;
  /** Sum of squared residuals and their number, with the same bounded memory. */
  squares: number;
  residuals: number;
  /** Side of the last clipped residual; a second on the same side means that the donor changed. */
  clipped: -1 | 0 | 1;
  vote: Vote;
}

interface Vote {
  weight: number;
  mean: number;
  within: number;
}

/** Weighted sums of votes. */
interface Sums {
  weight: number;
  mean: number;
  square: number;
  within: number;
}

export interface Posterior {
  mean: number;
  /** Of the next observation: uncertainty of the donor's level plus noise. */
  variance: number;
}

const noVote = (): Vote => ({ weight: 0, mean: 0, within: 0 });
const noSums = (): Sums => ({ weight: 0, mean: 0, square: 0, within: 0 });

export const newEvidence = (): Evidence => ({
  n: 0,
  mean: 0,
  squares: 0,
  residuals: 0,
  clipped: 0,
  vote: noVote(),
});

/** Shrinks a donor's evidence towards its prior. */
export function posterior(evidence: Evidence | undefined, prior: Prior): Posterior {
  if (evidence === undefined || evidence.n === 0) return { mean: prior.mean, variance: prior.between + prior.within };
  const within = noise(evidence, prior);
  const level = 1 / (1 / prior.between + evidence.n / within);
  return {
    mean: level * (prior.mean / prior.between + (evidence.n * evidence.mean) / within),
    variance: level + within,
  };
}

function noise(evidence: Evidence, prior: Prior): number {
  const within = (NOISE_WEIGHT * prior.within + evidence.squares) / (NOISE_WEIGHT + evidence.residuals);
  return Math.max(MIN_VARIANCE, within);
}

/** Takes in one observation. */
export function learn(evidence: Evidence, prior: Prior, x: number): void {
  const before = posterior(evidence, prior);
  const within = noise(evidence, prior);
  const spread = Math.sqrt(before.variance);
  const raw = x - before.mean;
  const residual = Math.max(-CLIP * spread, Math.min(CLIP * spread, raw));
  const clipped = residual === raw ? 0 : raw > 0 ? 1 : -1;
  // A clipped residual that repeats is no outlier: forget most of the past.
  if (clipped !== 0 && clipped === evidence.clipped) evidence.n = Math.min(evidence.n, 1);
  const seen = evidence.n === 0 || (clipped !== 0 && clipped === evidence.clipped) ? raw : residual;
  evidence.clipped = clipped;
  const value = before.mean + seen;
  evidence.n = Math.min(MEMORY, evidence.n + 1);
  evidence.mean += (value - evidence.mean) / evidence.n;
  // E[residual²] = level uncertainty + noise: only the noise's share is counted.
  evidence.squares += (residual * residual * within) / before.variance;
  evidence.residuals += 1;
  if (evidence.residuals > MEMORY) {
    evidence.squares *= MEMORY / evidence.residuals;
    evidence.residuals = MEMORY;
  }
}

/** The votes of a class's (or the fleet's) donors on one quantity, and the prior published from them. */
export class Pool {
  readonly prior: Prior;
  readonly #start: Prior;
  readonly #active = noSums();
  readonly #retired = noSums();

  constructor(start: Prior) {
    this.#start = start;
    this.prior = { ...start };
  }

  get votes(): number {
    return this.#active.weight + this.#retired.weight;
  }

  /** Replaces a donor's earlier vote by its present evidence. */
  vote(previous: Vote, next: Vote): void {
    add(this.#active, previous, -1);
    add(this.#active, next, 1);
  }

  /** The donor left: its vote stays, and fades. */
  retire(vote: Vote): void {
    add(this.#active, vote, -1);
    add(this.#retired, vote, 1);
    if (this.#retired.weight > RETIRED_VOTES) {
      for (const key of ["weight", "mean", "square", "within"] as const) this.#retired[key] /= 2;
    }
  }

  /** Publishes the prior from the votes, shrunk towards the parent's. Returns how the donors' spread around it changed. */
  reestimate(parent: Prior | null): { rmsBefore: number; rmsAfter: number } {
    const sums = noSums();
    for (const key of ["weight", "mean", "square", "within"] as const)
      sums[key] = this.#active[key] + this.#retired[key];
    const towards = parent ?? this.#start;
    const total = sums.weight + PARENT_WEIGHT;
    const mean = (sums.mean + PARENT_WEIGHT * towards.mean) / total;
    const spread = (centre: number) =>
      sums.weight > 0
        ? Math.max(0, (sums.square - 2 * centre * sums.mean + centre * centre * sums.weight) / sums.weight)
        : 0;
    const rmsBefore = Math.sqrt(spread(this.prior.mean));
    const between = (sums.weight * spread(mean) + PARENT_WEIGHT * towards.between) / total;
    this.prior.mean = mean;
    this.prior.between = Math.max(MIN_VARIANCE, between);
    this.prior.within = Math.max(MIN_VARIANCE, (sums.within + PARENT_WEIGHT * towards.within) / total);
    return { rmsBefore, rmsAfter: Math.sqrt(spread(mean)) };
  }

  /** The sums to keep over a restart: all votes count as of departed donors. */
  snapshot(): Sums {
    const sums = noSums();
    for (const key of ["weight", "mean", "square", "within"] as const)
      sums[key] = this.#active[key] + this.#retired[key];
    return sums;
  }

  restore(sums: Sums): void {
    Object.assign(this.#retired, sums);
  }
}

/** A donor's vote: its own mean, weighted by how far its evidence outweighs the prior. */
export function voteOf(evidence: Evidence, prior: Prior): Vote {
  const within = noise(evidence, prior);
  return {
    weight: evidence.n / (evidence.n + within / prior.between),
    mean: evidence.mean,
    within,
  };
}

function add(sums: Sums, vote: Vote, sign: 1 | -1): void {
  sums.weight += sign * vote.weight;
  sums.mean += sign * vote.weight * vote.mean;
  sums.square += sign * vote.weight * vote.mean * vote.mean;
  sums.within += sign * vote.weight * vote.within;
}
