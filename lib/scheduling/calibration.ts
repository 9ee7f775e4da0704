/**
 * Keeps the 80 % interval honest: how often outcomes fell inside what was promised, and how far the tails have to be
 * stretched for that (adaptive conformal inference; Gibbs and Candès 2021).
 *
 * Every donor has tails of its own, because one device's time is steady and another's is torn by whatever else runs there.
 * They start from its class's, which follow all donors of the class at a tenth of the pace.
 */
import type { Coverage, Interval } from "./types.ts";

/** Where each tail stands, in multiples of what the model's variance says. */
export interface Tails {
  low: number;
  high: number;
}

/**
 * Steps in the logarithm, for a miss of one tail (nine times as far as for a hit). On four browsers of a machine that ran many
 * other things, 0.05 held 75.3 % of outcomes; the simulated fleets come out alike with 0.05 and 0.1.
 */
export const OWN_STEP = 0.1;
export const CLASS_STEP = 0.01;
const BOUNDS = { min: 0.25, max: 6 } as const;

/** The tail that an outcome missed grows, the others shrink: in the long run each is missed once in ten times. */
export function moveTails(tails: Tails, promised: Interval, tookMs: number, step: number): void {
  tails.high = bounded(tails.high * Math.exp(step * (tookMs > promised.p90 ? 0.9 : -0.1)));
  tails.low = bounded(tails.low * Math.exp(step * (tookMs < promised.p10 ? 0.9 : -0.1)));
}

export const bounded = (tail: number) => Math.max(BOUNDS.min, Math.min(BOUNDS.max, tail));

/** Counts outcomes inside their intervals. */
export class CoverageCount {
  #observations = 0;
  #within80 = 0;
  #belowP90 = 0;

  add({ p10, p90 }: Interval, tookMs: number): void {
    this.#observations++;
    if (tookMs > p90) return;
    this.#belowP90++;
    if (tookMs >= p10) this.#within80++;
  }

  report(): Coverage {
    const n = Math.max(1, this.#observations);
    return { observations: this.#observations, within80: this.#within80 / n, belowP90: this.#belowP90 / n };
  }
}

/** Bundles that may take longer than the limit, as share of all: the promise is one in twenty. */
const LATE_BUNDLES = 0.03;
export const USUAL_BUNDLE_SHARE = 0.85;
const BUNDLE_SHARE_BOUNDS = { min: 0.2, max: 0.9 } as const;
export const BUNDLE_STEP = { own: 0.2, class: 0.05 } as const;

/**
 * To what share of the limit a bundle should be filled (at p90, its leases' added) so that three in a hundred take longer:
 * the same tracking of a quantile, for sums whose parts share their device's luck and its stalls.
 */
export function moveBundleShare(share: number, late: boolean, step: number): number {
  const next = share * Math.exp(step * (late ? LATE_BUNDLES - 1 : LATE_BUNDLES));
  return Math.max(BUNDLE_SHARE_BOUNDS.min, Math.min(BUNDLE_SHARE_BOUNDS.max, next));
}
