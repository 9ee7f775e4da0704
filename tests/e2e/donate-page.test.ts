/** The donate page on the whole coordinator, as a visitor meets it. Needs `npm run build`. */
import { readFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { byteRecords, type DenseShape, denseModel } from "../support/dense-model.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

let server: ServerProcess;
let client: FluxClient;
test.beforeAll(async () => {
  server = await startServerProcess();
  client = new FluxClient({ url: server.url, apiKey: server.apiKey });
});
test.afterAll(async () => {
  await server.close();
});

async function submitJob(records: number, shape: DenseShape, name: string): Promise<JobId> {
  const modelFile = await client.uploadFile(new Blob([denseModel(shape)]), "dense.onnx", "model");
  const dataFile = await client.uploadFile(new Blob([byteRecords(records, shape.features)]), "records.npy", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id });
  const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public", name });
  return job.id;
}

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const status = (page: Page) => page.getByRole("status").first();

test("a visitor starts, is told what is computed, pauses, resumes and stops", async ({ page }) => {
  const compute: string[] = [];
  const foreign: string[] = [];
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin !== server.url) foreign.push(request.url());
    if (/^\/(worker|wasm|artefacts)\//.test(pathname)) compute.push(pathname);
  });
  await page.goto(`${server.url}/donate`);
  await expect(button(page, "Start donating")).toBeEnabled();
  await expect(page.getByRole("slider", { name: "CPU share" })).toBeVisible();
  await expect(page.getByRole("slider", { name: "GPU share" })).toBeVisible();
  expect(compute, "nothing of the computing is fetched before consent").toEqual([]);
  expect(page.workers()).toHaveLength(0);

  const clickedAt = performance.now();
  await button(page, "Start donating").click();
  // Some seconds of work: what the page says of it is drawn twice a second.
  const job = await submitJob(30_000, { features: 64, hidden: 8_192, classes: 10 }, "Garden birds");
  await expect(status(page)).toContainText("Garden birds");
  await expect(status(page)).toContainText("public data");
  expect((await client.waitForJob(job)).status).toBe("completed");
  expect(performance.now() - clickedAt, "cold start to a finished job").toBeLessThan(20_000);
  await expect(page.getByText("Verified microtasks").locator("..")).not.toContainText(/microtasks0$/);
  await expect(status(page)).toContainText("Waiting", { timeout: 10_000 });

  await button(page, "Pause").click();
  await expect(status(page)).toContainText("You paused");
  await button(page, "Resume").click();
  await expect(status(page)).toContainText("Waiting");

  const stoppedAt = performance.now();
  await button(page, "Stop now").click();
  await expect(button(page, "Start donating")).toBeVisible();
  expect(performance.now() - stoppedAt).toBeLessThan(1_000);
  await expect.poll(() => page.workers().length).toBe(0);
  expect(foreign, "everything comes from this origin").toEqual([]);
});

test("finished and sent, then stops", async ({ browser }) => {
  const page = await donorPage(await browser.newContext());
  const job = await submitJob(200_000, { features: 64, hidden: 8_192, classes: 10 }, "Long birds");
  await expect(status(page)).toContainText("Long birds");
  await button(page, "Finish this one, then stop").click();
  await expect(button(page, "Start donating")).toBeVisible();
  await expect.poll(() => page.workers().length).toBe(0);

  const { counts, status: state } = await client.job(job);
  expect(state).not.toBe("completed");
  expect(counts.microtasks_leased, "nothing stayed in its hands").toBe(0);
  expect(counts.microtasks_accepted).toBeGreaterThan(0);
  const verified = page.getByText("Verified microtasks").locator("xpath=following-sibling::dd");
  await expect(verified, "what it finished was taken").toHaveText(String(counts.microtasks_accepted));
  await client.cancelJob(job);

  const picture = page.waitForEvent("download");
  await button(page, "Share your count").click();
  const png = await readFile(await (await picture).path());
  expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1_200, 630]);

  // Where the system can share, it is asked; closing its sheet is no error, its refusal is said.
  await page.evaluate(() => {
    const answers = [
      () => Promise.resolve(),
      () => Promise.reject(new DOMException("closed", "AbortError")),
      () => Promise.reject(new DOMException("no", "NotAllowedError")),
    ];
    const share = ({ files = [] }: ShareData) => {
      document.documentElement.dataset.shared = files.map(({ type, size }) => `${type} ${size > 1_000}`).join();
      return answers.shift()?.() ?? Promise.resolve();
    };
    Object.assign(navigator, { canShare: () => true, share });
  });
  const problem = page.getByText("could not be shared");
  for (const fails of [false, false, true]) {
    await page.evaluate(() => delete document.documentElement.dataset.shared);
    await button(page, "Share your count").click();
    await expect(page.locator("html")).toHaveAttribute("data-shared", "image/png true");
    await expect(problem).toBeVisible({ visible: fails });
  }
  await page.context().close();
});

test("hours, memory and the rest are kept after a reload, and hold", async ({ page }) => {
  await page.goto(`${server.url}/donate`);
  await expect(button(page, "Start donating")).toBeEnabled();
  const hour = await page.evaluate(() => new Date().getHours());
  const [from, to] = [String((hour + 3) % 24), String((hour + 5) % 24)];
  await page.getByLabel("Only at certain hours").check();
  await page.getByLabel("From", { exact: true }).selectOption(from);
  await page.getByLabel("to", { exact: true }).selectOption(to);
  await button(page, "128 MiB").click();
  await page.getByLabel("Keep the screen on while donating").check();
  await page.getByRole("slider", { name: "CPU share" }).fill("35");

  await page.reload();
  await expect(page.getByLabel("From", { exact: true })).toHaveValue(from);
  await expect(page.getByLabel("to", { exact: true })).toHaveValue(to);
  await expect(button(page, "128 MiB")).toHaveAttribute("aria-pressed", "true");
  await expect(page.getByLabel("Keep the screen on while donating")).toBeChecked();
  await expect(page.getByRole("slider", { name: "CPU share" })).toHaveValue("35");

  await button(page, "Start donating").click();
  await expect(status(page)).toContainText("outside the hours", { timeout: 20_000 });
  await page.getByLabel("Only at certain hours").uncheck();
  await expect(status(page)).toContainText("Waiting", { timeout: 20_000 });
});

test("only while away: it pauses while a person is at the device", async ({ page }) => {
  const session = await page.context().newCDPSession(page);
  const { targetInfo } = await session.send("Target.getTargetInfo");
  await session.send("Browser.grantPermissions", {
    origin: server.url,
    permissions: ["idleDetection"],
    ...(targetInfo.browserContextId && { browserContextId: targetInfo.browserContextId }),
  });
  await session.send("Emulation.setIdleOverride", { isUserActive: true, isScreenUnlocked: true });
  await page.goto(`${server.url}/donate`);
  // Checked only once the browser has answered.
  await page.getByLabel("Only while I am away").click();
  await expect(page.getByLabel("Only while I am away")).toBeChecked();
  await button(page, "Start donating").click();
  await expect(status(page)).toContainText("You are at this device", { timeout: 20_000 });
  await session.send("Emulation.setIdleOverride", { isUserActive: false, isScreenUnlocked: true });
  await expect(status(page)).toContainText("Waiting", { timeout: 20_000 });
});

const departures: { how: string; leave: (page: Page) => Promise<unknown> }[] = [
  { how: "closed", leave: (page) => page.close() },
  { how: "hidden", leave: hide },
  { how: "frozen", leave: (page) => setLifecycle(page, "frozen") },
  { how: "navigated", leave: (page) => page.goto("about:blank") },
];
for (const { how, leave } of departures)
  test(`a ${how} tab's work is with another donor within two seconds`, async ({ browser }) => {
    const first = await donorPage(await browser.newContext());
    await first.getByLabel("Pause while this tab is hidden").check();
    await holdAtNextTask(first);
    const second = await donorPage(await browser.newContext());
    await button(second, "Pause").click();
    await expect(status(second)).toContainText("You paused");

    const job = await submitJob(64, { features: 16, hidden: 16, classes: 2 }, "Held up");
    await expect(status(first)).toContainText("Held up");
    const { counts } = await client.job(job);
    expect(counts.microtasks_leased).toBeGreaterThan(0);
    expect(counts.microtasks_accepted).toBe(0);

    // The second asks only now: earlier it might have been given the same microtask as a race against the late first.
    const leftAt = performance.now();
    await leave(first);
    await button(second, "Resume").click();
    // The whole job is one small microtask: that it is done says that it was leased again, computed and committed.
    const done = await client.waitForJob(job, { pollMs: 20 });
    expect(performance.now() - leftAt, "from the departure to the other donor's accepted result").toBeLessThan(2_000);
    expect(done.status).toBe("completed");
    await second.context().close();
    await first.context().close();
  });

test("verified microtasks fly in over the map, but not for who asked for less motion", async ({ browser }) => {
  const summary = {
    object: "donors_summary",
    online: {
      donors: 9,
      countries: [
        { country: "DE", donors: 5 },
        { country: "JP", donors: 4 },
      ],
      elsewhere: 0,
    },
    recent: {
      seconds: 5,
      microtasks: 40,
      countries: [
        { country: "DE", microtasks: 25 },
        { country: "JP", microtasks: 15 },
      ],
    },
    ever: { donors: 9, microtasks: 40, compute_seconds: 12 },
  };
  for (const reducedMotion of ["no-preference", "reduce"] as const) {
    const context = await browser.newContext({ reducedMotion });
    await context.route("**/api/v1/donors/summary", (route) => route.fulfill({ json: summary }));
    const page = await context.newPage();
    // What was in flight at most: dots come and go.
    await page.addInitScript(() => {
      new MutationObserver(() => {
        const now = document.querySelectorAll("[data-flights] circle").length;
        const most = Number(document.documentElement.dataset.dots ?? 0);
        document.documentElement.dataset.dots = String(Math.max(most, now));
      }).observe(document, { subtree: true, childList: true });
    });
    await page.goto(`${server.url}/donate`);
    await expect(page.getByText("40 microtasks verified in the last 5 seconds")).toBeVisible({ timeout: 15_000 });
    const dots = Number(await page.evaluate(() => document.documentElement.dataset.dots ?? 0));
    if (reducedMotion === "reduce") expect(dots).toBe(0);
    else expect(dots).toBeGreaterThan(5);
    await context.close();
  }
});

for (const scheme of ["light", "dark"] as const) {
  test(`no accessibility violations, ${scheme}`, async ({ browser }) => {
    const context = await browser.newContext({ colorScheme: scheme, reducedMotion: "reduce" });
    const page = await context.newPage();
    await page.goto(`${server.url}/donate`);
    await expect(button(page, "Start donating")).toBeEnabled();
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await page.keyboard.press("Tab");
    await button(page, "Start donating").focus();
    await page.keyboard.press("Enter");
    await expect(button(page, "Pause")).toBeVisible();
    await expect(status(page)).toContainText("Waiting", { timeout: 20_000 });
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await drivenByKeyboard(page);
    await context.close();
  });
}

/** Every control of a donor, without a pointer. */
async function drivenByKeyboard(page: Page): Promise<void> {
  const slider = page.getByRole("slider", { name: "CPU share" });
  await slider.focus();
  const before = Number(await slider.inputValue());
  await page.keyboard.press("ArrowLeft");
  expect(Number(await slider.inputValue())).toBeLessThan(before);
  await button(page, "Light").focus();
  await page.keyboard.press("Space");
  await expect(button(page, "Light")).toHaveAttribute("aria-pressed", "true");
  for (const label of ["Pause on battery", "Pause while this tab is hidden", "Only at certain hours"]) {
    const box = page.getByLabel(label);
    const checked = await box.isChecked();
    await box.focus();
    await page.keyboard.press("Space");
    await expect(box).toBeChecked({ checked: !checked });
    await page.keyboard.press("Space");
    await expect(box).toBeChecked({ checked });
  }
  for (const [press, then] of [
    ["Pause", "Resume"],
    ["Resume", "Pause"],
    ["Stop now", "Start donating"],
  ] as const) {
    await button(page, press).focus();
    await page.keyboard.press("Enter");
    await expect(button(page, then)).toBeVisible();
  }
}

/** A page that donates and has measured itself. */
async function donorPage(
  context: Awaited<ReturnType<import("@playwright/test").Browser["newContext"]>>,
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${server.url}/donate`);
  await button(page, "Start donating").click();
  await expect(status(page)).toContainText("Waiting", { timeout: 20_000 });
  return page;
}

/** What a page sees when another tab comes to the front; without a window there is no front. */
function hide(page: Page): Promise<void> {
  return page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { configurable: true, value: "hidden" });
    Object.defineProperty(document, "hidden", { configurable: true, value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

/** As the browser does with tabs that it puts to sleep. */
async function setLifecycle(page: Page, state: "frozen" | "active"): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state });
}

/** The compute worker blocks for ever in its next task. */
async function holdAtNextTask(page: Page): Promise<void> {
  const worker = page.workers().find((one) => one.url().endsWith("/worker/compute.js"));
  expect(worker).toBeDefined();
  await worker?.evaluate(() => {
    performance.now = () => {
      for (;;);
    };
  });
}
