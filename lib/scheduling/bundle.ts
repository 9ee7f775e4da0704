/**
 * Fills a bundle from one stage: whole microtasks where they fit, carved ones where they do not, up to the time that the
 * donor asked for at the 90th percentile, its memory, and its share of what is left.
 */
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import { leaseBytes, mayAttempt, unitsInFrame, unitsInMemory } from "./filters.ts";
import { levelMs, soonestFor } from "./forecast.ts";
import { leaseMs } from "./lease-time.ts";
import type { Candidate } from "./score.ts";
import type { ChooseRequest, IdleReason, Microtask, PlannedLease } from "./types.ts";

/** Near the end a donor takes this share of what would let all end together: later requests correct the estimate. */
const TAIL_SHARE = 0.7;
const MIN_SHARE_MS = 150;
/** Leases are no longer than this share of the time left: the last ones are small enough to be raced in time. */
const TAIL_LEASE = 0.2;
/** How much later than the others a donor may end before its help hurts. */
const LATE_FACTOR = 1.25;
const LATE_MARGIN_MS = 100;
const LEASES_ON_A_SLOW_LINK = 3;
/** Carved leases are no shorter: below, overhead eats them. */
const MIN_LEASE_MS = 250;
/** Less than this share of the usual lease is not worth a lease of its own: overhead and audits would outweigh it. */
const SLIVER = 1 / 3;
/** Pending microtasks looked at beyond the head when the head may not go to this donor. */
const LOOK_AHEAD = 16;

/** The part of a bundle that is filled already. */
export interface Filled {
  readonly leases: PlannedLease[];
  /** What it adds to the donor's queue. */
  p50Ms: number;
  /** What it takes alone. */
  p90Ms: number;
  units: number;
  /** Payloads and results. */
  bytes: number;
}

/** Adds leases of this stage to the bundle. Returns why none could be added, or null. */
export function fillFrom(candidate: Candidate, request: ChooseRequest, filled: Filled): IdleReason | null {
  const { stage, forecast, pace } = candidate;
  const { donor, costModel, nowMs } = request;
  const { definition } = stage;
  const queueMs = Math.max(0, donor.busyUntilMs - nowMs) + filled.p50Ms;
  const oneUnitMs = queueMs + pace.artefactMs + pace.msPerUnit + pace.overheadMs;
  const level = levelMs(stage, forecast);
  const sooner = Math.max(level, soonestFor(stage.pendingUnits, forecast));
  const needed = stage.leasedCount === 0 && filled.leases.length === 0;
  if (!needed && oneUnitMs > LATE_FACTOR * sooner + LATE_MARGIN_MS) return "rest-finishes-sooner-without-you";

  const limitMs = Math.min(request.wantMs, LEASE_LIMITS.microtaskMs) * costModel.bundleShare(donor) - filled.p90Ms;
  const leaseTargetMs = Math.max(
    MIN_LEASE_MS,
    Math.min(
      TAIL_LEASE * level,
      bestLeaseMs(pace.overheadMs, costModel.meanSessionMs(nowMs)),
      // The next bundle is asked for when the first lease begins to compute: the others keep the link busy meanwhile.
      pace.linkBound ? limitMs / LEASES_ON_A_SLOW_LINK : Number.POSITIVE_INFINITY,
    ),
  );
  const expectedLeases = Math.max(1, Math.ceil(limitMs / leaseTargetMs));
  const withinLimit = costModel.unitsWithin(donor, definition, limitMs, expectedLeases);
  if (withinLimit < 1 && filled.leases.length > 0) return "rest-in-work";
  const othersCan = (forecast.soonestMs[0] ?? Number.POSITIVE_INFINITY) < LEASE_LIMITS.microtaskMs;
  if (withinLimit < 1 && othersCan && !needed) return "too-slow-for-one-unit";
  const shareMs = Math.max(MIN_SHARE_MS, TAIL_SHARE * (level - queueMs - pace.artefactMs));
  const withinShare = Math.max(1, Math.floor(shareMs / pace.msPerUnit));
  let room = Math.min(Math.max(1, withinLimit), withinShare);
  const inFrame = unitsInFrame(definition);
  const inTime = Math.max(1, Math.ceil(room / Math.max(1, Math.round((room * pace.msPerUnit) / leaseTargetMs))));
  const perLease = Math.min(inFrame, inTime);
  const inMemory = unitsInMemory(donor, stage, filled.bytes);
  const holds = donor.heldBytes + filled.bytes > 0;
  if (holds && inMemory < Math.min(room, stage.pendingUnits, SLIVER * perLease)) return "hands-full";
  room = Math.min(room, inMemory);

  const before = filled.leases.length;
  let skipped = 0;
  for (let i = 0; i < stage.pendingCount && room > 0 && skipped < LOOK_AHEAD; i++) {
    const microtask = stage.pendingAt(i);
    if (!microtask) break;
    if (!mayAttempt(donor, microtask)) {
      skipped++;
      continue;
    }
    let left = microtask.unitCount;
    while (left > 0 && room > 0 && filled.leases.length < request.maxLeases) {
      if (filled.leases.length > before && room < Math.min(left, SLIVER * perLease)) return null;
      const wanted = left - perLease < SLIVER * perLease ? left : perLease;
      const units = Math.min(wanted, inFrame, left, room);
      if (!add(candidate, request, filled, microtask, units)) return "no-runtime";
      left -= units;
      room -= units;
    }
    if (left > 0) break;
  }
  return filled.leases.length > before ? null : "rest-in-work";
}

function add(
  { stage, pace }: Candidate,
  { donor, costModel, nowMs }: ChooseRequest,
  filled: Filled,
  microtask: Microtask,
  units: number,
): boolean {
  const predicted = costModel.predict(donor, stage.definition, units, 1);
  if (!predicted) return false;
  const queueMs = Math.max(0, donor.busyUntilMs - nowMs);
  // The first lease of an idle donor waits for its payload; all others are fetched while something computes.
  const alone = queueMs === 0 && filled.leases.length === 0;
  const stepMs = alone ? predicted.p50 : units * pace.msPerUnit + pace.overheadMs;
  const spread = predicted.p90 / predicted.p50;
  const expectedInMs = queueMs + filled.p50Ms + stepMs;
  filled.p50Ms += stepMs;
  filled.p90Ms += predicted.p90;
  filled.units += units;
  filled.bytes += leaseBytes(stage.definition, units);
  filled.leases.push({
    stage,
    microtask,
    units,
    predicted,
    leaseMs: leaseMs((expectedInMs * predicted.p99) / predicted.p50),
    stepMs,
    expectedInMs,
    lateInMs: expectedInMs * spread,
    reissueOf: null,
  });
  return true;
}

/**
 * Best time between commits under failures, √(2·overhead·mean time to departure): a departing donor loses half a lease,
 * a shorter lease pays its overhead more often (Young 1974, Daly 2006).
 */
export function bestLeaseMs(overheadMs: number, meanSessionMs: number): number {
  return Math.sqrt(2 * Math.max(1, overheadMs) * meanSessionMs);
}
