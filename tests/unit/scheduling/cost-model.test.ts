import { describe, expect, it } from "vitest";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import type { CostModel, DonorView, Observation, StageDefinition } from "#lib/scheduling/types.ts";
import { type Random, seededRandom } from "#tests/simulation/random.ts";
import { makeDonor, makeStage } from "./fixtures.ts";

/** A device whose benchmark is off by a lasting factor, whose runs scatter, and which stalls now and then. */
interface Device {
  readonly donor: DonorView;
  readonly compute: number;
  readonly down: number;
  readonly up: number;
  readonly scatter: number;
}

function makeDevice(random: Random, name: number, classBias: number): Device {
  return {
    donor: makeDonor(name, {
      deviceClass: classBias > 1 ? "slow class" : "fast class",
      runtimes: [{ runtime: "ort-wasm", int8MacsPerSecond: 10e9 * 10 ** random.normal(), float32MacsPerSecond: 4e9 }],
      benchmarkDownBytesPerSecond: 5e6 * Math.exp(random.normal()),
    }),
    compute: classBias * Math.exp(0.3 * random.normal()),
    down: Math.exp(0.4 * random.normal()),
    up: Math.exp(0.6 * random.normal()),
    scatter: 0.1 + 0.15 * random.uniform(),
  };
}

function run(random: Random, device: Device, stage: StageDefinition, units: number, outliers = 0.02): Observation {
  const { donor, scatter } = device;
  const noise = (s: number) => Math.exp(s * random.normal());
  const stall = random.uniform() < outliers ? 5 : 1;
  const macs = donor.runtimes[0]?.int8MacsPerSecond ?? 1;
  return {
    donor,
    stage,
    runtime: "ort-wasm",
    units,
    downloadMs: (1000 * units * stage.unitBytesIn * device.down * noise(0.2)) / donor.benchmarkDownBytesPerSecond,
    computeMs: ((1000 * units * stage.unitMacs * device.compute) / macs) * noise(scatter) * stall,
    uploadMs: (1000 * units * stage.unitBytesOut * device.up * noise(0.2)) / (0.4 * donor.benchmarkDownBytesPerSecond),
    overheadMs: 8 * noise(0.3),
    promised: null,
  };
}

const total = (o: Observation) => o.downloadMs + o.computeMs + o.uploadMs + o.overheadMs;

function within80(model: CostModel, outcome: Observation): boolean {
  const predicted = model.predict(outcome.donor, outcome.stage, outcome.units, 1);
  return predicted !== null && total(outcome) >= predicted.p10 && total(outcome) <= predicted.p90;
}

describe("cost model", () => {
  it.each([1, 2, 3, 4, 5])(
    "holds its 80 % interval for 75–85 % of outcomes after 50 observations (seed %i)",
    (seed) => {
      const random = seededRandom(seed);
      const model = createCostModel();
      const stage = makeStage(1);
      const devices = Array.from({ length: 40 }, (_, i) => makeDevice(random, i, i % 2 === 0 ? 1.8 : 0.9));
      const units = () => 100 + random.integer(2000);
      for (let i = 0; i < 50; i++) {
        for (const device of devices) model.observe(run(random, device, stage, units()));
        if (i % 10 === 0) model.reestimate();
      }
      let inside = 0;
      let outcomes = 0;
      for (let i = 0; i < 100; i++) {
        for (const device of devices) {
          const outcome = run(random, device, stage, units());
          if (within80(model, outcome)) inside++;
          outcomes++;
          model.observe(outcome);
        }
      }
      expect(inside / outcomes).toBeGreaterThan(0.75);
      expect(inside / outcomes).toBeLessThan(0.85);
    },
  );

  it("predicts a newcomer of a known class better than its benchmark does", () => {
    const random = seededRandom(7);
    const model = createCostModel();
    const stage = makeStage(1);
    const devices = Array.from({ length: 30 }, (_, i) => makeDevice(random, i, 3));
    for (let i = 0; i < 10; i++) for (const device of devices) model.observe(run(random, device, stage, 1000));
    model.reestimate();
    const errors = { model: 0, benchmark: 0 };
    for (let i = 100; i < 200; i++) {
      const newcomer = makeDevice(random, i, 3);
      const outcome = run(random, newcomer, stage, 1000, 0);
      const predicted = model.predict(newcomer.donor, stage, 1000, 1);
      const naive = createCostModel().predict(newcomer.donor, stage, 1000, 1);
      errors.model += Math.abs(Math.log(total(outcome) / (predicted?.p50 ?? 1)));
      errors.benchmark += Math.abs(Math.log(total(outcome) / (naive?.p50 ?? 1)));
    }
    expect(errors.model).toBeLessThan(0.6 * errors.benchmark);
  });

  it("is moved little by one outlier and quickly by a lasting change", () => {
    const random = seededRandom(3);
    const model = createCostModel();
    const stage = makeStage(1);
    const device = makeDevice(random, 1, 1);
    const p50 = () => model.predict(device.donor, stage, 10_000, 1)?.p50 ?? 0;
    for (let i = 0; i < 50; i++) model.observe(run(random, device, stage, 10_000, 0));
    const settled = p50();
    model.observe(run(random, { ...device, compute: device.compute * 20 }, stage, 10_000, 0));
    expect(p50()).toBeLessThan(1.15 * settled);
    for (let i = 0; i < 8; i++) {
      model.observe(
        run(
          random,
          { ...device, compute: device.compute * 4, down: device.down * 4, up: device.up * 4 },
          stage,
          10_000,
          0,
        ),
      );
    }
    expect(p50()).toBeGreaterThan(2.8 * settled);
  });

  it("fills a budget up to its 90th percentile and no further", () => {
    const random = seededRandom(5);
    const model = createCostModel();
    const stage = makeStage(1);
    for (let i = 0; i < 30; i++) {
      const { donor } = makeDevice(random, i, 1);
      const units = model.unitsWithin(donor, stage, 2_000, 3);
      if (units > 0) expect(model.predict(donor, stage, units, 3)?.p90).toBeLessThanOrEqual(2_000);
      expect(model.predict(donor, stage, Math.ceil((units + 1) * 1.02), 3)?.p90).toBeGreaterThan(2_000);
    }
  });

  it("learns a stage that runs slower than its multiply-adds on every device", () => {
    const random = seededRandom(9);
    const model = createCostModel();
    const known = makeStage(1);
    const heavy = makeStage(2);
    const devices = Array.from({ length: 20 }, (_, i) => ({ ...makeDevice(random, i, 1), compute: 1 }));
    for (let i = 0; i < 20; i++) for (const device of devices) model.observe(run(random, device, known, 5000, 0));
    const slower = devices.map((device) => ({ ...device, compute: 3 }));
    for (const device of slower.slice(0, 10)) {
      for (let i = 0; i < 3; i++) model.observe(run(random, device, heavy, 5000, 0));
    }
    // Donors that never saw the heavy stage are predicted by what the others showed.
    for (const device of slower.slice(10)) {
      const ratio =
        total(run(random, device, heavy, 5000, 0)) / (model.predict(device.donor, heavy, 5000, 1)?.p50 ?? 1);
      expect(ratio).toBeGreaterThan(0.5);
      expect(ratio).toBeLessThan(1.9);
    }
    const before = model.predict(devices[15]!.donor, known, 5000, 1)?.p50 ?? 0;
    expect(total(run(random, devices[15]!, known, 5000, 0)) / before).toBeLessThan(1.6);
  });

  it("takes class priors over a restart and refuses what is no snapshot", () => {
    const random = seededRandom(11);
    const model = createCostModel();
    const stage = makeStage(1);
    for (let d = 0; d < 20; d++) {
      const device = makeDevice(random, d, 3);
      for (let i = 0; i < 10; i++) model.observe(run(random, device, stage, 1000));
    }
    model.reestimate();
    const restored = createCostModel();
    restored.restore(JSON.parse(JSON.stringify(model.snapshot())));
    const newcomer = makeDonor("new", { deviceClass: "slow class" });
    const other = makeStage(2);
    const ratio = restored.predict(newcomer, other, 1000, 1)!.p50 / model.predict(newcomer, other, 1000, 1)!.p50;
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.05);
    expect(() => createCostModel().restore({ version: 2 })).toThrow();
  });

  it("refuses donors without a runtime for the stage", () => {
    const model = createCostModel();
    const gpuOnly = makeStage(1, { runtimes: ["tfjs-webgpu"] });
    expect(model.predict(makeDonor(1), gpuOnly, 10, 1)).toBeNull();
    expect(model.unitsWithin(makeDonor(1), gpuOnly, 1000, 1)).toBe(0);
    expect(model.pace(makeDonor(1), gpuOnly)).toBeNull();
    expect(model.runtimeFor(makeDonor(1), gpuOnly)).toBeNull();
  });

  it("counts an artefact until the donor has it, and a runtime while the donor has it", () => {
    const model = createCostModel();
    const stage = makeStage(1, { artefacts: [{ digest: "a" as never, bytes: 5e6 }], unitBytesIn: 0, unitBytesOut: 0 });
    const donor = makeDonor(1, { cached: new Set(["b"]) });
    const cold = model.predict(donor, stage, 10, 1)!.p50;
    expect(model.pace(donor, stage)?.artefactMs).toBeCloseTo(1000, 0);
    donor.cached.clear();
    donor.cached.add("a");
    expect(model.pace(donor, stage)?.artefactMs).toBe(0);
    expect(model.predict(donor, stage, 10, 1)!.p50).toBeLessThan(cold / 10);
    const slower = [{ runtime: "ort-wasm" as const, int8MacsPerSecond: 1e9, float32MacsPerSecond: 0 }];
    const before = model.pace(donor, stage)!.msPerUnit;
    expect(model.pace(Object.assign(donor, { runtimes: slower }), stage)!.msPerUnit).toBeCloseTo(10 * before, 6);
  });
});
