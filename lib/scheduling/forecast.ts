/**
 * What the fleet can do for one stage: how many donors may have it, how fast they are together, and when what is pending
 * would be done. Estimated from a sample of the donors and kept for a moment, so that a choice costs microseconds.
 */
import { refusal } from "./filters.ts";
import type { BoardView, CostModel, StageView } from "./types.ts";

/** Exact up to this many donors; beyond, speeds over two decades are summed to within some 10 %. */
const SAMPLE = 256;
/** A forecast lives this long, or until the fleet changed by a tenth. */
const LIFE_MS = 400;
/** Stages with much work left need no fresh forecast. */
const LIFE_SHARE_OF_REST = 0.05;
const LIFE_MAX_MS = 5_000;

export interface Forecast {
  readonly madeAtMs: number;
  readonly donorsOnline: number;
  /** Donors that pass the filters. */
  readonly eligibleDonors: number;
  /** Their sustained pace together. */
  readonly unitsPerMs: number;
  /** What they still have in work, weighted by pace. */
  readonly queueMs: number;
  /** When each sampled donor could have done one unit, from now; ascending. */
  readonly soonestMs: readonly number[];
}

export class Forecaster {
  readonly #forecasts = new WeakMap<StageView, { forecast: Forecast; untilMs: number }>();

  of(stage: StageView, board: BoardView, costModel: CostModel, nowMs: number): Forecast {
    const kept = this.#forecasts.get(stage);
    const donors = board.donorList.length;
    if (kept && nowMs < kept.untilMs && Math.abs(donors - kept.forecast.donorsOnline) * 10 <= donors)
      return kept.forecast;
    const forecast = forecastNow(stage, board, costModel, nowMs);
    const lifeMs = Math.max(LIFE_MS, Math.min(LIFE_MAX_MS, LIFE_SHARE_OF_REST * levelMs(stage, forecast)));
    this.#forecasts.set(stage, { forecast, untilMs: nowMs + lifeMs });
    return forecast;
  }
}

/** Milliseconds from now until the pending units are done if every eligible donor works and all end together. */
export function levelMs(stage: StageView, forecast: Forecast): number {
  return forecast.unitsPerMs > 0
    ? stage.pendingUnits / forecast.unitsPerMs + forecast.queueMs
    : Number.POSITIVE_INFINITY;
}

/** Milliseconds until the stage is done at its submitter's fair share of the fleet; null while nobody can compute it. */
export function etaMs(stage: StageView, board: BoardView, costModel: CostModel, nowMs: number): number | null {
  const forecast = forecastNow(stage, board, costModel, nowMs);
  const wholeFleetMs = levelMs(stage, forecast);
  if (!Number.isFinite(wholeFleetMs)) return null;
  const weights = new Map<string, number>();
  for (const { definition, pendingCount } of board.openStages) {
    if (pendingCount > 0) weights.set(definition.submitterId, definition.weight);
  }
  const own = stage.definition.weight;
  weights.set(stage.definition.submitterId, own);
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return (wholeFleetMs - forecast.queueMs) * (all / own) + forecast.queueMs;
}

/** When the `units` soonest donors could each have done one unit. */
export function soonestFor(units: number, forecast: Forecast): number {
  const { soonestMs, eligibleDonors } = forecast;
  if (soonestMs.length === 0) return Number.POSITIVE_INFINITY;
  const index = Math.ceil((units * soonestMs.length) / Math.max(1, eligibleDonors)) - 1;
  return soonestMs[Math.min(soonestMs.length - 1, Math.max(0, index))] ?? Number.POSITIVE_INFINITY;
}

/** A fresh forecast, for reports; choices use a `Forecaster`. */
export function forecastNow(stage: StageView, board: BoardView, costModel: CostModel, nowMs: number): Forecast {
  const donors = board.donorList;
  const count = Math.min(SAMPLE, donors.length);
  // A stride through the list, starting elsewhere each time: no donor is always or never in the sample.
  const step = donors.length / Math.max(1, count);
  const start = step > 1 ? Math.floor(nowMs) % Math.ceil(step) : 0;
  let unitsPerMs = 0;
  let weightedQueue = 0;
  const soonestMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const donor = donors[Math.min(donors.length - 1, Math.floor(i * step) + start)];
    if (!donor || refusal(donor, stage) !== null) continue;
    const pace = costModel.pace(donor, stage.definition);
    if (!pace) continue;
    const queueMs = Math.max(0, donor.busyUntilMs - nowMs) + pace.artefactMs;
    unitsPerMs += 1 / pace.msPerUnit;
    weightedQueue += queueMs / pace.msPerUnit;
    soonestMs.push(queueMs + pace.msPerUnit + pace.overheadMs);
  }
  soonestMs.sort((a, b) => a - b);
  return {
    madeAtMs: nowMs,
    donorsOnline: donors.length,
    eligibleDonors: Math.round(soonestMs.length * step),
    unitsPerMs: unitsPerMs * step,
    queueMs: unitsPerMs > 0 ? weightedQueue / unitsPerMs : 0,
    soonestMs,
  };
}
