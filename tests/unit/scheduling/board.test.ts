import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Board } from "#lib/scheduling/board.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { fifoPolicy } from "#lib/scheduling/fifo.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import type { Attempt, DonorView, Policy } from "#lib/scheduling/types.ts";
import { addMicrotasks, leaseId, makeBoard, makeDonor, makeStage, stageId } from "./fixtures.ts";

const policies: Policy[] = [fifoPolicy, createPolicy()];

function ask(board: Board, policy: Policy, donor: DonorView, nowMs: number, wantMs = 3000): Attempt[] {
  const decision = policy.choose({ nowMs, board, costModel: createCostModel(), donor, wantMs, maxLeases: 64 });
  if (decision.kind === "idle") return [];
  return board.lease(decision.leases, donor, leaseId, nowMs).map(({ attempt }) => attempt);
}

describe("board", () => {
  it("carves one range into several leases of one bundle, in order and without a gap", () => {
    const board = makeBoard();
    const stage = board.addStage(makeStage(1));
    addMicrotasks(board, stage.definition.id, 1, 100_000);
    const donor = makeDonor(1);
    board.join(donor);
    const attempts = ask(board, createPolicy(), donor, 0);
    const second = ask(board, createPolicy(), donor, 1);
    let next = 0;
    for (const { microtask } of [...attempts, ...second]) {
      expect(microtask.unitStart).toBe(next);
      next += microtask.unitCount;
    }
    expect(next).toBeGreaterThan(0);
    expect(stage.pendingAt(0)?.unitStart).toBe(next);
    expect(stage.pendingUnits + stage.leasedUnits).toBe(100_000);
  });

  it("gives a departed donor's attempts back at once, before work that was never tried", () => {
    const board = makeBoard();
    const stage = board.addStage(makeStage(1));
    addMicrotasks(board, stage.definition.id, 3, 10);
    const donor = makeDonor(1);
    board.join(donor);
    const [first] = ask(board, fifoPolicy, donor, 0, 1);
    expect(stage.pendingAt(0)?.id).not.toBe(first?.microtask.id);
    expect(board.leave(donor.id)).toContain(first);
    expect(stage.pendingAt(0)?.id).toBe(first?.microtask.id);
    expect(stage.leasedCount).toBe(0);
  });

  it("counts the first accepted attempt only", () => {
    const board = makeBoard();
    const stage = board.addStage(makeStage(1));
    addMicrotasks(board, stage.definition.id, 1, 10);
    const [a, b] = [makeDonor("a"), makeDonor("b")];
    board.join(a);
    board.join(b);
    const [slow] = ask(board, fifoPolicy, a, 0);
    const race = board.lease(
      [
        {
          stage,
          microtask: slow!.microtask,
          units: 10,
          leaseMs: 5000,
          predicted: { p10: 1, p50: 1, p90: 1, p99: 1, warm: { p10: 1, p90: 1 } },
          stepMs: 1,
          expectedInMs: 1,
          lateInMs: 1,
          reissueOf: slow!,
        },
      ],
      b,
      leaseId,
      10,
    );
    expect(race[0]?.attempt.fence).toBe(2);
    expect(board.accept(race[0]!.attempt, 1)).toEqual([slow]);
    expect(board.accept(slow!, 1)).toEqual([]);
    expect(board.fail(slow!)).toBe("gone");
    expect(stage.acceptedUnits).toBe(10);
    expect(board.openStages).toHaveLength(0);
  });

  it("quarantines a microtask that failed five times and never asks the same donor twice", () => {
    const board = makeBoard();
    const stage = board.addStage(makeStage(1));
    addMicrotasks(board, stage.definition.id, 1, 10);
    for (let i = 0; i < 5; i++) {
      const donor = makeDonor(i);
      board.join(donor);
      const [attempt] = ask(board, fifoPolicy, donor, i);
      expect(board.fail(attempt!)).toBe(i < 4 ? "pending" : "quarantined");
      expect(ask(board, createPolicy(), donor, i)).toEqual([]);
    }
    expect(board.openStages).toHaveLength(0);
  });

  it("reports leases that ran out, and those with more time later", () => {
    const board = makeBoard();
    addMicrotasks(board, board.addStage(makeStage(1)).definition.id, 2, 10);
    const [a, b] = [makeDonor("a"), makeDonor("b")];
    board.join(a);
    board.join(b);
    const [first] = ask(board, fifoPolicy, a, 0, 1);
    const [second] = ask(board, fifoPolicy, b, 0, 1);
    board.extend(second!, 60_000);
    expect(board.expired(4_999)).toEqual([]);
    expect(board.expired(5_001)).toEqual([first]);
    expect(board.giveBack(first!)).toBe("pending");
    expect(board.expired(59_999)).toEqual([]);
    expect(board.expired(60_000)).toEqual([second]);
  });

  it("does not let a submitter spend the time when it had no work", () => {
    const board = makeBoard();
    const donor = makeDonor(1);
    board.join(donor);
    const busy = board.addStage(makeStage(1, { submitterId: "ten_busy" as never }));
    addMicrotasks(board, busy.definition.id, 100, 10_000);
    for (let i = 0; i < 20; i++)
      for (const attempt of ask(board, createPolicy(), donor, i)) board.accept(attempt, 1000);
    const late = board.addStage(makeStage(2, { submitterId: "ten_late" as never }));
    addMicrotasks(board, late.definition.id, 100, 10_000);
    const gap = board.usageMs("ten_busy" as never, 20) - board.usageMs("ten_late" as never, 20);
    expect(Math.abs(gap)).toBeLessThan(3_000);
  });

  it("never loses, doubles or overlaps a unit, whatever happens in whatever order", () => {
    const step = fc.record({
      donor: fc.integer({ min: 0, max: 5 }),
      act: fc.constantFrom("ask", "ask", "ask", "accept", "accept", "fail", "giveBack", "leave", "expire"),
      pick: fc.nat(),
      policy: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 30_000 }), (steps, units) => {
        const board = makeBoard();
        const stage = board.addStage(makeStage(1));
        addMicrotasks(board, stageId(1), 3, units);
        const donors = Array.from({ length: 6 }, (_, i) => makeDonor(i, { memoryBytes: 2 ** (23 + i) }));
        for (const donor of donors) board.join(donor);
        const accepted: { start: number; end: number }[] = [];
        let quarantined = 0;
        let nowMs = 0;
        for (const { donor: d, act, pick, policy } of steps) {
          nowMs += 500;
          const donor = donors[d]!;
          const running = [...stage.attempts];
          const attempt = running[pick % Math.max(1, running.length)];
          if (act === "ask") {
            board.join(donor);
            ask(board, policies[policy]!, donor, nowMs);
          } else if (act === "leave") board.leave(donor.id);
          else if (act === "expire") for (const due of board.expired(nowMs)) board.giveBack(due);
          else if (!attempt) continue;
          else if (act === "accept") {
            const { unitStart, unitCount } = attempt.microtask;
            accepted.push({ start: unitStart, end: unitStart + unitCount });
            board.accept(attempt, 10);
          } else if (act === "giveBack") board.giveBack(attempt);
          else if (board.fail(attempt) === "quarantined") quarantined += attempt.microtask.unitCount;
        }
        // A raced microtask has two attempts.
        const inWork = new Set([...stage.attempts].map(({ microtask }) => microtask));
        const leased = [...inWork].reduce((sum, { unitCount }) => sum + unitCount, 0);
        const done = accepted.reduce((sum, { start, end }) => sum + end - start, 0);
        expect(stage.acceptedUnits).toBe(done);
        accepted.sort((a, b) => a.start - b.start);
        for (let i = 1; i < accepted.length; i++)
          expect(accepted[i]!.start).toBeGreaterThanOrEqual(accepted[i - 1]!.end);
        expect(stage.pendingUnits + leased + done + quarantined).toBe(3 * units);
      }),
      { numRuns: 300 },
    );
  });
});
