/** Puts a stage back on the board after a restart: what was accepted stays, what was leased is leased, the rest is pending. */
import type { DonorId } from "#lib/protocol/ids.ts";
import type { Board } from "#lib/scheduling/board.ts";
import type { Attempt, Microtask, PlannedLease, StageView } from "#lib/scheduling/types.ts";
import { orderedId } from "#lib/storage/ids.ts";
import type { LeaseRecord } from "#lib/storage/records.ts";
import type { OpenStage } from "#lib/storage/store.ts";
import { absentDonor } from "./donor-session.ts";
import { uncovered } from "./ranges.ts";
import { definitionOf, StageWork } from "./stage-work.ts";

/**
 * Fences of one run of the coordinator: each start begins above all that the run before can have given, also those whose
 * grants were written behind and lost in its crash.
 */
const FENCES_PER_RUN = 1_000_000;

export interface RestoredStage {
  readonly work: StageWork;
  readonly attempts: readonly Attempt[];
}

export interface RestoreOptions {
  /** How often the coordinator has started; grows with each start. */
  readonly run: number;
  /** Units that a microtask may hold. */
  readonly maxUnits: number;
  readonly nowMs: number;
  /** When leases from before the restart end at the earliest: their donors need time to come back. */
  readonly leaseUntilMs: number;
}

export function restoreStage(board: Board, open: OpenStage, options: RestoreOptions): RestoredStage {
  const { run, maxUnits, nowMs, leaseUntilMs } = options;
  const { stage } = open;
  const work = new StageWork(stage);
  const view = board.addStage(definitionOf(stage));
  for (const batch of open.batches) {
    const accepted = open.accepted.filter((range) => range.batch === batch.batch);
    work.addBatch(
      batch,
      accepted.reduce((units, { unitCount }) => units + unitCount, 0),
    );
  }

  const leasesOf = Map.groupBy(open.leases, ({ microtaskId }) => microtaskId);
  const attempts: Attempt[] = [];
  for (const record of open.microtasks) {
    if (record.state === "quarantined") {
      work.quarantined(record.batch, record.unitCount);
      continue;
    }
    const microtask = board.addMicrotask(stage.id, { ...record, refusedTo: open.refusedTo.get(record.id) ?? [] });
    const leases = (leasesOf.get(record.id) ?? []).toSorted((a, b) => a.fence - b.fence);
    for (const lease of leases) attempts.push(restoreLease(board, view, microtask, lease, nowMs, leaseUntilMs));
    microtask.fence = Math.max(record.fence, run * FENCES_PER_RUN);
  }
  addUncovered(board, work, [...open.accepted, ...open.microtasks], maxUnits);
  return { work, attempts };
}

/** Adds the units of a stage's open batches that no range covers yet, at most `maxUnits` to a microtask. */
export function addUncovered(board: Board, work: StageWork, covered: OpenStage["accepted"], maxUnits: number): void {
  for (const { record, completed } of work.batches.values()) {
    if (completed) continue;
    for (const range of uncovered(record, covered, maxUnits)) {
      board.addMicrotask(work.record.id, { ...range, id: orderedId("mt") });
    }
  }
}

function restoreLease(
  board: Board,
  stage: StageView,
  microtask: Microtask,
  lease: LeaseRecord,
  nowMs: number,
  leaseUntilMs: number,
): Attempt {
  const expiresAtMs = Math.max(lease.expiresAtMs, leaseUntilMs);
  const p50 = lease.predictedMs;
  const warm = { p10: p50, p90: p50 };
  const planned: PlannedLease = {
    stage,
    microtask,
    units: microtask.unitCount,
    leaseMs: expiresAtMs - nowMs,
    predicted: { ...warm, p50, p99: p50, warm },
    stepMs: p50,
    expectedInMs: p50,
    lateInMs: expiresAtMs - nowMs,
    reissueOf: microtask.attempts[0] ?? null,
  };
  microtask.fence = lease.fence - 1;
  const donorId: DonorId = lease.donorId;
  const [outcome] = board.lease([planned], absentDonor(donorId), () => lease.id, nowMs);
  if (!outcome) throw new Error(`lease ${lease.id} could not be put back on the board`);
  return outcome.attempt;
}
