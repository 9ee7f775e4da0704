import { describe, expect, it } from "vitest";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { changeSignals } from "#lib/scheduling/signals.ts";
import type { Decision, DonorView, StageDefinition } from "#lib/scheduling/types.ts";
import { addMicrotasks, leaseId, makeBoard, makeDonor, makeStage, stageId, tenantId } from "./fixtures.ts";

function world(stages: Partial<StageDefinition>[], donors: Partial<DonorView>[], units = 100_000) {
  const board = makeBoard();
  const costModel = createCostModel();
  const policy = createPolicy();
  stages.forEach((fields, i) => {
    board.addStage(makeStage(i, fields));
    addMicrotasks(board, stageId(i), 4, units);
  });
  const views = donors.map((fields, i) => makeDonor(i, fields));
  for (const donor of views) board.join(donor);
  const choose = (donor: DonorView, nowMs = 0): Decision =>
    policy.choose({ nowMs, board, costModel, donor, wantMs: 3000, maxLeases: 64 });
  const take = (donor: DonorView, nowMs = 0) => {
    const decision = choose(donor, nowMs);
    return decision.kind === "bundle"
      ? board.lease(decision.leases, donor, leaseId, nowMs).map(({ attempt }) => attempt)
      : [];
  };
  const stageOf = (decision: Decision) =>
    decision.kind === "bundle" ? decision.leases[0]?.stage.definition.id : decision.reason;
  return { board, costModel, choose, take, stageOf, donors: views };
}

describe("policy: hard filters", () => {
  const cases: { name: string; stage: Partial<StageDefinition>; donor: Partial<DonorView>; reason: string }[] = [
    { name: "region", stage: { regions: { allow: ["US"], prefer: [] } }, donor: { country: "DE" }, reason: "region" },
    {
      name: "unknown country",
      stage: { regions: { allow: ["EU"], prefer: [] } },
      donor: { country: null },
      reason: "region",
    },
    { name: "private group", stage: { groupId: "grp_1" }, donor: { groupIds: new Set(["grp_2"]) }, reason: "group" },
    { name: "runtime", stage: { runtimes: ["tfjs-webgpu"] }, donor: {}, reason: "no-runtime" },
    {
      name: "runtime that cannot compute this kernel",
      stage: { kernel: "onnx" },
      donor: { runtimes: [{ runtime: "ort-wasm", int8MacsPerSecond: 1e9, float32MacsPerSecond: 0 }] },
      reason: "no-runtime",
    },
    { name: "memory", stage: { residentBytes: 2 ** 30 }, donor: {}, reason: "memory" },
    { name: "reliability", stage: { minReliability: 0.95 }, donor: { reliability: 0.9 }, reason: "reliability" },
  ];
  it.each(cases)("$name", ({ stage, donor, reason }) => {
    const { choose, stageOf, donors } = world([stage], [donor]);
    const decision = choose(donors[0]!);
    expect(stageOf(decision)).toBe(reason);
    expect(decision.kind === "idle" && decision.why.length).toBeGreaterThan(20);
  });

  it("keeps payload and result within the donor's memory", () => {
    const { choose, donors } = world([{ unitBytesIn: 50_000, unitMacs: 1 }], [{ memoryBytes: 3 * 2 ** 20 }]);
    const decision = choose(donors[0]!);
    const units = decision.kind === "bundle" ? decision.leases.reduce((sum, lease) => sum + lease.units, 0) : 0;
    expect(units).toBeGreaterThan(0);
    expect(units * 50_064).toBeLessThanOrEqual(2 * 2 ** 20);
  });

  it("counts what the donor holds already, and takes it off when it is done, given back or refused", () => {
    const memoryBytes = 4 * 2 ** 20;
    const { board, take, choose, stageOf, donors } = world([{ residentBytes: 0 }], [{ memoryBytes }]);
    const [donor] = donors;
    const held = Array.from({ length: 100 }, () => take(donor!)).flat();
    const bytes = held.reduce((sum, { microtask }) => sum + microtask.unitCount * (1024 + 64), 0);
    expect(donor!.heldBytes).toBe(bytes);
    expect(bytes).toBeLessThanOrEqual(memoryBytes);
    expect(stageOf(choose(donor!))).toBe("hands-full");
    held.forEach((attempt, i) => {
      if (i % 3 === 0) board.accept(attempt, 10);
      else if (i % 3 === 1) board.giveBack(attempt);
      else board.fail(attempt);
    });
    expect(donor!.heldBytes).toBe(0);
    expect(choose(donor!).kind).toBe("bundle");
  });

  it("waits for room in the donor's memory rather than lease slivers, but not for the last units", () => {
    const one = 1024 + 64;
    const { take, choose, stageOf, donors } = world([{ residentBytes: 0 }], [{ memoryBytes: 10_000 * one }], 2_000);
    const [donor] = donors;
    const leases = take(donor!);
    donor!.memoryBytes = donor!.heldBytes + 5 * one;
    expect(Math.min(...leases.map(({ microtask }) => microtask.unitCount))).toBeGreaterThan(15);
    expect(stageOf(choose(donor!))).toBe("hands-full");

    const few = world([{ residentBytes: 0 }], [{ memoryBytes: 8 * one, heldBytes: 3 * one }], 1);
    few.donors[0]!.heldBytes = 3 * one;
    expect(few.choose(few.donors[0]!).kind).toBe("bundle");
  });
});

describe("policy: choice", () => {
  it("serves the submitter that is furthest behind, whatever the size of its job", () => {
    const { take, donors } = world([{ submitterId: tenantId("a") }, { submitterId: tenantId("b") }], [{}]);
    const order = Array.from({ length: 8 }, (_, i) => {
      donors[0]!.busyUntilMs = 0;
      return take(donors[0]!, i)[0]?.stage.definition.submitterId;
    });
    expect(order.filter((id) => id === tenantId("a"))).toHaveLength(4);
  });

  it("puts priority before age within a submitter, and changes nothing between submitters", () => {
    const { choose, stageOf, donors } = world([{ createdAtMs: 1 }, { createdAtMs: 2, priority: 1 }], [{}]);
    expect(stageOf(choose(donors[0]!))).toBe(stageId(1));
    const other = world(
      [
        { submitterId: tenantId("a"), priority: 10 },
        { submitterId: tenantId("b"), priority: -10 },
      ],
      [{}],
    );
    const first = other.take(other.donors[0]!)[0]?.stage.definition.id;
    other.donors[0]!.busyUntilMs = 0;
    expect(other.take(other.donors[0]!, 1)[0]?.stage.definition.id).not.toBe(first);
  });

  it("prefers work whose program is cached, and regions that the job prefers", () => {
    const artefacts = [{ digest: "far" as never, bytes: 4e6 }];
    const cached = world([{ artefacts }, { createdAtMs: 0 }], [{}]);
    expect(cached.stageOf(cached.choose(cached.donors[0]!))).toBe(stageId(1));
    const preferred = world([{}, { regions: { allow: [], prefer: ["DE"] } }], [{ country: "DE" }, { country: "FR" }]);
    expect(preferred.stageOf(preferred.choose(preferred.donors[0]!))).toBe(stageId(1));
    expect(preferred.stageOf(preferred.choose(preferred.donors[1]!))).toBe(stageId(0));
  });

  it("keeps scarce donors for what only they may do", () => {
    const everywhere = Array.from({ length: 9 }, () => ({ country: "US" }));
    const { choose, stageOf, donors } = world(
      [{}, { regions: { allow: ["EU"], prefer: [] } }],
      [{ country: "DE" }, ...everywhere],
    );
    expect(stageOf(choose(donors[0]!))).toBe(stageId(1));
    expect(stageOf(choose(donors[1]!))).toBe(stageId(0));
  });

  it("fills bundles to three seconds at p90 and gives leases three times their p99", () => {
    const { choose, donors } = world([{}], [{}], 1_000_000);
    const decision = choose(donors[0]!);
    expect(decision.kind).toBe("bundle");
    if (decision.kind !== "bundle") return;
    expect(decision.predicted.p90).toBeLessThanOrEqual(3000);
    expect(decision.predicted.p90).toBeGreaterThan(2000);
    for (const lease of decision.leases)
      expect(lease.leaseMs).toBeGreaterThanOrEqual(Math.max(5000, 3 * lease.predicted.p99 - 1));
  });

  it("serves a lone donor to the end, one unit at a time if need be", () => {
    const heavy = { unitMacs: 100e9, unitBytesIn: 10 };
    const { board, take, donors } = world([heavy], [{}], 3);
    let nowMs = 0;
    for (let i = 0; i < 100 && board.openStages.length > 0; i++) {
      for (const attempt of take(donors[0]!, nowMs)) {
        nowMs += 10_000;
        board.arrived(attempt, nowMs);
        board.accept(attempt, 10_000);
      }
    }
    expect(board.openStages).toHaveLength(0);
  });
});

describe("policy: the end of a job", () => {
  it("races an attempt that is late with a donor that should be sooner, once", () => {
    const { take, donors, choose } = world([{}], [{}, {}, {}], 50);
    const first = take(donors[0]!);
    while (take(donors[0]!).length > 0);
    expect(first.length).toBeGreaterThan(0);
    expect(choose(donors[1]!, 10).kind).toBe("idle");
    const race = take(donors[1]!, 60_000);
    expect(race).toHaveLength(1);
    expect(race[0]?.reissue).toBe(true);
    expect(race[0]?.microtask.attempts).toHaveLength(2);
    const others = take(donors[2]!, 60_001).map(({ microtask }) => microtask);
    expect(others).not.toContain(race[0]?.microtask);
  });

  it("does not race a result that has arrived", () => {
    const { board, take, donors } = world([{}], [{}, {}], 10);
    for (let got = take(donors[0]!); got.length > 0; got = take(donors[0]!))
      for (const attempt of got) board.arrived(attempt, 5);
    expect(take(donors[1]!, 60_000)).toHaveLength(0);
    expect(board.expired(1e9)).toEqual([]);
    expect(board.leave(donors[0]!.id)).toEqual([]);
  });
});

describe("signals", () => {
  it("lets a hidden tab finish what it computes with a longer lease, and gives back what it only fetched", () => {
    const { board, costModel, take, donors } = world([{}], [{}, {}], 200_000);
    const donor = donors[0]!;
    const [running] = take(donor);
    const fetched = take(donor, 10);
    const before = { expires: running!.expiresAtMs, expected: running!.expectedAtMs };
    const recalled = changeSignals({
      board,
      costModel,
      donor,
      nowMs: 20,
      apply: (view) => {
        view.visible = false;
      },
    });
    expect(recalled).toEqual(fetched);
    expect(running!.expiresAtMs).toBeGreaterThan(before.expires);
    expect(running!.expectedAtMs).toBeGreaterThan(3 * before.expected);
    expect(donor.busyUntilMs).toBe(running!.expectedAtMs);
    for (const attempt of recalled) expect(board.isLive(attempt)).toBe(false);
  });
});
