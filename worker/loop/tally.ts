/** The numbers of one donor: totals since it started, and rates over the last ten seconds. */
import type { DonorTotals, FinishedMicrotask } from "../messages.ts";

const WINDOW_MS = 10_000;
/** As many as the page draws lanes. */
const FINISHED_KEPT = 32;

interface Entry {
  atMs: number;
  amount: number;
}

/** Sum of what happened in the window before now. */
class Rolling {
  private readonly entries: Entry[] = [];

  add(atMs: number, amount: number): void {
    this.entries.push({ atMs, amount });
  }

  /** Per second over the window, or over the time since `sinceMs` where that is shorter. */
  perSecond(nowMs: number, sinceMs: number): number {
    while (this.entries[0] && this.entries[0].atMs < nowMs - WINDOW_MS) this.entries.shift();
    const sum = this.entries.reduce((total, entry) => total + entry.amount, 0);
    const spanMs = Math.min(WINDOW_MS, Math.max(1_000, nowMs - sinceMs));
    return (sum * 1_000) / spanMs;
  }
}

export interface Tally {
  readonly totals: Readonly<DonorTotals>;
  /** The last microtasks that left, latest first. */
  readonly finished: readonly FinishedMicrotask[];
  accepted(id: string, units: number, nowMs: number): void;
  refused(id: string): void;
  givenBack(id: string): void;
  moved(bytes: { down?: number; up?: number }): void;
  computed(ms: number, nowMs: number): void;
  unitsPerSecond(nowMs: number): number;
  /** Share of the window that was spent computing, 0..1. */
  busyShare(nowMs: number): number;
}

export function createTally(startMs: number): Tally {
  const totals: DonorTotals = {
    microtasksAccepted: 0,
    unitsAccepted: 0,
    microtasksRefused: 0,
    leasesReturned: 0,
    bytesDown: 0,
    bytesUp: 0,
    computeMs: 0,
  };
  const units = new Rolling();
  const busyMs = new Rolling();
  const finished: FinishedMicrotask[] = [];
  function left(id: string, verdict: FinishedMicrotask["verdict"]): void {
    finished.unshift({ id, verdict });
    finished.length = Math.min(finished.length, FINISHED_KEPT);
  }
  return {
    totals,
    finished,
    accepted(id, count, nowMs) {
      left(id, "accepted");
      totals.microtasksAccepted++;
      totals.unitsAccepted += count;
      units.add(nowMs, count);
    },
    refused(id) {
      left(id, "refused");
      totals.microtasksRefused++;
    },
    givenBack(id) {
      left(id, "given-back");
      totals.leasesReturned++;
    },
    moved({ down = 0, up = 0 }) {
      totals.bytesDown += down;
      totals.bytesUp += up;
    },
    computed(ms, nowMs) {
      totals.computeMs += ms;
      busyMs.add(nowMs, ms);
    },
    unitsPerSecond: (nowMs) => units.perSecond(nowMs, startMs),
    busyShare: (nowMs) => Math.min(1, busyMs.perSecond(nowMs, startMs) / 1_000),
  };
}
