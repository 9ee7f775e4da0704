/** The real digits (../shared/data/mnist): what the lane engine promises on them. */
import { describe, expect, it } from "vitest";
import { type EncryptedPlan, planEncrypted, requireFidelity } from "#lib/keyholder/rehearse.ts";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { seeded } from "../lanes/arbitrary.ts";
import { mnist, prepare } from "./pipeline.ts";

const data = mnist();
const SLOW_MS = 240_000;

describe.skipIf(data === undefined)("real digits", () => {
  it(
    "CryptoNets-shaped network: the same answers on the first 2,000 images, in at most 28 KB per record",
    async () => {
      const graph = importOnnx(data!.model("mnist-cryptonets.onnx"));
      const plan = await planEncrypted([graph], data!.records(0, 2000), { prepare, random: seeded(1) });
      const [rehearsal] = plan.rehearsals;
      report("mnist-cryptonets", plan);
      expect(rehearsal!.fidelity.records).toBe(2000);
      expect(rehearsal!.verdict).toEqual({ kind: "sane", outliers: 0 });
      expect(rehearsal!.fidelity.sameAnswers).toBeGreaterThanOrEqual(0.998);
      expect(plan.cost.bytesPerInputValue).toBeLessThanOrEqual(36);
      expect(plan.cost.bytesDownPerRecord).toBeLessThanOrEqual(28_300);
      expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(1.5e9);
    },
    SLOW_MS,
  );

  it(
    "ReLU network: quadratics are fitted, and the fidelity is what was measured",
    async () => {
      const graph = importOnnx(data!.model("mnist-relu-mlp.onnx"));
      const plan = await planEncrypted([graph], data!.records(0, 2000), { prepare, random: seeded(1) });
      report("mnist-relu-mlp", plan);
      const { approximation, fittedActivations } = plan.members[0]!.report;
      expect(fittedActivations.map(({ source }) => source)).toEqual(["Relu", "Relu"]);
      expect(plan.rehearsals[0]!.verdict.kind).toBe("sane");
      expect(Math.abs(plan.sameAnswers - approximation.sameAnswers)).toBeLessThan(0.02);
      if (plan.sameAnswers < 0.99) expect(() => requireFidelity(plan)).toThrow(/Relu/);
      else requireFidelity(plan);
      expect(() => requireFidelity(plan, 1)).toThrow(/accept_fidelity/);
    },
    SLOW_MS,
  );

  it("CNTK network with MaxPool: refused, with the node and the way out", async () => {
    const graph = importOnnx(data!.model("mnist-cntk-relu-maxpool.onnx"));
    await expect(compilePlan([graph], data!.records(0, 64))).rejects.toMatchObject({
      code: "plan_unsupported_operator",
      param: "Pooling66",
      detail: expect.stringMatching(/MaxPool "Pooling66".*AveragePool.*privacy: public/s),
    });
  });
});

function report(name: string, { cost, sameAnswers, members, rehearsals }: EncryptedPlan): void {
  const { timing, fidelity } = rehearsals[0]!;
  console.info(
    `${name}: ${(100 * sameAnswers).toFixed(2)} % same answers of ${fidelity.records} (largest error ${fidelity.largestError.toFixed(3)}, ` +
      `fitted alone ${(100 * members[0]!.report.approximation.sameAnswers).toFixed(2)} %), N = ${cost.ringDegree}, ` +
      `${cost.modulusBits.toFixed(1)} bits in ${cost.primeBits.join("+")}, ${cost.bytesDownPerRecord.toFixed(0)} bytes down and ` +
      `${cost.bytesUpPerRecord.toFixed(0)} up per record; encrypt ${timing.encryptMs.toFixed(0)} ms, evaluate ${timing.evaluateMs.toFixed(0)} ms, ` +
      `decrypt ${timing.decryptMs.toFixed(0)} ms`,
  );
}
