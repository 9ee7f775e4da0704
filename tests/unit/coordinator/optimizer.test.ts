/** What the background pass learns, sets and tells outlives the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type DispatchEvents, Emitter } from "#lib/coordinator/dispatch/events.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { openOptimizer } from "#lib/coordinator/optimizer.ts";
import { USUAL_LANE_SHARE } from "#lib/integrity/lane-audit.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import type { CostModel } from "#lib/scheduling/types.ts";
import { freshId } from "#lib/storage/ids.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { insertSampleJob, sampleStage } from "#tests/contract/samples.ts";
import { makeDonor, makeStage } from "../scheduling/fixtures.ts";

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flux-optimizer-"));
  store = openSqliteStore(join(folder, "flux.db"));
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const open = (costModel: CostModel) =>
  openOptimizer({ costModel, store, log: createLog("silent"), now: () => 1_000_000 });

const stage = makeStage(1, { unitBytesIn: 0, unitBytesOut: 0 });
/** Donors of one class that take three times what their benchmark promises. */
function observeSlowClass(costModel: CostModel): void {
  for (let d = 0; d < 12; d++) {
    for (let i = 0; i < 10; i++) {
      costModel.observe({
        donor: makeDonor(d, { deviceClass: "slow class" }),
        stage: { ...stage, id: makeStage(d).id },
        runtime: "ort-wasm",
        units: 1_000,
        downloadMs: 0,
        computeMs: 300 * (1 + 0.05 * Math.sin(d + i)),
        uploadMs: 0,
        overheadMs: 8,
        promised: null,
      });
    }
  }
}

it("class priors and the log are there again after a restart, and a newcomer is predicted by them", async () => {
  const newcomer = makeDonor("new", { deviceClass: "slow class" });
  const promise = (costModel: CostModel) =>
    costModel.predict(newcomer, { ...stage, id: makeStage("new").id }, 1_000, 1)?.p50 ?? 0;
  const costModel = createCostModel();
  const naive = promise(costModel);
  const first = await open(costModel);
  observeSlowClass(costModel);
  await first.stop();
  expect(first.entries().some(({ about }) => about === "class-prior")).toBe(true);

  const later = createCostModel();
  const second = await open(later);
  expect(promise(later)).toBeGreaterThan(1.5 * naive);
  expect(promise(later) / promise(costModel)).toBeCloseTo(1, 1);
  expect(second.entries()).toEqual(first.entries());
  await second.stop();
});

it("what cannot be read is learnt anew", async () => {
  await store.settings.set("cost-model", { version: 99 });
  await store.settings.set("optimizer", "garbage");
  const optimizer = await open(createCostModel());
  expect(optimizer.entries()).toEqual([]);
  await optimizer.stop();
});

it("sizes microtasks from what was timed, for stages of that kind only", async () => {
  const { tenantId, job } = await insertSampleJob(store, 1);
  const like = { ...sampleStage(tenantId, job.id), unitBytesIn: 100 };
  for (let i = 0; i < 40; i++) {
    store.observations.add({
      donorId: freshId("don"),
      deviceClass: "4-cores",
      stageId: like.id,
      kernel: "onnx",
      runtime: "ort-wasm",
      units: 50,
      bytesIn: 5_000,
      bytesOut: 50,
      queueMs: 0,
      downloadMs: 1,
      computeMs: 500,
      restMs: 0,
      overheadMs: 10,
      uploadMs: 1,
      predictedMs: 500,
      lowMs: 400,
      highMs: 600,
      createdAtMs: 999_000,
    });
  }
  const optimizer = await open(createCostModel());
  expect(optimizer.unitsPerMicrotask(like)).toBe(Number.MAX_SAFE_INTEGER);
  await optimizer.run();
  // 10 ms a unit, 10 ms overhead, sessions of ten minutes: √(2 · 10 ms · 600 s) = 3.5 s.
  expect(optimizer.unitsPerMicrotask(like)).toBe(346);
  expect(optimizer.unitsPerMicrotask({ ...like, unitBytesIn: 5_000 })).toBe(Number.MAX_SAFE_INTEGER);
  expect(optimizer.entries()[0]?.words).toMatch(
    /^Microtasks of records of 100 bytes now hold 346 units instead of 41943/,
  );
  await optimizer.stop();
});

it("audits less of what was always right, and more again when results are refused", async () => {
  const optimizer = await open(createCostModel());
  const events = new Emitter<DispatchEvents>();
  optimizer.watch(events);
  const names = {
    leaseId: freshId("ls"),
    donorId: freshId("don"),
    microtaskId: freshId("mt"),
    stageId: freshId("stg"),
    jobId: freshId("job"),
  };
  const accept = (count: number) => {
    for (let i = 0; i < count; i++) {
      events.emit("result:accepted", {
        ...names,
        units: 1_000,
        kernel: "lanes",
        runtime: "lane-simd",
        computeMs: 1_000,
        tookMs: 1_000,
        promised: { p10: 900, p90: 1_100 },
        checkedUnits: 10,
        checkMs: 20,
        checkCpuMs: 10,
        commitMs: 1,
        bytes: 100,
      });
    }
  };
  accept(500);
  await optimizer.run();
  expect(optimizer.auditedShare("lanes")).toBe(USUAL_LANE_SHARE);
  accept(15_000);
  await optimizer.run();
  const trusting = optimizer.auditedShare("lanes");
  expect(trusting).toBeLessThan(USUAL_LANE_SHARE / 2);
  for (let i = 0; i < 200; i++) {
    const { leaseId, donorId } = names;
    events.emit("result:refused", {
      leaseId,
      donorId,
      code: "audit_failed",
      detail: "",
      counted: true,
      kernel: "lanes",
    });
  }
  await optimizer.run();
  expect(optimizer.auditedShare("lanes")).toBeGreaterThan(USUAL_LANE_SHARE);
  expect(optimizer.auditedShare("records")).toBe(0.005);
  expect(optimizer.entries().filter(({ about }) => about === "audit-rate")).toHaveLength(2);
  await optimizer.stop();
});
