/**
 * A real duty cycle: after work of some milliseconds it rests as long as the share asks, so that over seconds the thread is
 * busy for that share of the time. Time without work counts as rest.
 */
import { type Clock, pause } from "../clock.ts";

export interface DutyCycle {
  /** Share of the time that may be worked, 0.01..1; also changes a rest that is under way. */
  setShare(share: number): void;
  /** A task begins: pays what rest is still owed. */
  begin(signal: AbortSignal): Promise<void>;
  /** Between pieces of work. At full share it only lets messages in now and then. */
  breathe(signal: AbortSignal): Promise<void>;
  /** The task is over; returns the milliseconds it worked, without rests. */
  end(): number;
}

/** Shorter rests are saved up: a timer fires some milliseconds late anyway. */
const REST_MIN_MS = 8;
/** Rests look at the share again this often. */
const REST_SLICE_MS = 100;
/** At full share, messages (abort, share) are let in this often. */
const LISTEN_EVERY_MS = 50;

/** @param yieldNow lets the realm handle waiting messages, then goes on */
export function createDutyCycle(clock: Clock, yieldNow: () => Promise<void>): DutyCycle {
  let share = 1;
  let owedMs = 0;
  let workedMs = 0;
  /** Since when the present piece of work or pause runs. */
  let sinceMs = clock.nowMs();
  let listenedMs = sinceMs;

  function countWork(): void {
    const nowMs = clock.nowMs();
    const pieceMs = nowMs - sinceMs;
    workedMs += pieceMs;
    owedMs += pieceMs * (1 / share - 1);
    sinceMs = nowMs;
  }

  /** Rests until nothing is owed; what a late timer slept too long is credited. */
  async function rest(signal: AbortSignal): Promise<void> {
    while (owedMs >= REST_MIN_MS && share < 1 && !signal.aborted) {
      const startMs = clock.nowMs();
      await pause(clock, Math.min(owedMs, REST_SLICE_MS), signal);
      owedMs -= clock.nowMs() - startMs;
    }
    sinceMs = clock.nowMs();
    listenedMs = sinceMs;
  }

  return {
    setShare(next) {
      // What is owed at the old share is owed as much less or more at the new one.
      const before = 1 / share - 1;
      const after = 1 / next - 1;
      owedMs = before > 0 ? owedMs * (after / before) : 0;
      share = next;
    },
    async begin(signal) {
      owedMs = Math.max(0, owedMs - (clock.nowMs() - sinceMs));
      sinceMs = clock.nowMs();
      await rest(signal);
      workedMs = 0;
    },
    async breathe(signal) {
      countWork();
      if (owedMs >= REST_MIN_MS && share < 1) await rest(signal);
      else if (clock.nowMs() - listenedMs >= LISTEN_EVERY_MS) {
        await yieldNow();
        listenedMs = clock.nowMs();
        sinceMs = listenedMs;
      }
    },
    end() {
      countWork();
      return workedMs;
    },
  };
}

/** A turn of the realm's event loop by MessageChannel: unlike timers it is neither clamped to 4 ms nor throttled. */
export function createYield(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  let wake: (() => void) | null = null;
  port1.onmessage = () => wake?.();
  return () =>
    new Promise((resolve) => {
      wake = resolve;
      port2.postMessage(null);
    });
}
