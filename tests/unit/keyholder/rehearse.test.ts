import { describe, expect, it } from "vitest";
import { planEncrypted, requireFidelity } from "#lib/keyholder/rehearse.ts";
import { parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { seeded } from "../lanes/arbitrary.ts";
import { activated, EXACT_MODELS, randomRecords } from "../lanes/models.ts";
import { prepare } from "./pipeline.ts";

describe("rehearsal: planned, encrypted, evaluated as by a donor, decrypted, compared", () => {
  for (const { name, make } of EXACT_MODELS) {
    it(name, async () => {
      const { graph, features } = make();
      const plan = await planEncrypted([graph], randomRecords(900, features, 3), { prepare, random: seeded(1) });
      const [rehearsal] = plan.rehearsals;
      expect(rehearsal!.verdict.kind).toBe("sane");
      expect(plan.sameAnswers).toBeGreaterThanOrEqual(0.99);
      requireFidelity(plan);
    });
  }

  it("every model on a handful of records", async () => {
    for (const rows of [1, 2, 7, 30]) {
      for (const { make } of EXACT_MODELS) {
        const { graph, features } = make();
        const options = { prepare, records: rows, random: seeded(rows) };
        const plan = await planEncrypted([graph], randomRecords(rows, features, 3), options);
        expect(plan.rehearsals[0]!.verdict.kind, `${graph.name}, ${rows} records`).toBe("sane");
        expect(plan.sameAnswers, `${graph.name}, ${rows} records`).toBe(1);
      }
    }
  });

  it.each([
    ["nothing but zeros", 0],
    ["values around 1e30", 1e30],
    ["values around 1e-30", 1e-30],
  ])("%s make a plan that can be stored", async (_name, size) => {
    const { graph, features } = EXACT_MODELS[1]!.make();
    const records = randomRecords(100, features, 3);
    const sized = { ...records, data: records.data.map((value) => value * size) };
    const plan = await planEncrypted([graph], sized, { prepare, records: 100, random: seeded(1) });
    parseKeyholderPlan(JSON.parse(JSON.stringify(plan.plan)));
    requireFidelity(plan);
  });

  it("an ensemble on the same ciphertexts", async () => {
    const { graph, features } = EXACT_MODELS[3]!.make();
    const plan = await planEncrypted([graph, graph], randomRecords(300, features, 3), { prepare, random: seeded(1) });
    expect(plan.rehearsals).toHaveLength(2);
    expect(plan.sameAnswers).toBeGreaterThanOrEqual(0.99);
  });

  it("a fitted activation is reported as measured, refused under the wanted fidelity, and the refusal names it", async () => {
    const { graph, features } = activated("relu");
    const plan = await planEncrypted([graph], randomRecords(900, features, 3), { prepare, random: seeded(1) });
    const { approximation } = plan.members[0]!.report;
    // Random networks have close decisions: a quadratic in place of a kink changes some of them, and the number says so.
    expect(Math.abs(plan.sameAnswers - approximation.sameAnswers)).toBeLessThan(0.03);
    expect(plan.sameAnswers).toBeLessThan(1);
    expect(() => requireFidelity(plan, 1)).toThrow(/relu "act".*accept_fidelity/s);
    requireFidelity(plan, plan.sameAnswers);
  });
});
