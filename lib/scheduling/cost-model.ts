/**
 * Predicts how long work takes on a donor, and learns from how long it took.
 *
 *     time = artefacts·8/down + bytesIn/down + macs/speed(kernel, runtime) + bytesOut/up + overhead·microtasks
 *
 * Each of the four parts is a log-normal quantity relative to a baseline that the benchmark gives (shrinkage.ts); their
 * sum's quantiles come from prediction.ts, and calibration.ts stretches its tails until what is promised holds.
 */
import { z } from "zod";
import type { DonorId, StageId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import type { RuntimeId } from "#lib/protocol/stage.ts";
import {
  BUNDLE_STEP,
  bounded,
  CLASS_STEP,
  CoverageCount,
  moveBundleShare,
  moveTails,
  OWN_STEP,
  type Tails,
  USUAL_BUNDLE_SHARE,
} from "./calibration.ts";
import { benchmarkRate } from "./filters.ts";
import { predictionOf, type Rates, warmP90 } from "./prediction.ts";
import {
  baselineDown,
  computeBaselineMs,
  computeQuantity,
  DOWN,
  missingBytes,
  OVERHEAD,
  OVERHEAD_BASE_MS,
  QUANTITIES,
  quantityName,
  startOf,
  UP,
  UP_OF_DOWN,
} from "./quantities.ts";
import { Sessions } from "./sessions.ts";
import { type Evidence, learn, newEvidence, Pool, type Posterior, type Prior, posterior, voteOf } from "./shrinkage.ts";
import type {
  BundleObservation,
  CalibrationReport,
  CostModel,
  DonorView,
  Observation,
  Pace,
  Prediction,
  PriorChange,
  RuntimeRate,
  SessionEvent,
  StageDefinition,
} from "./types.ts";

const STAGE_EFFECT_START = 0.4 ** 2;
/** Stages never become certain, so that an effect that one donor taught wrongly is corrected by the next. */
const STAGE_EFFECT_FLOOR = 0.04 ** 2;
const STAGES_REMEMBERED = 4_096;
/** About a kilobyte each; a donor that comes back with its id is known again. */
const DONORS_REMEMBERED = 20_000;

/** Bundles filled to less than this part of what they may are not full. */
const FULL_BUNDLE = 0.7;
/** Below this, a transfer measures the round trip and not the link. */
const MIN_LINK_BYTES = 8_192;
const MIN_LINK_MS = 2;

interface ClassState {
  readonly pools: (Pool | undefined)[];
  readonly tails: Tails;
  readonly coverage: CoverageCount;
  bundleShare: number;
}

interface DonorState {
  readonly evidence: (Evidence | undefined)[];
  readonly own: ClassState;
  readonly tails: Tails;
  bundleShare: number;
  /** The rates last asked for, while nothing that they depend on changed: one choice asks several times. */
  cache: CachedRates | null;
}

interface ComputeRate {
  readonly runtime: RuntimeId;
  readonly msPerUnit: number;
  readonly variance: number;
}

interface CachedRates {
  readonly rates: Rates;
  readonly stageId: StageId;
  readonly epoch: number;
  readonly runtimes: readonly RuntimeRate[];
  readonly visible: boolean;
  readonly cpuShare: number;
  readonly gpuShare: number;
}

/**
 * How far a stage is from its multiply-adds on everybody's devices: a network of small layers runs below the benchmark.
 * Learnt together with the donors' factors by splitting each residual in proportion to the variances (a Kalman filter
 * with a diagonal covariance).
 */
interface StageEffect {
  mean: number;
  variance: number;
}

const Sums = z.object({ weight: z.number(), mean: z.number(), square: z.number(), within: z.number() });
const Snapshot = z.object({
  version: z.literal(1),
  fleet: z.record(z.string(), Sums),
  classes: z.record(
    z.string(),
    z.object({
      pools: z.record(z.string(), Sums),
      tails: z.object({ low: z.number(), high: z.number() }),
      bundleShare: z.number().default(USUAL_BUNDLE_SHARE),
    }),
  ),
});

export function createCostModel(): CostModel {
  return new HierarchicalCostModel();
}

class HierarchicalCostModel implements CostModel {
  readonly #fleet: (Pool | undefined)[] = new Array(QUANTITIES);
  readonly #classes = new Map<string, ClassState>();
  readonly #donors = new Map<DonorId, DonorState>();
  readonly #stageEffects = new Map<StageId, StageEffect>();
  readonly #sessions = new Sessions();
  /** Counts the publications of class priors. */
  #epoch = 0;
  readonly #coverage = new CoverageCount();

  predict(donor: DonorView, stage: StageDefinition, units: number, microtasks: number): Prediction | null {
    const rates = this.#rates(donor, stage);
    return rates && predictionOf(rates, units, microtasks);
  }

  unitsWithin(donor: DonorView, stage: StageDefinition, budgetMs: number, microtasks: number): number {
    const rates = this.#rates(donor, stage);
    if (!rates) return 0;
    const fixed = rates.overheadMs * microtasks;
    const perUnit = rates.downMsPerUnit + rates.computeMsPerUnit + rates.upMsPerUnit;
    // p90 ÷ median changes slowly with the number of units: three steps of a fixed point are exact to some per mille.
    let units = Math.max(1, (budgetMs - fixed) / perUnit);
    for (let step = 0; step < 3; step++) {
      const ratio = warmP90(rates, units, microtasks) / (fixed + perUnit * units);
      units = Math.max(1, (budgetMs / ratio - fixed) / perUnit);
    }
    let whole = Math.floor(units * 1.002);
    while (whole > 0 && warmP90(rates, whole, microtasks) > budgetMs) {
      whole = whole > 64 ? Math.floor(whole * 0.99) : whole - 1;
    }
    return whole;
  }

  pace(donor: DonorView, stage: StageDefinition): Pace | null {
    const rates = this.#rates(donor, stage);
    if (!rates) return null;
    return {
      msPerUnit: Math.max(1e-6, rates.downMsPerUnit, rates.computeMsPerUnit, rates.upMsPerUnit),
      linkBound: rates.downMsPerUnit > rates.computeMsPerUnit,
      overheadMs: rates.overheadMs,
      artefactMs: rates.artefactMs,
    };
  }

  runtimeFor(donor: DonorView, stage: StageDefinition): RuntimeId | null {
    return this.#compute(donor, this.#donor(donor), stage)?.runtime ?? null;
  }

  observe(observation: Observation): void {
    const { donor, stage, runtime, units, downloadMs, computeMs, uploadMs, overheadMs } = observation;
    this.#score(observation);
    const rate = donor.runtimes.find((candidate) => candidate.runtime === runtime);
    const macsPerSecond = rate ? benchmarkRate(rate, stage.kernel) : 0;
    if (computeMs > 0 && macsPerSecond > 0) {
      const baselineMs = computeBaselineMs(donor, stage, runtime, macsPerSecond) * units;
      const quantity = computeQuantity(stage.kernel, runtime, donor.visible);
      const x = Math.log(computeMs / baselineMs);
      this.#learn(donor, quantity, x - this.#learnStage(donor, stage.id, quantity, x));
    }
    const bytesIn = stage.unitBytesIn * units;
    if (bytesIn >= MIN_LINK_BYTES && downloadMs >= MIN_LINK_MS) {
      this.#learn(donor, DOWN, Math.log((downloadMs * baselineDown(donor)) / (1000 * bytesIn)));
    }
    const bytesOut = stage.unitBytesOut * units;
    if (bytesOut >= MIN_LINK_BYTES && uploadMs >= MIN_LINK_MS) {
      this.#learn(donor, UP, Math.log((uploadMs * baselineDown(donor) * UP_OF_DOWN) / (1000 * bytesOut)));
    }
    this.#learn(donor, OVERHEAD, Math.log(Math.max(0.5, overheadMs) / OVERHEAD_BASE_MS));
    this.#donor(donor).cache = null;
  }

  bundleShare(donor: DonorView): number {
    return this.#donor(donor).bundleShare;
  }

  observeBundle({ donor, promisedP90Ms, tookMs }: BundleObservation): void {
    const state = this.#donor(donor);
    const { own } = state;
    const late = tookMs > LEASE_LIMITS.microtaskMs;
    // That a nearly empty bundle was in time says nothing of full ones.
    if (!late && promisedP90Ms < FULL_BUNDLE * state.bundleShare * LEASE_LIMITS.microtaskMs) return;
    state.bundleShare = moveBundleShare(state.bundleShare, late, BUNDLE_STEP.own);
    own.bundleShare = moveBundleShare(own.bundleShare, late, BUNDLE_STEP.class);
  }

  observeSession(event: SessionEvent): void {
    this.#sessions.observe(event);
  }

  meanSessionMs(nowMs: number): number {
    return this.#sessions.meanMs(nowMs);
  }

  forget(donorId: DonorId): void {
    const state = this.#donors.get(donorId);
    if (!state) return;
    state.evidence.forEach((evidence, quantity) => {
      if (!evidence) return;
      state.own.pools[quantity]?.retire(evidence.vote);
      this.#fleet[quantity]?.retire(evidence.vote);
    });
    this.#donors.delete(donorId);
  }

  reestimate(): PriorChange[] {
    const changes: PriorChange[] = [];
    this.#epoch++;
    for (const pool of this.#fleet) pool?.reestimate(null);
    for (const [deviceClass, { pools }] of this.#classes) {
      pools.forEach((pool, quantity) => {
        if (!pool) return;
        const before = pool.prior.mean;
        const { rmsBefore, rmsAfter } = pool.reestimate(this.#fleet[quantity]?.prior ?? null);
        changes.push({
          deviceClass,
          quantity: quantityName(quantity),
          donors: pool.votes,
          factorBefore: Math.exp(before),
          factorAfter: Math.exp(pool.prior.mean),
          errorBefore: Math.expm1(rmsBefore),
          errorAfter: Math.expm1(rmsAfter),
        });
      });
    }
    return changes;
  }

  calibration(): CalibrationReport {
    const classes = [...this.#classes].map(([deviceClass, { coverage }]) => ({ deviceClass, ...coverage.report() }));
    return { ...this.#coverage.report(), classes };
  }

  snapshot(): unknown {
    const sumsOf = (pools: (Pool | undefined)[]) =>
      Object.fromEntries(pools.flatMap((pool, quantity) => (pool ? [[quantityName(quantity), pool.snapshot()]] : [])));
    return {
      version: 1,
      fleet: sumsOf(this.#fleet),
      classes: Object.fromEntries(
        [...this.#classes].map(([name, { pools, tails, bundleShare }]) => [
          name,
          { pools: sumsOf(pools), tails: { ...tails }, bundleShare },
        ]),
      ),
    } satisfies z.input<typeof Snapshot>;
  }

  /** Takes up what an earlier run learnt of classes. @throws ZodError for something that is no snapshot */
  restore(snapshot: unknown): void {
    const { fleet, classes } = Snapshot.parse(snapshot);
    for (let quantity = 0; quantity < QUANTITIES; quantity++) {
      const name = quantityName(quantity);
      const sums = fleet[name];
      if (sums) this.#fleetPool(quantity).restore(sums);
      for (const [deviceClass, { pools }] of Object.entries(classes)) {
        const own = pools[name];
        if (own) this.#pool(deviceClass, quantity).restore(own);
      }
    }
    for (const [deviceClass, { tails, bundleShare }] of Object.entries(classes)) {
      const own = this.#class(deviceClass);
      own.tails.low = bounded(tails.low);
      own.tails.high = bounded(tails.high);
      own.bundleShare = moveBundleShare(bundleShare, false, 0);
    }
    this.reestimate();
  }

  // Parts

  /** Counts whether the outcome fell inside what was promised, and moves the tails towards it. */
  #score({ donor, stage, units, downloadMs, computeMs, uploadMs, overheadMs, promised }: Observation): void {
    const rates = this.#rates(donor, stage);
    if (!rates) return;
    const interval = promised ?? predictionOf(rates, units, 1).warm;
    const tookMs = downloadMs + computeMs + uploadMs + overheadMs;
    const { own, tails } = this.#donor(donor);
    this.#coverage.add(interval, tookMs);
    own.coverage.add(interval, tookMs);
    moveTails(tails, interval, tookMs, OWN_STEP);
    moveTails(own.tails, interval, tookMs, CLASS_STEP);
  }

  #donor(donor: DonorView): DonorState {
    let state = this.#donors.get(donor.id);
    if (!state) {
      if (this.#donors.size >= DONORS_REMEMBERED) {
        for (const longest of this.#donors.keys()) {
          this.forget(longest);
          break;
        }
      }
      const own = this.#class(donor.deviceClass);
      state = {
        evidence: new Array(QUANTITIES),
        own,
        tails: { ...own.tails },
        bundleShare: own.bundleShare,
        cache: null,
      };
      this.#donors.set(donor.id, state);
    }
    return state;
  }

  #learn(donor: DonorView, quantity: number, x: number): void {
    const pool = this.#pool(donor.deviceClass, quantity);
    const state = this.#donor(donor);
    let evidence = state.evidence[quantity];
    if (!evidence) {
      evidence = newEvidence();
      state.evidence[quantity] = evidence;
    }
    learn(evidence, pool.prior, x);
    const vote = voteOf(evidence, pool.prior);
    pool.vote(evidence.vote, vote);
    this.#fleetPool(quantity).vote(evidence.vote, vote);
    evidence.vote = vote;
  }

  /** Gives the stage its part of the residual; returns the stage's effect. */
  #learnStage(donor: DonorView, stageId: StageId, quantity: number, x: number): number {
    let effect = this.#stageEffects.get(stageId);
    if (!effect) {
      effect = { mean: 0, variance: STAGE_EFFECT_START };
      if (this.#stageEffects.size >= STAGES_REMEMBERED) {
        for (const oldest of this.#stageEffects.keys()) {
          this.#stageEffects.delete(oldest);
          break;
        }
      }
      this.#stageEffects.set(stageId, effect);
    }
    const own = this.#posterior(this.#donor(donor), quantity);
    const total = own.variance + effect.variance;
    const bound = 2.5 * Math.sqrt(total);
    const residual = Math.max(-bound, Math.min(bound, x - own.mean - effect.mean));
    const gain = effect.variance / total;
    effect.mean += gain * residual;
    effect.variance = Math.max(STAGE_EFFECT_FLOOR, effect.variance * (1 - gain));
    return effect.mean;
  }

  #posterior(state: DonorState, quantity: number): Posterior {
    return posterior(state.evidence[quantity], state.own.pools[quantity]?.prior ?? this.#start(quantity));
  }

  /** What is believed of a class that nothing is known of: the fleet. */
  #start(quantity: number): Prior {
    return this.#fleet[quantity]?.prior ?? startOf(quantity);
  }

  #class(deviceClass: string): ClassState {
    let state = this.#classes.get(deviceClass);
    if (!state) {
      state = {
        pools: new Array(QUANTITIES),
        tails: { low: 1, high: 1 },
        coverage: new CoverageCount(),
        bundleShare: USUAL_BUNDLE_SHARE,
      };
      this.#classes.set(deviceClass, state);
    }
    return state;
  }

  #pool(deviceClass: string, quantity: number): Pool {
    const { pools } = this.#class(deviceClass);
    let pool = pools[quantity];
    if (!pool) {
      pool = new Pool(this.#start(quantity));
      pools[quantity] = pool;
    }
    return pool;
  }

  #fleetPool(quantity: number): Pool {
    let pool = this.#fleet[quantity];
    if (!pool) {
      pool = new Pool(startOf(quantity));
      this.#fleet[quantity] = pool;
    }
    return pool;
  }

  /** The fastest of the donor's runtimes that the stage can use. */
  #compute(donor: DonorView, state: DonorState, stage: StageDefinition): ComputeRate | null {
    let best: ComputeRate | null = null;
    for (const rate of donor.runtimes) {
      const { runtime } = rate;
      const speed = benchmarkRate(rate, stage.kernel);
      if (speed <= 0 || !stage.runtimes.includes(runtime)) continue;
      const { mean, variance } = this.#posterior(state, computeQuantity(stage.kernel, runtime, donor.visible));
      const msPerUnit = computeBaselineMs(donor, stage, runtime, speed) * Math.exp(mean);
      if (best === null || msPerUnit < best.msPerUnit) best = { runtime, msPerUnit, variance };
    }
    if (best === null) return null;
    const effect = this.#stageEffects.get(stage.id);
    return {
      runtime: best.runtime,
      msPerUnit: best.msPerUnit * Math.exp(effect?.mean ?? 0),
      variance: best.variance + (effect?.variance ?? STAGE_EFFECT_START),
    };
  }

  #rates(donor: DonorView, stage: StageDefinition): Rates | null {
    const state = this.#donor(donor);
    const { cache } = state;
    if (
      cache !== null &&
      cache.stageId === stage.id &&
      cache.epoch === this.#epoch &&
      cache.runtimes === donor.runtimes &&
      cache.visible === donor.visible &&
      cache.cpuShare === donor.cpuShare &&
      cache.gpuShare === donor.gpuShare
    ) {
      cache.rates.artefactMs = missingBytes(donor, stage) * cache.rates.downMsPerByte;
      return cache.rates;
    }
    const rates = this.#freshRates(donor, state, stage);
    if (rates) {
      rates.artefactMs = missingBytes(donor, stage) * rates.downMsPerByte;
      state.cache = {
        rates,
        stageId: stage.id,
        epoch: this.#epoch,
        runtimes: donor.runtimes,
        visible: donor.visible,
        cpuShare: donor.cpuShare,
        gpuShare: donor.gpuShare,
      };
    }
    return rates;
  }

  #freshRates(donor: DonorView, state: DonorState, stage: StageDefinition): Rates | null {
    const compute = this.#compute(donor, state, stage);
    if (!compute) return null;
    const down = this.#posterior(state, DOWN);
    const up = this.#posterior(state, UP);
    const overhead = this.#posterior(state, OVERHEAD);
    const downMsPerByte = (1000 / baselineDown(donor)) * Math.exp(down.mean);
    const upMsPerByte = (1000 / (baselineDown(donor) * UP_OF_DOWN)) * Math.exp(up.mean);
    return {
      artefactMs: 0,
      downMsPerByte,
      downMsPerUnit: stage.unitBytesIn * downMsPerByte,
      downGrowth: Math.exp(down.variance),
      computeMsPerUnit: compute.msPerUnit,
      computeGrowth: Math.exp(compute.variance),
      upMsPerUnit: stage.unitBytesOut * upMsPerByte,
      upGrowth: Math.exp(up.variance),
      overheadMs: OVERHEAD_BASE_MS * Math.exp(overhead.mean),
      overheadGrowth: Math.exp(overhead.variance),
      tails: state.tails,
    };
  }
}
