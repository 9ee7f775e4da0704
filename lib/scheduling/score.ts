/**
 * The score of a stage for the donor that asks: a sum of terms in seconds of donor time, so that each term says how much
 * unfairness between submitters it is worth. All but the deadline are bounded by some seconds: shares come out exact in
 * the long run whatever the other terms prefer.
 */
import { type Forecast, levelMs } from "./forecast.ts";
import type { DonorView, Pace, ScoreTerms, StageView } from "./types.ts";

/** A higher priority of the same submitter's always wins, and nothing of another submitter's changes. */
const PRIORITY_STEP_S = 1_000;
const DEADLINE_S = 100_000;
/** A stage is urgent from when the rest of its time is this many times what the whole fleet would need. */
const URGENT_FACTOR = 1.5;
const URGENT_MARGIN_MS = 5_000;
/** Beyond this, the deadline cannot be met and its stage falls back to its fair share. */
const HOPELESS_FACTOR = 1.3;
const AFFINITY_MAX_S = 5;
const REGION_PREFERRED_S = 2;
const SCARCITY_MAX_S = 4;
/** Urgent work goes to donors whose results were right. */
const UNRELIABLE_URGENT_S = 20;
/** Decides between stages of one submitter that are otherwise equal. */
const AGE_S = 0.5;

export interface Candidate {
  readonly stage: StageView;
  readonly forecast: Forecast;
  readonly pace: Pace;
}

export interface ScoreContext {
  readonly nowMs: number;
  readonly donor: DonorView;
  /** Least recent usage among the candidates' submitters, and this one's. */
  readonly leastUsageMs: number;
  readonly usageMs: number;
  /** Highest priority among this submitter's candidates. */
  readonly topPriority: number;
  /** Creation time of its oldest candidate of that priority. */
  readonly oldestAtMs: number;
}

export function scoreTerms({ stage, forecast, pace }: Candidate, context: ScoreContext): ScoreTerms {
  const { nowMs, donor, leastUsageMs, usageMs, topPriority, oldestAtMs } = context;
  const { definition } = stage;
  const urgency = deadlineUrgency(stage, forecast, nowMs);
  return {
    fairness: (leastUsageMs - usageMs) / 1000,
    priority: (definition.priority - topPriority) * PRIORITY_STEP_S,
    deadline: urgency * DEADLINE_S,
    affinity: -Math.min(AFFINITY_MAX_S, pace.artefactMs / 1000),
    region: donor.country !== null && stage.preferredCountries.has(donor.country) ? REGION_PREFERRED_S : 0,
    age: definition.createdAtMs > oldestAtMs ? -AGE_S : 0,
    scarcity: SCARCITY_MAX_S * (1 - forecast.eligibleDonors / Math.max(1, forecast.donorsOnline)),
    reliability: urgency > 0 ? -UNRELIABLE_URGENT_S * (1 - donor.reliability) : 0,
  };
}

export function totalScore(terms: ScoreTerms): number {
  return (
    terms.fairness +
    terms.priority +
    terms.deadline +
    terms.affinity +
    terms.region +
    terms.age +
    terms.scarcity +
    terms.reliability
  );
}

/**
 * 0: no deadline, enough time, or hopeless. Otherwise 1..2, larger the sooner the deadline is: earliest deadline first
 * among the urgent ones.
 */
export function deadlineUrgency(stage: StageView, forecast: Forecast, nowMs: number): number {
  const { deadlineAtMs } = stage.definition;
  if (deadlineAtMs === null) return 0;
  const leftMs = deadlineAtMs - nowMs;
  // Hopeless is judged by the best case, urgent by the usual one.
  const bestMs =
    stage.pendingUnits / Math.max(1e-9, forecast.unitsPerMs) + (forecast.soonestMs[0] ?? Number.POSITIVE_INFINITY);
  if (leftMs <= 0 || bestMs > HOPELESS_FACTOR * leftMs) return 0;
  if (leftMs > URGENT_FACTOR * levelMs(stage, forecast) + URGENT_MARGIN_MS) return 0;
  return 1 + 1 / (1 + leftMs / 1000);
}
