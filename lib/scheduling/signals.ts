/**
 * What happens to a donor's leases when its pace changes: its tab is hidden or shown again, its share is moved.
 *
 * What it has in work goes on with a new expected end, so that neither its lease runs out for nothing nor is it forgotten
 * in the tail. What it has only fetched is recalled when the donor became much slower: others do it sooner.
 */
import type { Board } from "./board.ts";
import { leaseMs } from "./lease-time.ts";
import type { Attempt, CostModel, DonorView } from "./types.ts";

/** Slower than this by the signal: what is not begun is recalled. */
const RECALL_SLOWDOWN = 2;

export interface SignalChange {
  readonly board: Board;
  readonly costModel: CostModel;
  readonly donor: DonorView;
  readonly nowMs: number;
  /** Writes the new signals into the donor's view. */
  readonly apply: (donor: DonorView) => void;
}

/** Returns the attempts that were given back: tell the donor to drop them. */
export function changeSignals({ board, costModel, donor, nowMs, apply }: SignalChange): Attempt[] {
  const held = board.attemptsOf(donor.id).filter((attempt) => !attempt.arrived);
  const paces = held.map((attempt) => costModel.pace(donor, attempt.stage.definition)?.msPerUnit ?? 1);
  apply(donor);
  const recalled: Attempt[] = [];
  held.forEach((attempt, i) => {
    const slowdown = (costModel.pace(donor, attempt.stage.definition)?.msPerUnit ?? 1) / (paces[i] ?? 1);
    if (i > 0 && slowdown >= RECALL_SLOWDOWN) {
      board.giveBack(attempt);
      recalled.push(attempt);
      return;
    }
    const stretch = (atMs: number) => nowMs + Math.max(0, atMs - nowMs) * slowdown;
    board.reschedule(attempt, {
      stepMs: attempt.stepMs * slowdown,
      expectedAtMs: stretch(attempt.expectedAtMs),
      lateAtMs: stretch(attempt.lateAtMs),
      expiresAtMs: Math.max(attempt.expiresAtMs, nowMs + leaseMs(stretch(attempt.lateAtMs) - nowMs)),
    });
  });
  donor.busyUntilMs = Math.max(
    nowMs,
    ...board.attemptsOf(donor.id).map((attempt) => (attempt.arrived ? nowMs : attempt.expectedAtMs)),
  );
  return recalled;
}
