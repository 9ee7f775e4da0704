/**
 * How much of a result is recomputed, and which units. The choice is made after the result is here and from cryptographic
 * randomness, so a donor cannot know what will be looked at.
 *
 * A result with a share f of wrong units passes one check of k units with probability (1 − f)^k. One wrong unit in a
 * thousand is seldom seen at once; a donor that does it for long is, and then everything it does is refused.
 */
import type { AuditRecord } from "./reputation.ts";

/** Never fewer: two positions catch what is wrong throughout. */
const MIN_UNITS = 2;
/** A check must cost a small part of the work, whatever its size. */
const MAX_UNITS = 32;
const NEWCOMER_MAX_UNITS = 128;
/** Of a known donor's result, until experience says otherwise (lib/scheduling/optimizer.ts). */
export const USUAL_UNIT_SHARE = 0.005;
const NEWCOMER_SHARE = 0.05;
/** Results until a donor is no newcomer. */
const NEWCOMER_RESULTS = 20;

export function unitsToCheck(unitCount: number, donor: AuditRecord, share: number = USUAL_UNIT_SHARE): number {
  const newcomer = donor.accepted < NEWCOMER_RESULTS || donor.refused > 0;
  const wanted = Math.ceil(unitCount * (newcomer ? Math.max(share, NEWCOMER_SHARE) : share));
  const bounded = Math.min(newcomer ? NEWCOMER_MAX_UNITS : MAX_UNITS, Math.max(MIN_UNITS, wanted));
  return Math.min(unitCount, bounded);
}

/**
 * `count` different positions below `unitCount`, ascending (Floyd's method).
 * @param randomBelow a uniform integer in 0..n−1 from a cryptographic source
 */
export function sampleUnits(unitCount: number, count: number, randomBelow: (n: number) => number): number[] {
  const chosen = new Set<number>();
  for (let top = unitCount - count; top < unitCount; top++) {
    const candidate = randomBelow(top + 1);
    chosen.add(chosen.has(candidate) ? top : candidate);
  }
  return [...chosen].sort((a, b) => a - b);
}
