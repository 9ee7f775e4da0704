/** The donor's workers in a real browser against a scripted coordinator: real kernels, real policies, real sockets. */
import { readFileSync } from "node:fs";
import { expect, type Page, test } from "@playwright/test";
import type { Donor } from "#worker/host/donor.ts";
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
  page.on("console", (message) => console.log("   page:", message.text()));
  await page.goto(`${site.origin}/donate`);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.evaluate(() => window.donor.start());
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

test("measures, says hello, computes an ONNX model and gives back what is left on stop", async ({ page }) => {
  const model = site.addArtefact(readFileSync("/tmp/model.onnx"));
  const spec = site.addArtefact(new TextEncoder().encode(JSON.stringify(makeOnnxSpec(model))));
  site.offer({ leases: [makeLease({ specDigest: spec.digest })], packed: new Uint8Array(4) });
  await start(page);
  const hello = await site.nth("donor:hello");
  console.log(JSON.stringify(hello.request.capability));
  const result = await Promise.race([site.nth("result:submit"), site.nth("lease:return")]);
  console.log(JSON.stringify(result));
});
