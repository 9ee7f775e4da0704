import fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock } from "#worker/clock.ts";
import { createDutyCycle } from "#worker/compute/duty-cycle.ts";

/** Virtual time in which timers fire late, as real ones do. */
class LateClock implements Clock {
  now = 0;
  private readonly lateMs: () => number;
  constructor(lateMs: () => number) {
    this.lateMs = lateMs;
  }
  nowMs(): number {
    return this.now;
  }
  after(ms: number, act: () => void): () => void {
    let live = true;
    queueMicrotask(() => {
      if (!live) return;
      this.now += ms + this.lateMs();
      act();
    });
    return () => {
      live = false;
    };
  }
}

const never = new AbortController().signal;

test("over half a minute the busy share is the wanted one, within two points, whatever the pieces and timers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.infiniteStream(fc.double({ min: 0.2, max: 120, noNaN: true })),
      fc.infiniteStream(fc.double({ min: 0, max: 15, noNaN: true })),
      async (share, pieces, lateness) => {
        const clock = new LateClock(() => lateness.next().value ?? 0);
        const duty = createDutyCycle(clock, async () => {});
        duty.setShare(share);
        let busyMs = 0;
        while (clock.now < 30_000) {
          await duty.begin(never);
          for (let piece = 0; piece < 20; piece++) {
            const ms = pieces.next().value ?? 1;
            clock.now += ms;
            busyMs += ms;
            await duty.breathe(never);
          }
          duty.end();
        }
        expect(Math.abs(busyMs / clock.now - share)).toBeLessThan(0.02);
      },
    ),
    { numRuns: 50 },
  );
});

test("time without work counts as rest", async () => {
  const clock = new LateClock(() => 0);
  const duty = createDutyCycle(clock, async () => {});
  duty.setShare(0.5);
  await duty.begin(never);
  clock.now += 6;
  await duty.breathe(never);
  expect(duty.end()).toBe(6);
  clock.now += 1_000;
  await duty.begin(never);
  expect(clock.now, "nothing is owed any more").toBe(1_006);
});

test("an aborted task does not sit out its rest", async () => {
  const clock = new LateClock(() => 0);
  const duty = createDutyCycle(clock, async () => {});
  duty.setShare(0.01);
  const gone = AbortSignal.abort();
  await duty.begin(gone);
  clock.now += 100;
  await duty.breathe(gone);
  expect(clock.now).toBe(100);
});

test("a task's worked time leaves its rests out", async () => {
  const clock = new LateClock(() => 0);
  const duty = createDutyCycle(clock, async () => {});
  duty.setShare(0.25);
  await duty.begin(never);
  for (let piece = 0; piece < 10; piece++) {
    clock.now += 20;
    await duty.breathe(never);
  }
  expect(duty.end()).toBeCloseTo(200);
  expect(clock.now).toBeCloseTo(800);
});
