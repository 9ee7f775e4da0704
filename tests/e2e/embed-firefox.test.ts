/**
 * The embed on a partner's page in Firefox, which neither isolates frames by Document-Isolation-Policy nor tells them whether
 * they are covered: one thread, and consent in a window of our own. Skipped where there is no Firefox.
 */
import { expect, test } from "@playwright/test";
import { type Browser, type Frame, launch, type Page } from "puppeteer-core";
import { findFirefox } from "../support/firefox.ts";
import { type PartnerScene, startPartnerScene } from "../support/partner-scene.ts";

const executablePath = findFirefox();
test.skip(executablePath === null, "There is no Firefox here: install firefox-esr or set FLUX_FIREFOX");

let scene: PartnerScene;
let browser: Browser;
test.beforeAll(async () => {
  scene = await startPartnerScene();
  browser = await launch({ browser: "firefox", executablePath: executablePath ?? "", headless: true });
});
test.beforeEach(() => scene.renew());
test.afterAll(async () => {
  await browser?.close();
  await scene.close();
});

async function open(origin = scene.partner.origin): Promise<{ page: Page; requests: URL[] }> {
  const page = await browser.newPage();
  const requests: URL[] = [];
  page.on("request", (request) => requests.push(new URL(request.url())));
  await page.goto(origin);
  return { page, requests };
}

async function frameOf(page: Page): Promise<Frame> {
  const iframe = await page.waitForSelector("iframe");
  const frame = await iframe?.contentFrame();
  if (!frame) throw new Error("the page has no frame");
  return frame;
}

/** Presses the frame's button and answers the window that asks. */
async function answerWindow(frame: Frame, answer: "Start donating" | "No"): Promise<void> {
  await (await frame.waitForSelector("button.primary:not([hidden])"))?.click();
  const target = await browser.waitForTarget((one) => one.url().includes("/embed/confirm"));
  const confirm = await target.page();
  if (!confirm) throw new Error("no window asks");
  const button = await confirm.waitForSelector(`button:not([disabled])::-p-text(${answer})`);
  const closed = new Promise((resolve) => confirm.once("close", resolve));
  await button?.click();
  await closed;
}

test("a visitor confirms in our window, computes with one thread, and is counted for the site", async () => {
  const { client } = scene.coordinator;
  const { page, requests } = await open();
  const frame = await frameOf(page);
  await answerWindow(frame, "Start donating");
  await frame.waitForSelector('main[data-phase="running"]');
  expect(await frame.evaluate(() => crossOriginIsolated)).toBe(false);
  const { counts, status } = await client.waitForJob(await scene.submitJob(2_000));
  expect(status).toBe("completed");
  expect((await scene.siteNow()).counts).toMatchObject({ visitors: 1, microtasks: counts.microtasks_accepted });
  await page.waitForFunction((wanted) => window.heard.at(-1)?.microtasks === wanted, {}, counts.microtasks_accepted);
  const hosts = new Set(requests.map(({ host }) => host));
  const own = [scene.partner.origin, scene.coordinator.url].map((url) => new URL(url).host);
  expect([...hosts].sort(), "no other host is asked").toEqual(own.sort());
  await page.close();
});

test("nothing starts before the window was answered, nor after a no", async () => {
  const { page, requests } = await open();
  const frame = await frameOf(page);
  await answerWindow(frame, "No");
  const compute = requests.filter(({ pathname }) => /^\/(worker|wasm|artefacts)\//.test(pathname));
  expect(compute).toEqual([]);
  expect((await scene.siteNow()).counts.visitors).toBe(0);
  await page.close();
});

test("a page of another origin gets no frame", async () => {
  const { page } = await open(scene.stranger.origin);
  const frame = await frameOf(page);
  expect(await frame.evaluate(() => document.querySelector("button.primary")).catch(() => null)).toBeNull();
  expect(await page.evaluate(() => window.heard)).toEqual([]);
  await page.close();
});
