/** A clock that a test moves by hand. */
import type { Clock } from "#worker/clock.ts";

export class ManualClock implements Clock {
  private now = 0;
  private readonly timers = new Set<{ atMs: number; act: () => void }>();

  nowMs(): number {
    return this.now;
  }

  after(ms: number, act: () => void): () => void {
    const timer = { atMs: this.now + ms, act };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** Moves time on, with every timer that falls due, in order. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.timers.delete(due);
      this.now = Math.max(this.now, due.atMs);
      due.act();
    }
    this.now = end;
  }

  /** As `advance`, but work that a timer wakes may ask for more timers before time goes on. */
  async run(ms: number, stepMs = 1): Promise<void> {
    for (let spent = 0; spent < ms; spent += stepMs) {
      this.advance(stepMs);
      await Promise.resolve();
    }
  }
}
