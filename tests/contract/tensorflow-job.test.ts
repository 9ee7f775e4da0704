/** A published TensorFlow.js model from upload to downloaded results, in every way that donors can compute it. */
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { elementCount } from "#lib/model/graph.ts";
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
import { npy } from "#tests/unit/dataset/support.ts";
import { fillWeights, savedFiles, startTfjs, tf, tfl } from "#tests/unit/model/tensorflow/tfjs.ts";

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
    expect(done).toMatchObject({ status: "completed", error: null, report: { alarms: 0 } });
    const found = distance(await abaloneAnswers(client, job.id), expected);
    console.info(
      `encrypted abalone: largest error ${found.largest * found.range} (plan: ${plan.fidelity.largest_error}), ` +
        `mean ${found.mean * found.range} (plan: ${plan.fidelity.mean_error}); the answers span ${found.range}`,
    );
    // The plan was rehearsed on half of the records, under another key.
    expect(found.largest * found.range).toBeLessThan(PLAN_MARGIN * plan.fidelity.largest_error);
    expect(found.mean * found.range).toBeLessThan(PLAN_MARGIN * plan.fidelity.mean_error);
  }, 400_000);
});

describe("TensorFlow.js models made here", () => {
  let coordinator: TestCoordinator;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    await startTfjs();
  });
  afterAll(() => coordinator.close());

  const RECORDS = 40;
  const { layers } = tfl;

  /** Layers that import does not know: TensorFlow.js alone runs them, in public jobs only. */
  function recurrent(): tfl.LayersModel {
    const stack = [
      layers.lstm({ inputShape: [5, 3], units: 4, recurrentInitializer: "glorotNormal" }),
      layers.dense({ units: 2, activation: "softmax" }),
    ];
    return tfl.sequential({ layers: stack as ReturnType<typeof layers.dense>[] });
  }

  function twoInputs(): tfl.LayersModel {
    const a = tfl.input({ shape: [3], name: "a" });
    const b = tfl.input({ shape: [2], name: "b" });
    const joined = layers.concatenate().apply([a, b]) as tfl.SymbolicTensor;
    const hidden = layers.dense({ units: 4, activation: "tanh" }).apply(joined) as tfl.SymbolicTensor;
    const outputs = [layers.dense({ units: 2 }).apply(hidden), layers.dense({ units: 1 }).apply(hidden)];
    return tfl.model({ inputs: [a, b], outputs: outputs as tfl.SymbolicTensor[] });
  }

  it.each([
    { name: "an LSTM, which only TensorFlow.js knows", build: recurrent, runtimes: ["tfjs"], encrypted: false },
    {
      name: "two inputs and two outputs, with TensorFlow.js",
      build: twoInputs,
      runtimes: ["onnxruntime", "tfjs"],
      encrypted: true,
    },
  ])("$name", async ({ build, runtimes, encrypted }) => {
    const { client, url } = coordinator;
    const network = build();
    fillWeights(network);
    const files = Object.fromEntries(await savedFiles(network));
    // Keras' default, whose making TensorFlow.js cannot do without its chained operators; opening a file needs no making.
    const json = new TextDecoder().decode(files["model.json"]);
    files["model.json"] = new TextEncoder().encode(json.replace(/"recurrent_initializer":\{.*?\}\}/, ORTHOGONAL));
    const archive = zipSync(files);
    const file = await client.uploadFile(new Blob([new Uint8Array(archive)]), "network.zip", "model");
    const model = await client.createModel({ file_id: file.id });
    expect(model).toMatchObject({ format: "tfjs-layers", runtimes, encrypted: { supported: encrypted } });
    const arrays = network.inputs.map(({ name, shape }) => {
      const axes = [RECORDS, ...shape.slice(1).map(Number)];
      return { name, axes, values: Float32Array.from({ length: elementCount(axes) }, (_, i) => Math.sin(0.7 * i)) };
    });
    const npz = zipSync(
      Object.fromEntries(
        arrays.map(({ name, axes, values }) => [
          `${name}.npy`,
          npy({ descr: "<f4", shape: axes, data: new Uint8Array(values.buffer) }),
        ]),
      ),
    );
    const dataFile = await client.uploadFile(new Blob([new Uint8Array(npz)]), "records.npz", "dataset");
    const { id: dataset } = await client.createDataset({ file_id: dataFile.id });
    const job = await client.createJob({ model: model.id, dataset, privacy: "public", runtime: "tfjs" });
    const donor = await startNodeDonor({ url });
    const done = await client.waitForJob(job.id, { pollMs: 50 });
    await donor.stop();
    expect(done).toMatchObject({ status: "completed", error: null, counts: { results_refused: 0 } });
    const rows = (await (await client.results(job.id, "jsonl")).text()).trimEnd().split("\n");
    const answers = rows.map((row) => Object.values(Outputs.parse(JSON.parse(row)).outputs));
    await startTfjs();
    const predicted = network.predict(arrays.map(({ values, axes }) => tf.tensor(values, axes)));
    for (const [output, tensor] of (Array.isArray(predicted) ? predicted : [predicted]).entries()) {
      const expected = Array.from(await tensor.data());
      const actual = answers.flatMap((outputs) => outputs[output]!);
      expect(distance(actual, expected).largest).toBeLessThan(1e-5);
    }
    if (encrypted) return;
    const refused = await client.planJob({ model: model.id, dataset }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "plan_unsupported_operator", detail: expect.stringMatching(/LSTM.*public/) });
  });
});

const ORTHOGONAL = '"recurrent_initializer":{"class_name":"Orthogonal","config":{"gain":1,"seed":null}}';
const Outputs = z.object({ outputs: z.record(z.string(), z.array(z.number())) });
