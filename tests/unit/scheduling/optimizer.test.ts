import { describe, expect, it } from "vitest";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { auditRate, microtaskSize, reestimatePriors } from "#lib/scheduling/optimizer.ts";
import { makeDonor, makeStage } from "./fixtures.ts";

describe("optimizer", () => {
  it("says what a class prior became and what that gains, and is quiet when nothing changed", () => {
    const costModel = createCostModel();
    const stage = makeStage(1, { unitBytesIn: 0, unitBytesOut: 0 });
    for (let d = 0; d < 12; d++) {
      const donor = makeDonor(d);
      for (let i = 0; i < 10; i++) {
        const computeMs = 250 * (1 + 0.1 * Math.sin(d + i));
        costModel.observe({
          donor,
          stage,
          runtime: "ort-wasm",
          units: 1000,
          downloadMs: 0,
          computeMs,
          uploadMs: 0,
          overheadMs: 8,
          promised: null,
        });
      }
    }
    const log = reestimatePriors(costModel, 5);
    const compute = log.find(({ words }) => words.includes("lanes on ort-wasm"));
    expect(compute?.atMs).toBe(5);
    expect(compute?.words).toMatch(/off by [\d.]+ % instead of [\d.]+ %\.$/);
    for (let i = 0; i < 10; i++) reestimatePriors(costModel, 6 + i);
    expect(reestimatePriors(costModel, 20)).toEqual([]);
  });

  it("sizes microtasks between overhead and departures", () => {
    const kind = { kind: "lanes", unitsPerMicrotask: 10, maxUnits: 100_000, msPerUnit: 1, overheadMs: 10 };
    const { unitsPerMicrotask, log } = microtaskSize(kind, 60_000, 1);
    // √(2 · 10 ms · 60 s) = 1095 ms.
    expect(unitsPerMicrotask).toBe(1095);
    expect(log[0]?.words).toBe(
      "Microtasks of lanes now hold 1095 units instead of 10: overhead and departures cost 1.8 % of donor time instead of 100 %.",
    );
    expect(microtaskSize({ ...kind, unitsPerMicrotask: 1000 }, 60_000, 1)).toEqual({
      unitsPerMicrotask: 1000,
      log: [],
    });
    expect(microtaskSize({ ...kind, maxUnits: 300 }, 60_000, 1).unitsPerMicrotask).toBe(300);
  });

  it("audits more where more was refused, and less where lies are easy to hit", () => {
    const base = {
      of: "records",
      auditedShare: 0.02,
      usualShare: 0.02,
      wrongAccepted: 1e-6,
      results: 100_000,
      refused: 0,
      unitsPerResult: 1000,
      falseUnitsPerLie: 500,
      relativeCost: 1,
    };
    const honest = auditRate(base, 1);
    const lied = auditRate({ ...base, refused: 2_000 }, 1);
    const small = auditRate({ ...base, falseUnitsPerLie: 50 }, 1);
    expect(lied.auditedShare).toBeGreaterThan(honest.auditedShare);
    expect(small.auditedShare).toBeGreaterThan(honest.auditedShare);
    expect(honest.auditedShare).toBeLessThan(base.auditedShare);
    expect(honest.log[0]?.words).toMatch(/^Of 100000 results of records 0 were refused: audits now sample/);
    const settled = auditRate({ ...base, auditedShare: honest.auditedShare }, 1);
    expect(settled).toEqual({ auditedShare: honest.auditedShare, log: [] });
    expect(auditRate({ ...base, results: 0 }, 1)).toEqual({ auditedShare: 0.02, log: [] });
  });
});
