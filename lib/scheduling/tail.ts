/**
 * Re-issue: near a stage's end, an attempt that would end after all others is raced by a donor that should end sooner. The
 * first accepted result wins. Bounded: two attempts at once (three when two are overdue), and a few percent of the stage's donor-time in all.
 */
import { mayAttempt, refusal, unitsInMemory } from "./filters.ts";
import { type Forecaster, levelMs as levelOf } from "./forecast.ts";
import { leaseMs } from "./lease-time.ts";
import { deadlineUrgency } from "./score.ts";
import type { Attempt, BoardView, ChooseRequest, DonorView, Pace, PlannedLease, StageView } from "./types.ts";

/** Donor-time that races may cost, as a share of the stage's, plus a little so that small jobs can race at all. */
const RACE_SHARE = 0.03;
const RACE_ALLOWANCE_MS = 3_000;
/** A race must be expected to end at this share of the remaining time, and save at least this much. */
const SOONER_FACTOR = 0.7;
const SAVE_MS = 150;
/** E[X − m | X > m] ÷ (p90 − m) for a normal with median m: 0.8 σ ÷ 1.28 σ. */
const MEAN_EXCESS = 0.62;
const SLOWER_THAN_MEAN = 1.5;
const ANYBODY_SHARE = 0.25;
/** A stage with less than this left is near its end: its overdue attempts are raced while the rest is computed. */
const ENDING_MS = 4_000;
/** The order of attempts by lateness is kept this long. */
const ORDER_LIFE_MS = 150;
const LOOK_AT = 24;
const STAGES_LOOKED_AT = 32;

/** A stage near its end, and its attempts that should end last. */
interface Ending {
  readonly stage: StageView;
  /** What is pending takes this long: attempts that end before hold nothing up. */
  readonly levelMs: number;
  /** Of one unit on the mean donor. */
  readonly meanMsPerUnit: number;
  readonly latest: readonly Attempt[];
  readonly overdue: boolean;
}

export class TailRacer {
  #ending: Ending[] = [];
  #madeAtMs = Number.NEGATIVE_INFINITY;
  #madeFor: BoardView | null = null;

  /**
   * The attempt that this donor should race, as a lease; null when none is worth it.
   * @param otherWork there is pending work for it: only overdue attempts and urgent jobs are raced then
   */
  plan(request: ChooseRequest, forecaster: Forecaster, otherWork: boolean): PlannedLease | null {
    const { board, costModel, donor, nowMs } = request;
    const ageMs = nowMs - this.#madeAtMs;
    if (this.#madeFor !== board || ageMs >= ORDER_LIFE_MS || ageMs < 0) this.#refresh(request, forecaster);
    for (const ending of this.#ending) {
      const { stage, overdue } = ending;
      if (stage.attempts.size === 0 || refusal(donor, stage) !== null) continue;
      if (stage.reissuedMs > RACE_SHARE * stage.leasedMs + RACE_ALLOWANCE_MS) continue;
      const urgent = otherWork && stage.definition.deadlineAtMs !== null && isUrgent(request, forecaster, stage);
      if (otherWork && !overdue && !urgent) continue;
      const pace = costModel.pace(donor, stage.definition);
      const race = pace && raceOne(ending, pace, request, otherWork && !urgent);
      if (race) return race;
    }
    return null;
  }

  #refresh({ board, costModel, nowMs }: ChooseRequest, forecaster: Forecaster): void {
    this.#madeAtMs = nowMs;
    this.#madeFor = board;
    this.#ending = [];
    for (const stage of board.openStages) {
      if (stage.attempts.size === 0) continue;
      const forecast = forecaster.of(stage, board, costModel, nowMs);
      const levelMs = stage.pendingCount > 0 ? levelOf(stage, forecast) : 0;
      if (levelMs > ENDING_MS) continue;
      const latest = latestOf(stage, levelMs, nowMs);
      if (latest.length === 0) continue;
      const meanMsPerUnit = forecast.eligibleDonors / Math.max(1e-9, forecast.unitsPerMs);
      const overdue = latest.some((attempt) => nowMs > attempt.lateAtMs);
      this.#ending.push({ stage, levelMs, meanMsPerUnit, latest, overdue });
    }
    const lateness = ({ latest: [last] }: Ending) => (last ? expectedRemainingMs(last, nowMs) : 0);
    this.#ending.sort((a, b) => lateness(b) - lateness(a));
    this.#ending.length = Math.min(this.#ending.length, STAGES_LOOKED_AT);
  }
}

function isUrgent({ board, costModel, nowMs }: ChooseRequest, forecaster: Forecaster, stage: StageView): boolean {
  return deadlineUrgency(stage, forecaster.of(stage, board, costModel, nowMs), nowMs) > 0;
}

function raceOne(
  { stage, latest, levelMs, meanMsPerUnit }: Ending,
  pace: Pace,
  { donor, costModel, nowMs }: ChooseRequest,
  overdueOnly: boolean,
): PlannedLease | null {
  const queueMs = Math.max(0, donor.busyUntilMs - nowMs);
  for (const attempt of latest) {
    const { microtask } = attempt;
    const remainingMs = expectedRemainingMs(attempt, nowMs);
    if (remainingMs < Math.max(levelMs, SAVE_MS + pace.overheadMs + queueMs)) return null;
    if ((overdueOnly || stage.pendingCount > 0) && nowMs <= attempt.lateAtMs) continue;
    if (!mayRace(donor, stage, attempt, nowMs)) continue;
    const predicted = costModel.predict(donor, stage.definition, microtask.unitCount, 1);
    if (!predicted) return null;
    const ownMs = queueMs + predicted.p50;
    if (ownMs > SOONER_FACTOR * remainingMs || remainingMs - ownMs < SAVE_MS) continue;
    // A slow donor leaves the race to a faster one, unless it is late enough for anybody.
    const meanMs = meanMsPerUnit * microtask.unitCount + pace.overheadMs;
    if (ownMs > SLOWER_THAN_MEAN * meanMs + SAVE_MS && ownMs > remainingMs * ANYBODY_SHARE) continue;
    return {
      stage,
      microtask,
      units: microtask.unitCount,
      predicted,
      leaseMs: leaseMs(queueMs + predicted.p99),
      stepMs: predicted.p50,
      expectedInMs: queueMs + predicted.p50,
      lateInMs: queueMs + predicted.p90,
      reissueOf: attempt,
    };
  }
  return null;
}

function mayRace(donor: DonorView, stage: StageView, attempt: Attempt, nowMs: number): boolean {
  const { microtask } = attempt;
  if (!stage.attempts.has(attempt) || !raceable(attempt, nowMs)) return false;
  return mayAttempt(donor, microtask) && microtask.unitCount <= unitsInMemory(donor, stage);
}

/** One attempt may be raced; two only when both are overdue (the second donor vanished as well); never more. */
function raceable({ arrived, microtask }: Attempt, nowMs: number): boolean {
  if (arrived) return false;
  const { attempts } = microtask;
  return attempts.length === 1 || (attempts.length === 2 && attempts.every((a) => !a.arrived && nowMs > a.lateAtMs));
}

/** Attempts that are not raced yet, those that should end last first. */
function latestOf(stage: StageView, afterMs: number, nowMs: number): Attempt[] {
  const late: { attempt: Attempt; remainingMs: number }[] = [];
  for (const attempt of stage.attempts) {
    if (!raceable(attempt, nowMs)) continue;
    if (stage.pendingCount > 0 && nowMs <= attempt.lateAtMs) continue;
    const remainingMs = expectedRemainingMs(attempt, nowMs);
    if (remainingMs > Math.max(afterMs, SAVE_MS)) late.push({ attempt, remainingMs });
  }
  late.sort((a, b) => b.remainingMs - a.remainingMs);
  return late.slice(0, LOOK_AT).map(({ attempt }) => attempt);
}

/**
 * What an attempt should still take, given that it is not done. Around its expected end that is about half its spread (the
 * mean excess of a normal); past its p90 the prediction has failed, and of a heavy-tailed duration what was waited already
 * is the best guess of what is still to come.
 */
export function expectedRemainingMs({ expectedAtMs, lateAtMs, leasedAtMs }: Attempt, nowMs: number): number {
  const excessMs = MEAN_EXCESS * (lateAtMs - expectedAtMs);
  if (nowMs <= lateAtMs) return Math.max(excessMs, expectedAtMs - nowMs);
  return Math.max(excessMs, nowMs - lateAtMs, (nowMs - leasedAtMs) / 2);
}
