/** A published TensorFlow.js model from upload to downloaded results, in every way that donors can compute it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StageSpec } from "#lib/protocol/stage.ts";
import {
  ABALONE_FEATURES,
  abaloneAnswers,
  abalonePredictions,
  distance,
  HAS_ABALONE,
  uploadAbalone,
} from "#tests/support/abalone.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";

const PLAN_MARGIN = 1.05;

describe.skipIf(!HAS_ABALONE)("the abalone model (skipped where ../shared/data is absent)", () => {
  let coordinator: TestCoordinator;
  let expected: readonly number[];
  let uploaded: Awaited<ReturnType<typeof uploadAbalone>>;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    uploaded = await uploadAbalone(coordinator.client);
    expected = await abalonePredictions();
  });
  afterAll(() => coordinator.close());

  it("is shown back with both runtimes that can run it", async () => {
    const model = await coordinator.call(`/models/${uploaded.model}`);
    expect(await model.json()).toMatchObject({
      format: "tfjs-layers",
      inputs: [{ datatype: "FP32", shape: [-1, ABALONE_FEATURES] }],
      outputs: [{ datatype: "FP32", shape: [-1, 1] }],
      operators: [{ operator: "Dense", count: 5 }],
      runtimes: ["onnxruntime", "tfjs"],
      encrypted: { supported: true },
    });
  });

  it.each([
    { runtime: "tfjs", kernel: "tfjs" },
    { runtime: "onnxruntime", kernel: "onnx" },
  ] as const)("public with $runtime: what TensorFlow.js computes here", async ({ runtime, kernel }) => {
    const { client, url } = coordinator;
    const job = await client.createJob({ ...uploaded, privacy: "public", runtime });
    expect(job.plan).toMatchObject({ runtimes: [{ model: uploaded.model, runtime, why: "the job names it" }] });
    const donors = [await startNodeDonor({ url }), await startNodeDonor({ url })];
    const done = await client.waitForJob(job.id, { pollMs: 50 });
    await Promise.all(donors.map((donor) => donor.stop()));
    expect(done).toMatchObject({ status: "completed", error: null, counts: { results_refused: 0 } });
    const [spec] = donors.flatMap((donor) => donor.specs());
    expect(StageSpec.parse(await (await fetch(`${url}/artefacts/${spec}`)).json()).kernel).toBe(kernel);
    expect(distance(await abaloneAnswers(client, job.id), expected).largest).toBeLessThan(1e-5);
  });

  it("left to itself, is run with the faster of the two, and the plan says both times", async () => {
    const plan = await coordinator.client.planJob({ ...uploaded, privacy: "public" });
    if (plan.plan.privacy !== "public") throw new Error("a public plan was asked for");
    const [{ microseconds_per_record: micros, why }] = plan.plan.runtimes as [(typeof plan.plan.runtimes)[0]];
    expect(micros.onnxruntime).toBeGreaterThan(0);
    expect(micros.tfjs).toBeGreaterThan(0);
    expect(why).toMatch(/times as fast/);
  });

  it("encrypted: the plan reports its error, and the results keep to it", async () => {
    const { client, url } = coordinator;
    const job = await client.createJob({ ...uploaded, accept_fidelity: true });
    const { plan } = job;
    if (plan?.privacy !== "encrypted") throw new Error("an encrypted plan was asked for");
    const donor = await startNodeDonor({ url });
    const done = await client.waitForJob(job.id, { pollMs: 50 });
    await donor.stop();
    expect(done).toMatchObject({ status: "completed", error: null });
    const found = distance(await abaloneAnswers(client, job.id), expected);
    console.info(
      `encrypted abalone: largest error ${found.largest * found.range} (plan: ${plan.fidelity.largest_error}), ` +
        `mean ${found.mean * found.range} (plan: ${plan.fidelity.mean_error}); the answers span ${found.range}`,
    );
    // The plan was rehearsed on half of the records, under another key.
    expect(found.largest * found.range).toBeLessThan(PLAN_MARGIN * plan.fidelity.largest_error);
    expect(found.mean * found.range).toBeLessThan(PLAN_MARGIN * plan.fidelity.mean_error);
  }, 120_000);
});
