/** Every lane runtime gives the BigInt reference's bits inside Chromium; WebGPU ones on its software adapter. */
import { type Browser, chromium, expect, test } from "@playwright/test";
import { CHROMIUM_FLAGS, SOFTWARE_WEBGPU_FLAGS } from "../support/browser.ts";
import { findChromium } from "../support/chromium.ts";
import type { LanePage } from "../support/lane-page.ts";
import { type LanePageServer, serveLanePage } from "../support/serve-lane-page.ts";

declare const lanePage: LanePage;

/** Of the software adapters: 0.1 to 0.2 s a program. */
const GPU_PROGRAMS = Number(process.env.FLUX_GPU_PROGRAMS ?? 200);
const cases = [
  { name: "lane-simd", programs: 1000 },
  { name: "ort-wasm", programs: 1000 },
  { name: "tfjs-wasm", programs: 1000 },
  { name: "ort-webgpu", programs: GPU_PROGRAMS },
  { name: "tfjs-webgpu", programs: GPU_PROGRAMS },
] as const;

let server: LanePageServer;
let browser: Browser;

test.beforeAll(async () => {
  server = await serveLanePage();
  browser = await chromium.launch({
    executablePath: findChromium() ?? "chromium",
    args: [...CHROMIUM_FLAGS, ...SOFTWARE_WEBGPU_FLAGS],
  });
});

test.afterAll(async () => {
  await browser.close();
  await server.close();
});

for (const { name, programs } of cases) {
  test(`${name}: ${programs} random programs equal the reference`, async () => {
    test.setTimeout(600_000);
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction("globalThis.lanePage !== undefined");
    const report = await page.evaluate(([n, p]) => lanePage.checkLanes(n, p), [name, programs] as const);
    expect(report.failures).toEqual([]);
    expect(report.programs).toBe(programs);
    await page.close();
  });
}

test("lane-simd on two threads gives the same bits", async () => {
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction("globalThis.lanePage !== undefined");
  const report = await page.evaluate(() => lanePage.checkPool(2, 60));
  expect(report).toMatchObject({ programs: 60, failures: [] });
  await page.close();
});
