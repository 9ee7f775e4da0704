/**
 * The policy: which stage's work the asking donor gets, and how much. A short list of stages (candidates.ts), hard filters,
 * a score for each (score.ts), then a bundle filled to the time wanted (bundle.ts); where nothing is pending, or attempts
 * are overdue, a race against a late one (tail.ts); otherwise a reason in words.
 *
 * Cost of choose + lease + accept by open stages (`npm run bench:simulation`, a busy 2-core machine): 1: 7 µs, 10: 11 µs,
 * 100: 27 µs, 1,000: 96 µs. Scoring every open stage instead of the short list: 22, 28, 102 and 1,958 µs.
 */
import { type Filled, fillFrom } from "./bundle.ts";
import { NARROW, shortList, WIDE } from "./candidates.ts";
import { Forecaster } from "./forecast.ts";
import { closestReason, idle, refusalsOf } from "./idle.ts";
import { type Candidate, scoreTerms, totalScore } from "./score.ts";
import { TailRacer } from "./tail.ts";
import type { ChooseRequest, IdleReason, PlannedLease, Policy, Prediction, ScoreTerms } from "./types.ts";

/** A bundle is filled from at most this many stages: each costs the donor an artefact. */
const STAGES_PER_BUNDLE = 3;
/** No stage is added for less than this much of the wanted time. */
const WORTH_ANOTHER_STAGE = 0.4;

interface Scored {
  readonly candidate: Candidate;
  readonly terms: ScoreTerms;
  readonly score: number;
}

/** @returns a policy with its own short-lived forecasts; one per coordinator */
export function createPolicy(): Policy {
  const forecaster = new Forecaster();
  const racer = new TailRacer();

  return {
    name: "flux",
    choose(request) {
      let candidates = shortList(request, forecaster, NARROW);
      // A job whose last attempts are overdue does not wait until all others are done.
      const overdue = racer.plan(request, forecaster, candidates.length > 0);
      if (overdue) return { kind: "bundle", leases: [overdue], predicted: overdue.predicted, terms: NO_TERMS };

      const reasons: IdleReason[] = [];
      const filled: Filled = { leases: [], p50Ms: 0, p90Ms: 0, units: 0, bytes: 0 };
      let terms = fill(rank(candidates, request), request, filled, reasons);
      if (!terms && candidates.length > 0) {
        candidates = shortList(request, forecaster, WIDE);
        terms = fill(rank(candidates, request), request, filled, reasons);
      }
      if (terms) return { kind: "bundle", leases: filled.leases, predicted: wholeOf(filled.leases), terms };

      const race = candidates.length > 0 ? racer.plan(request, forecaster, false) : null;
      if (race) return { kind: "bundle", leases: [race], predicted: race.predicted, terms: NO_TERMS };
      const reason = closestReason(reasons.length > 0 ? reasons : refusalsOf(request));
      const queueMs = Math.max(0, request.donor.busyUntilMs - request.nowMs);
      return idle(reason, queueMs);
    },
  };
}

/** Fills from the best stage, and from the next where the best has nothing more. Returns the best one's terms. */
function fill(
  ranked: readonly Scored[],
  request: ChooseRequest,
  filled: Filled,
  reasons: IdleReason[],
): ScoreTerms | null {
  let winner: ScoreTerms | null = null;
  let used = 0;
  for (const { candidate, terms } of ranked) {
    const full = filled.p90Ms > (1 - WORTH_ANOTHER_STAGE) * request.wantMs;
    if (filled.leases.length >= request.maxLeases || used >= STAGES_PER_BUNDLE || full) break;
    const before = filled.units;
    const refused = fillFrom(candidate, request, filled);
    if (refused !== null) {
      reasons.push(refused);
      continue;
    }
    used++;
    winner ??= terms;
    if (filled.units - before < candidate.stage.pendingUnits) break;
  }
  return winner;
}

const NO_TERMS: ScoreTerms = {
  fairness: 0,
  priority: 0,
  deadline: 0,
  affinity: 0,
  region: 0,
  age: 0,
  scarcity: 0,
  reliability: 0,
};

/** Best first. */
function rank(candidates: readonly Candidate[], { board, donor, nowMs }: ChooseRequest): Scored[] {
  const [only] = candidates;
  if (only && candidates.length === 1) return [{ candidate: only, terms: NO_TERMS, score: 0 }];
  const bySubmitter = new Map<string, { topPriority: number; oldestAtMs: number; usageMs: number }>();
  let leastUsageMs = Number.POSITIVE_INFINITY;
  for (const { stage } of candidates) {
    const { submitterId, priority, createdAtMs } = stage.definition;
    const known = bySubmitter.get(submitterId);
    if (!known) {
      const usageMs = board.usageMs(submitterId, nowMs);
      leastUsageMs = Math.min(leastUsageMs, usageMs);
      bySubmitter.set(submitterId, { topPriority: priority, oldestAtMs: createdAtMs, usageMs });
    } else if (priority > known.topPriority) {
      known.topPriority = priority;
      known.oldestAtMs = createdAtMs;
    } else if (priority === known.topPriority) known.oldestAtMs = Math.min(known.oldestAtMs, createdAtMs);
  }
  return candidates
    .map((candidate) => {
      const own = bySubmitter.get(candidate.stage.definition.submitterId);
      const context = { nowMs, donor, leastUsageMs, topPriority: 0, oldestAtMs: 0, usageMs: 0, ...own };
      const terms = scoreTerms(candidate, context);
      return { candidate, terms, score: totalScore(terms) };
    })
    .sort((a, b) => b.score - a.score);
}

/** The bundle's quantiles: its leases run one after another and share the donor's luck, so that quantiles add. */
function wholeOf(leases: readonly PlannedLease[]): Prediction {
  const whole = { p10: 0, p50: 0, p90: 0, p99: 0, warm: { p10: 0, p90: 0 } };
  for (const { predicted } of leases) {
    whole.p10 += predicted.p10;
    whole.p50 += predicted.p50;
    whole.p90 += predicted.p90;
    whole.p99 += predicted.p99;
    whole.warm.p10 += predicted.warm.p10;
    whole.warm.p90 += predicted.warm.p90;
  }
  return whole;
}
