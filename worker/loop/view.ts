/** What the page is told: the parts that changed, put together at most twice a second. */
import type { Clock } from "../clock.ts";
import type { DonorView, LoopToPage } from "../messages.ts";

/**
 * Drawing costs the visitor's machine what the kernels could use: without a GPU, ten views a second with transitions took
 * 0.3 cores, four without 0.05, two half of that.
 */
const SEND_EVERY_MS = 500;
/** Rates fall while nothing happens; the page should see that. */
const REFRESH_MS = 1_000;

type Counted = Pick<DonorView, "held" | "finished" | "working" | "totals" | "unitsPerSecond" | "busyShare">;

export interface ViewSender {
  set(change: Partial<Omit<DonorView, keyof Counted>>): void;
  /** Something counted changed. */
  touch(): void;
  /** The same, and the visitor waits for it. */
  now(): void;
  /** Sends the last state at once and no more. */
  close(): void;
}

export function createViewSender(clock: Clock, send: (message: LoopToPage) => void, count: () => Counted): ViewSender {
  let view: Omit<DonorView, keyof Counted> = {
    phase: "idle",
    link: "none",
    pausedBecause: null,
    startingWith: null,
    job: null,
    kernel: null,
    runtime: null,
    waitingBecause: null,
    cpuShare: 1,
    gpuShare: 1,
    loweredBecause: null,
    signals: null,
    country: null,
    donorsOnline: null,
    jobsRunning: null,
    capability: null,
    problem: null,
  };
  let cancel: (() => void) | null = null;
  let closed = false;

  function flush(): void {
    cancel?.();
    cancel = closed ? null : clock.after(REFRESH_MS, flush);
    urgent = false;
    send({ kind: "view", view: { ...view, ...count() } });
  }

  let urgent = false;
  function soon(): void {
    if (closed || urgent) return;
    urgent = true;
    cancel?.();
    cancel = clock.after(SEND_EVERY_MS, flush);
  }

  return {
    set(change) {
      // A phase is shown at once, because it answers a click; a broken link too, because it may be whole again soon.
      const shift =
        (change.phase !== undefined && change.phase !== view.phase) ||
        (change.link !== undefined && change.link !== view.link);
      view = { ...view, ...change };
      if (shift && !closed) flush();
      else soon();
    },
    touch: soon,
    now() {
      if (!closed) flush();
    },
    close() {
      closed = true;
      flush();
      cancel?.();
    },
  };
}
