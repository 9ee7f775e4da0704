/**
 * Re-issue: when nothing is pending, an attempt that would end late is raced by a donor that should end sooner. The first
 * accepted result wins. Bounded: two attempts at once, and a few percent of the stage's donor-time in all.
 */
import { mayAttempt, unitsInMemory } from "./filters.ts";
import { leaseMs } from "./lease-time.ts";
import type { Candidate } from "./score.ts";
import type { Attempt, ChooseRequest, PlannedLease, StageView } from "./types.ts";

/** Donor-time that races may cost, as a share of the stage's, plus a little so that small jobs can race at all. */
const RACE_SHARE = 0.03;
const RACE_ALLOWANCE_MS = 3_000;
/** A race must be expected to end at this share of the remaining time, and save at least this much. */
const SOONER_FACTOR = 0.7;
const SAVE_MS = 150;
/** E[X − m | X > m] ÷ (p90 − m) for a normal with median m: 0.8 σ ÷ 1.28 σ. */
const MEAN_EXCESS = 0.62;
/** The order of attempts by lateness is kept this long. */
const ORDER_LIFE_MS = 150;
const LOOK_AT = 24;

export class TailRacer {
  readonly #orders = new WeakMap<StageView, { madeAtMs: number; latest: Attempt[] }>();

  /**
   * The attempt that this donor should race, as a lease; null when none is worth it.
   * @param overdueOnly while there is other work: only attempts past their p90 are raced
   */
  plan({ stage, pace }: Candidate, request: ChooseRequest, overdueOnly: boolean): PlannedLease | null {
    const { donor, costModel, nowMs } = request;
    if (stage.reissuedMs > RACE_SHARE * stage.leasedMs + RACE_ALLOWANCE_MS) return null;
    const queueMs = Math.max(0, donor.busyUntilMs - nowMs);
    for (const attempt of this.#latest(stage, nowMs)) {
      const remainingMs = expectedRemainingMs(attempt, nowMs);
      if (remainingMs < SAVE_MS + pace.overheadMs + queueMs) return null;
      if (overdueOnly && nowMs <= attempt.lateAtMs) continue;
      const { microtask } = attempt;
      if (
        !stage.attempts.has(attempt) ||
        attempt.arrived ||
        microtask.attempts.length > 1 ||
        !mayAttempt(donor, microtask)
      )
        continue;
      if (microtask.unitCount > unitsInMemory(donor, stage)) continue;
      const predicted = costModel.predict(donor, stage.definition, microtask.unitCount, 1);
      if (!predicted) return null;
      const ownMs = queueMs + predicted.p50;
      if (ownMs > SOONER_FACTOR * remainingMs || remainingMs - ownMs < SAVE_MS) continue;
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

  #latest(stage: StageView, nowMs: number): readonly Attempt[] {
    const kept = this.#orders.get(stage);
    if (kept && nowMs - kept.madeAtMs < ORDER_LIFE_MS) return kept.latest;
    const latest = [...stage.attempts]
      .filter((attempt) => !attempt.arrived && attempt.microtask.attempts.length === 1)
      .sort((a, b) => expectedRemainingMs(b, nowMs) - expectedRemainingMs(a, nowMs))
      .slice(0, LOOK_AT);
    this.#orders.set(stage, { madeAtMs: nowMs, latest });
    return latest;
  }
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
