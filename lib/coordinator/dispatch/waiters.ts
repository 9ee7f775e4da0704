/**
 * Lease requests that found no work and wait for it, in the order of their coming. `wake` offers what is there to all of
 * them, some per turn of the event loop, so that two thousand idle donors do not hold up the results of the busy ones.
 */
import type { DonorId } from "#lib/protocol/ids.ts";
import type { IdleReason } from "#lib/scheduling/types.ts";
import type { Clock } from "../clock.ts";

export interface Idle {
  readonly kind: "idle";
  readonly reason: IdleReason | "departed" | "holds-enough";
  readonly why: string;
  readonly recheckAfterMs: number;
}

interface Waiter<Granted> {
  readonly donorId: DonorId;
  /** Tries to get work now. */
  readonly attempt: () => Granted | Idle;
  readonly settle: (outcome: Granted | Idle) => void;
  readonly untilMs: number;
  recheckAtMs: number;
  last: Idle;
}

const SWEEP_MS = 100;
/** ~20 µs each: a slice is below 2 ms. */
const WAITERS_PER_TURN = 100;

export interface WaitersOptions {
  readonly clock: Clock;
  /** False where offering is pointless: nothing is pending anywhere. */
  readonly anyWork: () => boolean;
}

export class Waiters<Granted extends { readonly kind: string }> {
  readonly #clock: Clock;
  readonly #anyWork: () => boolean;
  readonly #waiting = new Set<Waiter<Granted>>();
  readonly #byDonor = new Map<DonorId, Set<Waiter<Granted>>>();
  #cancelSweep: (() => void) | undefined;
  #waking = false;

  constructor({ clock, anyWork }: WaitersOptions) {
    this.#clock = clock;
    this.#anyWork = anyWork;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with work, or with the last reason for having none after `maxMs` or when `signal` aborts. */
  wait(
    donorId: DonorId,
    attempt: () => Granted | Idle,
    first: Idle,
    maxMs: number,
    signal: AbortSignal,
  ): Promise<Granted | Idle> {
    if (signal.aborted) return Promise.resolve(first);
    return new Promise((resolve) => {
      const nowMs = this.#clock.nowMs();
      const waiter: Waiter<Granted> = {
        donorId,
        attempt,
        settle: (outcome) => {
          this.#remove(waiter);
          signal.removeEventListener("abort", abort);
          resolve(outcome);
        },
        untilMs: nowMs + maxMs,
        recheckAtMs: nowMs + first.recheckAfterMs,
        last: first,
      };
      const abort = () => waiter.settle(waiter.last);
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(waiter);
      const own = this.#byDonor.get(donorId);
      if (own) own.add(waiter);
      else this.#byDonor.set(donorId, new Set([waiter]));
      this.#scheduleSweep();
    });
  }

  /** Work may have appeared. */
  wake(): void {
    if (this.#waking || this.#waiting.size === 0) return;
    this.#waking = true;
    const round = this.#waiting.values();
    const turn = () => {
      for (let i = 0; i < WAITERS_PER_TURN; i++) {
        const next = round.next();
        if (next.done || !this.#anyWork()) {
          this.#waking = false;
          return;
        }
        this.#offer(next.value);
      }
      this.#clock.after(0, turn);
    };
    this.#clock.after(0, turn);
  }

  /** One of this donor's leases is done: it has room for more. */
  wakeOne(donorId: DonorId): void {
    if (!this.#byDonor.has(donorId)) return;
    // What ended the lease has its own last steps to do first.
    this.#clock.after(0, () => {
      if (!this.#anyWork()) return;
      for (const waiter of [...(this.#byDonor.get(donorId) ?? [])]) this.#offer(waiter);
    });
  }

  /** Answers everybody with the reason that they had. */
  dismiss(): void {
    for (const waiter of this.#waiting) waiter.settle(waiter.last);
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #offer(waiter: Waiter<Granted>): void {
    if (!this.#waiting.has(waiter)) return;
    const outcome = waiter.attempt();
    if (!isIdle(outcome)) {
      waiter.settle(outcome);
      return;
    }
    waiter.last = outcome;
    waiter.recheckAtMs = this.#clock.nowMs() + outcome.recheckAfterMs;
  }

  #remove(waiter: Waiter<Granted>): void {
    this.#waiting.delete(waiter);
    const own = this.#byDonor.get(waiter.donorId);
    own?.delete(waiter);
    if (own?.size === 0) this.#byDonor.delete(waiter.donorId);
  }

  #scheduleSweep(): void {
    if (this.#cancelSweep || this.#waiting.size === 0) return;
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      const nowMs = this.#clock.nowMs();
      for (const waiter of this.#waiting) {
        if (waiter.recheckAtMs <= nowMs) this.#offer(waiter);
        if (waiter.untilMs <= nowMs) waiter.settle(waiter.last);
      }
      this.#scheduleSweep();
    });
  }
}

export function isIdle(outcome: { readonly kind: string }): outcome is Idle {
  return outcome.kind === "idle";
}
