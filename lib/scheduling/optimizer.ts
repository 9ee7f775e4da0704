/**
 * The background pass: looks at what was observed since the last one, changes what should change, and says in words what it
 * changed and what that gains. Pure: the caller applies the new settings and keeps the log.
 *
 * The cost model's class priors, the microtask size per kind of stage, the audited share, and what plans of encrypted jobs
 * promise for a model that ran before.
 */
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import type { CostModel, PriorChange } from "./types.ts";

export interface LogEntry {
  readonly atMs: number;
  readonly about: "class-prior" | "microtask-size" | "audit-rate" | "plan-cost";
  /** What changed and what it gained, one sentence, for users. */
  readonly words: string;
}

/** One microtask as it was timed. */
export interface TimedMicrotask {
  readonly kernel: string;
  readonly units: number;
  readonly bytesIn: number;
  readonly downloadMs: number;
  readonly computeMs: number;
  readonly restMs: number;
  readonly overheadMs: number;
  readonly uploadMs: number;
}

/** What stages of one kind showed. */
export interface SizeStatistics {
  /** See `kindOf`. */
  readonly kind: string;
  readonly unitsPerMicrotask: number;
  /** Most that fit the payload limit. */
  readonly maxUnits: number;
  /** Of the fastest tenth: slower donors are given less of a microtask (carving), faster ones cannot be given more. */
  readonly msPerUnit: number;
  /** Median. */
  readonly overheadMs: number;
}

/** What audits showed. */
export interface AuditStatistics {
  /** E.g. "encrypted lanes". */
  readonly of: string;
  readonly auditedShare: number;
  /** Without a refusal it is never more. */
  readonly usualShare: number;
  /** Accepted wrong results that are tolerated, as share of all results. */
  readonly wrongAccepted: number;
  readonly results: number;
  readonly refused: number;
  /** Units that an audited result has, and how many of them a cheat has to falsify to matter. */
  readonly unitsPerResult: number;
  readonly falseUnitsPerLie: number;
  /** Coordinator's cost of one audited unit ÷ donor's cost of one unit. */
  readonly relativeCost: number;
}

const AUDIT_SHARE = { min: 0.002, max: 0.2 } as const;
/** Changes smaller than this are noise, and a log full of noise is not read. */
const WORTH_TELLING = 0.05;
const MIN_DONORS = 2;
/** Microtasks of a kind before its size is thought about. */
const MIN_TIMED = 30;

export function reestimatePriors(costModel: CostModel, nowMs: number): LogEntry[] {
  return costModel
    .reestimate()
    .filter(worthTelling)
    .map((change) => ({ atMs: nowMs, about: "class-prior", words: tell(change) }));
}

/** Stages of one kernel with units of one size are alike: e.g. "lanes of 3140 bytes". */
export function kindOf(kernel: string, unitBytesIn: number): string {
  return `${kernel === "lanes" ? "lanes" : "records"} of ${Math.round(unitBytesIn)} bytes`;
}

/** Most units whose payload fits one frame. */
export function unitsInPayload(unitBytesIn: number): number {
  return Math.max(1, Math.floor(SOCKET_LIMITS.payloadBytes / Math.max(1, unitBytesIn)));
}

/** @param sizes units per microtask now, by kind */
export function sizeStatistics(timed: readonly TimedMicrotask[], sizes: ReadonlyMap<string, number>): SizeStatistics[] {
  const kinds = Map.groupBy(timed, ({ kernel, bytesIn, units }) => kindOf(kernel, bytesIn / units));
  return [...kinds]
    .filter(([, own]) => own.length >= MIN_TIMED)
    .map(([kind, own]) => {
      const maxUnits = unitsInPayload(own.reduce((sum, { bytesIn, units }) => sum + bytesIn / units, 0) / own.length);
      const perUnit = own.map((one) => Math.max(one.downloadMs, one.computeMs + one.restMs, one.uploadMs) / one.units);
      return {
        kind,
        unitsPerMicrotask: sizes.get(kind) ?? maxUnits,
        maxUnits,
        msPerUnit: Math.max(1e-6, quantile(perUnit, 0.1)),
        overheadMs: quantile(
          own.map(({ overheadMs }) => overheadMs),
          0.5,
        ),
      };
    });
}

/**
 * The size whose overhead and loss by departures are least together: a lease of T loses overhead/T to overhead and T/(2·session)
 * to donors that leave amid it (Young 1974). Carving cuts smaller where a donor is slower, so that only the middle matters.
 */
export function microtaskSize(
  statistics: SizeStatistics,
  meanSessionMs: number,
  nowMs: number,
): { unitsPerMicrotask: number; log: LogEntry[] } {
  const { kind, unitsPerMicrotask, maxUnits, msPerUnit, overheadMs } = statistics;
  const lost = (units: number) => overheadMs / (units * msPerUnit) + (units * msPerUnit) / (2 * meanSessionMs);
  const best = Math.sqrt(2 * overheadMs * meanSessionMs) / msPerUnit;
  const units = Math.max(1, Math.min(maxUnits, Math.round(best)));
  const gain = lost(unitsPerMicrotask) - lost(units);
  if (gain < 0.002 || gain < WORTH_TELLING * lost(unitsPerMicrotask)) return { unitsPerMicrotask, log: [] };
  const words =
    `Microtasks of ${kind} now hold ${units} units instead of ${unitsPerMicrotask}: overhead and departures cost ` +
    `${percent(lost(units))} of donor time instead of ${percent(lost(unitsPerMicrotask))}.`;
  return { unitsPerMicrotask: units, log: [{ atMs: nowMs, about: "microtask-size", words }] };
}

/**
 * The smallest audited share that keeps wrong accepted results below what is tolerated: P(lie) · P(no false unit among the
 * sampled) ≤ tolerated, with the upper 95 % bound of the share of lies that the refusals show.
 */
export function auditRate(statistics: AuditStatistics, nowMs: number): { auditedShare: number; log: LogEntry[] } {
  const { of, auditedShare, usualShare, wrongAccepted, results, refused, falseUnitsPerLie, relativeCost } = statistics;
  if (results === 0) return { auditedShare, log: [] };
  const caught = 1 - missed(auditedShare, falseUnitsPerLie);
  const lies = Math.min(1, (refused + 1.96 + 1.645 * Math.sqrt(refused + 0.96)) / results / Math.max(0.01, caught));
  const wanted = lies <= wrongAccepted ? 0 : 1 - (wrongAccepted / lies) ** (1 / Math.max(1, falseUnitsPerLie));
  const most = refused === 0 ? usualShare : AUDIT_SHARE.max;
  const share = Math.max(AUDIT_SHARE.min, Math.min(most, wanted));
  if (Math.abs(share - auditedShare) < WORTH_TELLING * auditedShare) return { auditedShare, log: [] };
  const words =
    `Of ${results} results of ${of} ${refused} were refused: audits now sample ${percent(share)} of the units instead of ` +
    `${percent(auditedShare)}, at ${percent(share * relativeCost)} of donor compute instead of ${percent(auditedShare * relativeCost)}.`;
  return { auditedShare: share, log: [{ atMs: nowMs, about: "audit-rate", words }] };
}

/** Chance that a sample of this share holds none of the false units. */
const missed = (share: number, falseUnits: number) => (1 - share) ** falseUnits;

function worthTelling({ donors, factorBefore, factorAfter, errorBefore, errorAfter }: PriorChange): boolean {
  return (
    donors >= MIN_DONORS &&
    Math.abs(Math.log(factorAfter / factorBefore)) >= WORTH_TELLING &&
    errorBefore - errorAfter >= WORTH_TELLING * errorBefore
  );
}

function tell({
  deviceClass,
  quantity,
  donors,
  factorBefore,
  factorAfter,
  errorBefore,
  errorAfter,
}: PriorChange): string {
  return (
    `Donors of class "${deviceClass}" take ${factorAfter.toFixed(2)} × the time for ${quantity} that their benchmark ` +
    `promises (assumed until now: ${factorBefore.toFixed(2)} ×; from ${Math.round(donors)} donors): a newcomer's first ` +
    `prediction is now off by ${percent(errorAfter)} instead of ${percent(errorBefore)}.`
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** NaN of nothing. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
