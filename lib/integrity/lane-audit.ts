/**
 * Audits of encrypted microtasks: how many lanes of a result are recomputed, and what follows.
 *
 * The lanes are drawn after the result is here, from cryptographic randomness (sampling.ts), and never told. An honest donor always
 * passes: lanes are exact integers. Credit, retries, reputation and bans depend on these audits only, never on a decrypted value,
 * which would be a decryption oracle.
 */
import { FluxError } from "#lib/protocol/errors.ts";
import type { AuditRecord } from "./reputation.ts";

/** The kernel takes lanes four at a time, and three cost what four do. Never fewer: a result that is wrong throughout fails on any. */
const LANES_AT_A_TIME = 4;
/**
 * Of every result, until experience says otherwise (lib/scheduling/optimizer.ts). An audited lane costs about what a donor's
 * does, so this is also the coordinator's share of the work.
 */
export const USUAL_LANE_SHARE = 0.01;
/**
 * For a newcomer's first result: finds 5 % wrong lanes in 95 of 100 tries (0.95^60 = 0.046). Halves with every accepted result:
 * 120 lanes a donor in all, so that a short job of nothing but newcomers still spends under 2 % of its compute on audits.
 */
const NEWCOMER_LANES = 60;
/** How many lanes of a result to recompute. A donor that was ever refused stays a newcomer. */
export function lanesToAudit(
  laneCount: number,
  { accepted, refused }: AuditRecord,
  share: number = USUAL_LANE_SHARE,
): number {
  const newcomer = refused > 0 ? NEWCOMER_LANES : NEWCOMER_LANES / 2 ** accepted;
  const turns = Math.max(1, Math.round(Math.max(laneCount * share, newcomer) / LANES_AT_A_TIME));
  return Math.min(laneCount, turns * LANES_AT_A_TIME);
}

/** The chance that a result with `wrongLanes` of `laneCount` passes an audit of `audited` lanes (drawn without repetition). */
export function passProbability(laneCount: number, wrongLanes: number, audited: number): number {
  let probability = 1;
  for (let i = 0; i < audited; i++) probability *= Math.max(0, laneCount - wrongLanes - i) / (laneCount - i);
  return probability;
}

export type LaneAuditVerdict =
  | { readonly accepted: true; readonly auditedLanes: number }
  | { readonly accepted: false; readonly auditedLanes: number; readonly error: FluxError };

/** One wrong lane refuses the whole result. The error names no lane: which ones were looked at stays unknown. */
export function laneAuditVerdict(auditedLanes: number, wrongLanes: readonly number[]): LaneAuditVerdict {
  if (wrongLanes.length === 0) return { accepted: true, auditedLanes };
  const detail =
    "The result differs from a recomputed sample. Reload the page; if it happens again, this device computes wrongly.";
  return { accepted: false, auditedLanes, error: new FluxError("audit_failed", detail) };
}
