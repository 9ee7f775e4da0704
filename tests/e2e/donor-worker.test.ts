/** The donor's workers in a real browser against a scripted coordinator: real kernels, real policies, real sockets. */
import { expect, type Page, test } from "@playwright/test";
import type { Donor } from "#worker/host/donor.ts";
import { integerMatMulModel } from "#worker/runtimes/onnx-matmul.ts";
import { startDonorSite } from "../support/donor-site.ts";
import { type FakeCoordinator, makeLease, makeOnnxSpec } from "../support/fake-coordinator.ts";

declare global {
  interface Window {
    donor: Donor;
  }
}

let site: FakeCoordinator;
test.beforeEach(async () => {
  site = await startDonorSite();
});
test.afterEach(async () => {
  await site.close();
});

async function start(page: Page): Promise<void> {
  await page.goto(`${site.origin}/donate`);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.evaluate(() => window.donor.start());
}

/** `y = x · W` for records of two bytes, W = [[1, −2, 3], [4, 5, −6]]: every result is exact. */
function offerProducts(records: number, overrides: { leaseMs?: number; batchRecords?: number } = {}) {
  const { leaseMs = 10_000, batchRecords = 4 } = overrides;
  const weights = Int8Array.of(1, -2, 3, 4, 5, -6);
  const model = site.addArtefact(integerMatMulModel(weights, 2, 3));
  const pair = { name: "a", dtype: "UINT8" as const, shape: [2] };
  const spec = makeOnnxSpec(model, {
    inputs: [{ name: "a", stored: pair, model: pair, scale: 1, offset: 0 }],
    outputs: [{ name: "y", dtype: "FP32", shape: [3] }],
    batchRecords,
  });
  const { digest } = site.addArtefact(new TextEncoder().encode(JSON.stringify(spec)));
  const packed = Uint8Array.from({ length: 2 * records }, (_, i) => (i * 37) % 251);
  const lease = makeLease({
    specDigest: digest,
    unitCount: records,
    payloadBytes: 2 * records,
    resultBytes: 12 * records,
    leaseMs,
    predictedMs: 50,
  });
  site.offer({ leases: [lease], packed });
  const expected = new Float32Array(3 * records);
  for (let r = 0; r < records; r++) {
    for (let j = 0; j < 3; j++) {
      expected[3 * r + j] = packed[2 * r]! * weights[j]! + packed[2 * r + 1]! * weights[3 + j]!;
    }
  }
  return { lease, expected };
}

/** In its next task the compute worker blocks for ever, and before that reports an uncaught error if it is to crash. */
async function spoil(page: Page, how: "crash" | "hang"): Promise<void> {
  const worker = page.workers().find((one) => one.url().endsWith("/worker/compute.js"));
  expect(worker).toBeDefined();
  await worker?.evaluate((way) => {
    // Every task reads the clock first, for its duty cycle.
    performance.now = () => {
      if (way === "crash") reportError(new Error("out of memory"));
      for (;;);
    };
  }, how);
}

test("nothing runs and no compute file is fetched before a start", async ({ page }) => {
  const paths: string[] = [];
  page.on("request", (request) => paths.push(new URL(request.url()).pathname));
  await page.goto(`${site.origin}/donate`);
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
  expect(page.workers()).toHaveLength(0);
  expect(paths.filter((path) => /^\/(worker|wasm|artefacts)\//.test(path))).toEqual([]);
  expect(site.told).toEqual([]);
});

test("measures itself, computes an ONNX model in batches exactly, and stays within this origin", async ({ page }) => {
  const foreign: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== site.origin) foreign.push(request.url());
  });
  const { lease, expected } = offerProducts(10);
  await start(page);
  const { request } = await site.nth("donor:hello");
  const wasm = request.capability.runtimes.find(({ runtime }) => runtime === "ort-wasm");
  expect(wasm).toMatchObject({ selfTestPassed: true });
  expect(wasm?.int8MacsPerSecond).toBeGreaterThan(1e8);
  expect(request.capability.crossOriginIsolated).toBe(true);

  const result = await site.nth("result:submit");
  expect(result.request).toMatchObject({ leaseId: lease.leaseId, runtime: "ort-wasm" });
  expect(Array.from(new Float32Array(result.buffer.buffer))).toEqual(Array.from(expected));
  expect(foreign).toEqual([]);
});

test("a kept benchmark is not made again, and a kept model is not fetched again", async ({ page }) => {
  const paths: string[] = [];
  page.on("request", (request) => paths.push(new URL(request.url()).pathname));
  offerProducts(4);
  await start(page);
  await site.nth("result:submit");
  await page.waitForFunction(() => window.donor.view().totals.microtasksAccepted === 1);
  paths.length = 0;
  offerProducts(4);
  const startedAt = performance.now();
  await start(page);
  await site.nth("result:submit", 1);
  const toFirstResultMs = performance.now() - startedAt;
  expect(paths.filter((path) => path.startsWith("/artefacts/") || path.endsWith("probe.bin"))).toEqual([]);
  expect(toFirstResultMs).toBeLessThan(3_000);
});

const ways = [
  { how: "crash" as const, verb: "crashes", reason: "crashed", leaseMs: 10_000 },
  { how: "hang" as const, verb: "hangs", reason: "timeout", leaseMs: 1_000 },
];
for (const { how, verb, reason, leaseMs } of ways) {
  test(`a compute worker that ${verb} is replaced, its lease given back, and work goes on`, async ({ page }) => {
    offerProducts(4);
    await start(page);
    await site.nth("result:submit");
    await spoil(page, how);
    const { lease } = offerProducts(4, { leaseMs });
    const { request } = await site.nth("lease:return");
    expect(request).toMatchObject({ reason, leases: [{ leaseId: lease.leaseId }] });
    const { expected } = offerProducts(6);
    const result = await site.nth("result:submit", 1);
    expect(Array.from(new Float32Array(result.buffer.buffer))).toEqual(Array.from(expected));
  });
}

test("stop ends every worker within a second, also while a kernel blocks", async ({ page }) => {
  offerProducts(4);
  await start(page);
  await site.nth("result:submit");
  await spoil(page, "hang");
  offerProducts(4);
  await page.waitForFunction(() => window.donor.view().held.some(({ state }) => state === "computing"));
  const startedAt = performance.now();
  await page.evaluate(() => window.donor.stop());
  await page.waitForFunction(() => window.donor.view().phase === "idle");
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect((await site.nth("lease:return")).request.reason).toBe("stopped");
  await expect.poll(() => page.workers().length).toBe(0);
});
