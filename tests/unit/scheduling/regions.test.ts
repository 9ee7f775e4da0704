import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFluxError } from "#lib/protocol/errors.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { fifoPolicy } from "#lib/scheduling/fifo.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { COUNTRIES, compileRegions, expandRegions, REGION_GROUPS, regionAllows } from "#lib/scheduling/regions.ts";
import { addMicrotasks, leaseId, makeBoard, makeDonor, makeStage, stageId } from "./fixtures.ts";

describe("regions", () => {
  it("expands groups, codes, aliases and spellings", () => {
    expect([...expandRegions(["DACH"])].sort()).toEqual(["AT", "CH", "DE"]);
    expect(expandRegions(["EU"]).size).toBe(27);
    expect(expandRegions(["EEA"]).size).toBe(30);
    expect(expandRegions([" uk "])).toEqual(new Set(["GB"]));
    expect(expandRegions(["north america"])).toContain("US");
    expect(expandRegions(["EU"])).not.toContain("NO");
    expect(expandRegions(["EEA"])).toContain("NO");
  });

  it("names countries that exist, each on one continent", () => {
    for (const code of COUNTRIES) expect(code).toMatch(/^[A-Z]{2}$/);
    for (const countries of Object.values(REGION_GROUPS))
      for (const code of countries) expect(COUNTRIES).toContain(code);
    const continents = ["AFRICA", "ASIA", "EUROPE", "NORTH_AMERICA", "SOUTH_AMERICA", "OCEANIA"];
    const all = continents.flatMap((name) => REGION_GROUPS[name] ?? []);
    expect(all).toHaveLength(new Set(all).size);
    expect(all).toHaveLength(COUNTRIES.size - 1);
  });

  it.each(["XX", "EUROPA", "", "D", "constructor", "__proto__"])("refuses %j and names it", (code) => {
    try {
      expandRegions([code], "regions.allow");
      expect.unreachable();
    } catch (error) {
      expect(isFluxError(error) && error.code).toBe("invalid_request");
      expect(isFluxError(error) && error.param).toBe("regions.allow");
      expect(isFluxError(error) && error.detail).toContain(`"${code}"`);
    }
  });

  it("lets nobody of unknown country near a job with a rule", () => {
    expect(regionAllows(compileRegions({ allow: ["EU"], prefer: [] }).allowed, null)).toBe(false);
    expect(regionAllows(compileRegions({ allow: [], prefer: ["EU"] }).allowed, null)).toBe(true);
    expect(regionAllows(compileRegions(null).allowed, null)).toBe(true);
  });

  it("never leases outside the allowed regions, whatever the fleet, the jobs and the order of things", () => {
    const country = fc.constantFrom("DE", "FR", "NO", "US", "IN", "GB", null);
    const rule = fc.option(
      fc.record({
        allow: fc.subarray(["EU", "EEA", "DE", "US", "ASIA"]),
        prefer: fc.subarray(["DE", "US", "NORDICS"]),
      }),
    );
    const jobs = fc.array(fc.record({ regions: rule, priority: fc.integer({ min: -2, max: 2 }) }), {
      minLength: 1,
      maxLength: 5,
    });
    const asks = fc.array(fc.record({ country, end: fc.constantFrom("accept", "giveBack", "fail") }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(jobs, asks, fc.boolean(), (specs, requests, real) => {
        const board = makeBoard();
        const costModel = createCostModel();
        const policy = real ? createPolicy() : fifoPolicy;
        specs.forEach((fields, i) => {
          board.addStage(makeStage(i, fields));
          addMicrotasks(board, stageId(i), 3, 2_000);
        });
        requests.forEach(({ country: from, end }, i) => {
          const donor = makeDonor(i, { country: from });
          board.join(donor);
          const nowMs = i * 700;
          const decision = policy.choose({ nowMs, board, costModel, donor, wantMs: 3000, maxLeases: 64 });
          if (decision.kind === "idle") return;
          for (const { attempt } of board.lease(decision.leases, donor, leaseId, nowMs)) {
            const { regions } = attempt.stage.definition;
            if (regions && regions.allow.length > 0) {
              expect(from).not.toBeNull();
              expect(expandRegions(regions.allow)).toContain(from);
            }
            if (end === "accept") board.accept(attempt, 10);
            else if (end === "fail") board.fail(attempt);
            else if (i % 2 === 0) board.giveBack(attempt);
          }
        });
      }),
      { numRuns: 200 },
    );
  });
});
