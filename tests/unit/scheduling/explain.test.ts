import { describe, expect, it } from "vitest";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { explainChoice, explainDonor, explainStage } from "#lib/scheduling/explain.ts";
import { etaMs } from "#lib/scheduling/forecast.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import type { DonorView, StageDefinition } from "#lib/scheduling/types.ts";
import { addMicrotasks, leaseId, makeBoard, makeDonor, makeStage, stageId, tenantId } from "./fixtures.ts";

function world(fields: Partial<StageDefinition>, donors: Partial<DonorView>[]) {
  const board = makeBoard();
  const stage = board.addStage(makeStage(1, fields));
  addMicrotasks(board, stageId(1), 2, 100_000);
  const views = donors.map((own, i) => makeDonor(i, own));
  for (const donor of views) board.join(donor);
  return { board, stage, donors: views, costModel: createCostModel() };
}

describe("reasons in words", () => {
  const eu = { allow: ["EU"], prefer: [] };
  const cases: { name: string; stage: Partial<StageDefinition>; donors: Partial<DonorView>[]; words: string }[] = [
    { name: "nobody", stage: {}, donors: [], words: "waiting: no donor is online" },
    {
      name: "wrong region",
      stage: { regions: eu },
      donors: [{ country: "US" }, { country: "NO" }, { country: null }],
      words: "waiting: 3 donors online, none in EU",
    },
    {
      name: "group",
      stage: { groupId: "g" },
      donors: [{}],
      words: "waiting: 1 donor online, none in its private group",
    },
    {
      name: "memory",
      stage: { residentBytes: 2 ** 30 },
      donors: [{}],
      words: "waiting: 1 donor online, none with the 1024 MiB of memory that it needs",
    },
    {
      name: "several reasons",
      stage: { regions: eu, minReliability: 0.9 },
      donors: [{ country: "US" }, { country: "DE", reliability: 0.5 }],
      words: "waiting: 2 donors online, 1 not in EU, 1 not with a long enough record of right results",
    },
  ];
  it.each(cases)("a job that waits: $name", ({ stage: fields, donors, words }) => {
    const { board, stage, costModel } = world(fields, donors);
    expect(explainStage(stage, board, costModel, 0)).toBe(words);
  });

  it("a job that runs, then finishes", () => {
    const { board, stage, donors, costModel } = world({}, [{}]);
    const policy = createPolicy();
    const ask = (nowMs: number) => {
      const decision = policy.choose({ nowMs, board, costModel, donor: donors[0]!, wantMs: 3000, maxLeases: 64 });
      return decision.kind === "bundle" ? board.lease(decision.leases, donors[0]!, leaseId, nowMs) : [];
    };
    ask(0);
    expect(explainStage(stage, board, costModel, 0)).toMatch(/^running: 1 donor can take its work; about \d+ s left/);
    expect(explainDonor(donors[0]!, board, 0)).toBe("computing");
    for (let i = 0; i < 200 && stage.pendingCount > 0; i++) {
      donors[0]!.busyUntilMs = 0;
      ask(0);
    }
    expect(explainStage(stage, board, costModel, 0)).toMatch(/^finishing: the last \d+ microtasks are being computed$/);
  });

  it("a deadline that cannot be met", () => {
    const { board, stage, donors, costModel } = world({ deadlineAtMs: 2_000 }, [{}]);
    const decision = createPolicy().choose({
      nowMs: 0,
      board,
      costModel,
      donor: donors[0]!,
      wantMs: 500,
      maxLeases: 1,
    });
    if (decision.kind === "bundle") board.lease(decision.leases, donors[0]!, leaseId, 0);
    expect(explainStage(stage, board, costModel, 0)).toContain("cannot be met");
  });

  it("a job whose submitter had more than its share", () => {
    const { board, stage, donors, costModel } = world({}, [{}, {}]);
    board.addStage(makeStage(2, { submitterId: tenantId("b") }));
    addMicrotasks(board, stageId(2), 10, 100_000);
    const policy = createPolicy();
    for (let i = 0; i < 3; i++) {
      donors[0]!.busyUntilMs = 0;
      const decision = policy.choose({ nowMs: 0, board, costModel, donor: donors[0]!, wantMs: 3000, maxLeases: 64 });
      if (decision.kind !== "bundle") continue;
      for (const { attempt } of board.lease(decision.leases, donors[0]!, leaseId, 0)) {
        if (attempt.stage === stage) board.accept(attempt, 60_000);
        else board.giveBack(attempt);
      }
    }
    expect(explainStage(stage, board, costModel, 0)).toMatch(
      /^waiting its turn: its submitter had .* more donor time lately than others/,
    );
  });

  it("an idle donor", () => {
    const { board, donors } = world({ regions: eu }, [{ country: "US" }]);
    expect(explainDonor(donors[0]!, board, 0)).toBe(
      "idle: 1 job waits, of which 1 may not leave regions that this donor is not in",
    );
    expect(explainDonor(makeDonor(9), makeBoard(), 0)).toBe("idle: no job is waiting for work");
  });

  it("a choice: the terms that tipped it, largest first", () => {
    const terms = {
      fairness: 0,
      priority: 0,
      deadline: 0,
      affinity: -0.8,
      region: 2,
      age: 0,
      scarcity: 0,
      reliability: 0,
    };
    expect(explainChoice(terms)).toEqual([
      "this donor is in a region that it prefers",
      "its program has to be fetched first (0.8 s)",
    ]);
  });

  it("an estimate of when a job is done, at its fair share", () => {
    const { board, stage, costModel } = world({}, [{}]);
    const alone = etaMs(stage, board, costModel, 0) ?? 0;
    board.addStage(makeStage(2, { submitterId: tenantId("b") }));
    addMicrotasks(board, stageId(2), 1, 1000);
    expect(etaMs(stage, board, costModel, 0)).toBeCloseTo(2 * alone, 5);
    const nobody = world({ groupId: "g" }, [{}]);
    expect(etaMs(nobody.stage, nobody.board, nobody.costModel, 0)).toBeNull();
  });
});
