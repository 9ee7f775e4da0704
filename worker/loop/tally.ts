/** The numbers of one donor: totals since it started, and rates over the last ten seconds. */
import type { DonorTotals } from "../messages.ts";

const WINDOW_MS = 10_000;

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
  accepted(units: number, nowMs: number): void;
  refused(): void;
  returned(leases: number): void;
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
  return {
    totals,
    accepted(count, nowMs) {
      totals.microtasksAccepted++;
      totals.unitsAccepted += count;
      units.add(nowMs, count);
    },
    refused: () => void totals.microtasksRefused++,
    returned(leases) {
      totals.leasesReturned += leases;
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
