/**
 * The policy: which stage's work the asking donor gets, and how much. Hard filters, then a score (score.ts) for each stage
 * with pending work, then a bundle filled to the time wanted (bundle.ts); with nothing pending, a race against an attempt that
 * is late (tail.ts); otherwise a reason in words.
 *
 * Cost: one pass over the open stages, plus a handful of predictions. 1 stage: 3 µs; 200 stages: 25 µs (tests/bench).
 */
import { type Filled, fillFrom } from "./bundle.ts";
import { refusal } from "./filters.ts";
import { Forecaster } from "./forecast.ts";
import { closestReason, idle } from "./idle.ts";
import { type Candidate, deadlineUrgency, scoreTerms, totalScore } from "./score.ts";
import { TailRacer } from "./tail.ts";
import type { ChooseRequest, Decision, IdleReason, PlannedLease, Policy, Prediction, ScoreTerms } from "./types.ts";

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
      const { candidates, reasons } = collect(request, forecaster);
      const pending = candidates.filter(({ stage }) => stage.pendingCount > 0);
      if (pending.length < candidates.length && pending.length > 0) {
        // A job whose last attempts are overdue does not wait until all others are done.
        const race = firstRace(candidates, request, racer, true);
        if (race) return race;
      }
      const ranked = rank(pending, request);
      const filled: Filled = { leases: [], p50Ms: 0, p90Ms: 0, units: 0 };
      let winner: ScoreTerms | null = null;
      for (let used = 0; used < ranked.length && filled.leases.length < request.maxLeases; used++) {
        if (filled.leases.length > 0) {
          const full = filled.p90Ms > (1 - WORTH_ANOTHER_STAGE) * request.wantMs;
          if (full || used >= STAGES_PER_BUNDLE) break;
        }
        const { candidate, terms } = ranked[used] as Scored;
        const before = filled.units;
        const refused = fillFrom(candidate, request, filled);
        if (refused !== null) {
          reasons.push(refused);
          continue;
        }
        winner ??= terms;
        // Only a stage that has nothing more makes room for the next.
        if (filled.units - before < candidate.stage.pendingUnits) break;
      }
      if (winner) return { kind: "bundle", leases: filled.leases, predicted: wholeOf(filled.leases), terms: winner };

      const race = firstRace(candidates, request, racer, false);
      if (race) return race;
      if (candidates.length > 0) reasons.push("rest-in-work");
      const queueMs = Math.max(0, request.donor.busyUntilMs - request.nowMs);
      const reason = closestReason(reasons);
      return candidates.length > 0 ? idle(reason, Math.max(100, Math.min(500, queueMs / 2))) : idle(reason);
    },
  };
}

/** Races the first late attempt of a stage that has nothing pending; urgent stages race before attempts are overdue. */
function firstRace(
  candidates: readonly Candidate[],
  request: ChooseRequest,
  racer: TailRacer,
  otherWork: boolean,
): Decision | null {
  for (const candidate of candidates) {
    if (candidate.stage.pendingCount > 0) continue;
    const urgent = deadlineUrgency(candidate.stage, candidate.forecast, request.nowMs) > 0;
    const race = racer.plan(candidate, request, otherWork && !urgent);
    if (race) return { kind: "bundle", leases: [race], predicted: race.predicted, terms: NO_TERMS };
  }
  return null;
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

function collect(request: ChooseRequest, forecaster: Forecaster): { candidates: Candidate[]; reasons: IdleReason[] } {
  const { board, costModel, donor, nowMs } = request;
  const candidates: Candidate[] = [];
  const reasons: IdleReason[] = [];
  for (const stage of board.openStages) {
    const refused = refusal(donor, stage);
    const pace = refused === null ? costModel.pace(donor, stage.definition) : null;
    if (refused !== null) reasons.push(refused);
    else if (pace === null) reasons.push("no-runtime");
    else candidates.push({ stage, pace, forecast: forecaster.of(stage, board, costModel, nowMs) });
  }
  return { candidates, reasons };
}

/** Best first. */
function rank(candidates: readonly Candidate[], { board, donor, nowMs }: ChooseRequest): Scored[] {
  const first = candidates[0];
  if (first === undefined) return [];
  const bySubmitter = new Map<string, { topPriority: number; oldestAtMs: number }>();
  for (const { stage } of candidates) {
    const { submitterId, priority, createdAtMs } = stage.definition;
    const known = bySubmitter.get(submitterId);
    if (!known || priority > known.topPriority) {
      bySubmitter.set(submitterId, { topPriority: priority, oldestAtMs: createdAtMs });
    } else if (priority === known.topPriority && createdAtMs < known.oldestAtMs) known.oldestAtMs = createdAtMs;
  }
  const { virtualNowMs } = board;
  return candidates
    .map((candidate) => {
      const own = bySubmitter.get(candidate.stage.definition.submitterId);
      const context = { nowMs, board, donor, virtualNowMs, topPriority: 0, oldestAtMs: 0, ...own };
      const terms = scoreTerms(candidate, context);
      return { candidate, terms, score: totalScore(terms) };
    })
    .sort((a, b) => b.score - a.score);
}

/** The bundle's quantiles: its leases run one after another and share the donor's luck, so that quantiles add. */
function wholeOf(leases: readonly PlannedLease[]): Prediction {
  const whole = { p10: 0, p50: 0, p90: 0, p99: 0 };
  for (const { predicted } of leases) {
    whole.p10 += predicted.p10;
    whole.p50 += predicted.p50;
    whole.p90 += predicted.p90;
    whole.p99 += predicted.p99;
  }
  return whole;
}
