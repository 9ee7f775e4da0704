/** The embed on a partner's page in Chromium: it works, it is isolated both ways, and no page can start it for its visitor. */
import AxeBuilder from "@axe-core/playwright";
import { type BrowserContext, expect, type Frame, type Page, test } from "@playwright/test";
import { type PartnerScene, startPartnerScene } from "../support/partner-scene.ts";

let scene: PartnerScene;
test.beforeAll(async () => {
  scene = await startPartnerScene();
});
test.beforeEach(() => scene.renew());
test.afterAll(() => scene.close());

/** Opens the partner's page; `requests` fills with every address that anything in it asks for. */
async function open(context: BrowserContext, origin = scene.partner.origin) {
  const requests: URL[] = [];
  await context.route("**/*", (route) => {
    requests.push(new URL(route.request().url()));
    return route.continue();
  });
  const page = await context.newPage();
  await page.goto(origin);
  return { page, requests };
}

async function frameOf(page: Page): Promise<Frame> {
  const handle = await page.locator("iframe").elementHandle();
  const frame = await handle?.contentFrame();
  if (!frame) throw new Error("the page has no frame");
  return frame;
}

/** As a person does: the pointer comes over the frame to the button, and presses it. */
async function pressStart(page: Page): Promise<void> {
  const frame = await page.locator("iframe").boundingBox();
  const button = await page.frameLocator("iframe").getByRole("button", { name: "Start donating" }).boundingBox();
  if (!frame || !button) throw new Error("there is no button to press");
  await page.mouse.move(frame.x + 8, frame.y + 8);
  await page.mouse.move(button.x + button.width / 2, button.y + button.height / 2, { steps: 8 });
  await page.mouse.down();
  await page.mouse.up();
}

const status = (page: Page) => page.frameLocator("iframe").getByRole("status");
const started = (page: Page) => page.frameLocator("iframe").getByRole("button", { name: "Pause" });
const computeFiles = (requests: readonly URL[]) =>
  requests.filter(({ pathname }) => /^\/(worker|wasm|artefacts)\//.test(pathname));

/** The first presses may come too soon after the page was opened; a person presses again when told so. */
async function startAsVisitor(page: Page): Promise<void> {
  await expect(async () => {
    await pressStart(page);
    await expect(started(page)).toBeVisible({ timeout: 500 });
  }).toPass();
}

test("a visitor starts, the work is counted for the site, and stops", async ({ context }) => {
  const { client, url } = scene.coordinator;
  const { page, requests } = await open(context);
  const frame = await frameOf(page);
  await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
  await expect(status(page)).toContainText("25 %");
  expect(computeFiles(requests), "nothing of the computing before consent").toEqual([]);
  expect(page.workers()).toHaveLength(0);
  expect(await page.evaluate(() => window.heard.map(({ name }) => name))).toEqual(["ready"]);

  await startAsVisitor(page);
  const job = await scene.submitJob(4_000);
  const { counts, status: ended } = await client.waitForJob(job);
  expect(ended).toBe("completed");
  await expect
    .poll(() => page.evaluate(() => window.heard.at(-1)))
    .toMatchObject({ name: "progress", microtasks: counts.microtasks_accepted });
  expect(await scene.siteNow()).toMatchObject({
    counts: { visitors: 1, donating_now: 1, microtasks: counts.microtasks_accepted },
  });
  const heard = await page.evaluate(() => window.heard);
  expect(heard.find(({ name }) => name === "started")?.share, "the partner's limit holds").toBeLessThanOrEqual(0.25);

  expect(await frame.evaluate(() => crossOriginIsolated), "isolated without the page's help: threads").toBe(true);
  await frame.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
  await expect.poll(() => page.workers().length).toBe(0);
  const hosts = new Set(requests.map(({ host }) => host));
  expect([...hosts].sort(), "no other host is asked").toEqual(
    [scene.partner.origin, url].map((one) => new URL(one).host).sort(),
  );
});

test("a card finishes the microtask in hand, then stops", async ({ context }) => {
  const job = await scene.submitJob(200_000, { features: 256, hidden: 1_024, classes: 16 });
  const { page } = await open(context);
  const frame = await frameOf(page);
  await startAsVisitor(page);
  await frame.getByRole("button", { name: "Finish this one, then stop" }).click();
  await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
  await expect.poll(() => page.workers().length).toBe(0);
  const last = await page.evaluate(() => window.heard.at(-1));
  const { counts } = await scene.coordinator.client.cancelJob(job);
  expect(last, "what it finished was taken").toMatchObject({ name: "stopped", microtasks: counts.microtasks_accepted });
});

test("page and frame cannot reach into each other, and nobody's cookies travel", async ({ context }) => {
  await context.addCookies([{ name: "host", value: "secret", url: scene.coordinator.url, sameSite: "Strict" }]);
  const { page } = await open(context);
  const frame = await frameOf(page);
  await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
  const fromFrame = await frame.evaluate(() => {
    const reach = (what: () => unknown): string => {
      try {
        return String(what());
      } catch (error) {
        return error instanceof Error ? error.name : "error";
      }
    };
    return {
      dom: reach(() => parent.document),
      storage: reach(() => parent.localStorage),
      cookies: document.cookie,
      top: reach(() => {
        top!.location.href = "about:blank";
        return "moved";
      }),
    };
  });
  expect(fromFrame).toEqual({ dom: "SecurityError", storage: "SecurityError", cookies: "", top: "SecurityError" });
  const fromPage = await page.evaluate(() => {
    const iframe = document.querySelector("iframe");
    return { dom: iframe?.contentDocument ?? null, cookies: document.cookie };
  });
  expect(fromPage).toEqual({ dom: null, cookies: "partner=secret" });
});

test("a page of another origin gets no frame", async ({ context }) => {
  const { page, requests } = await open(context, scene.stranger.origin);
  await expect.poll(() => page.frames().length).toBe(2);
  await expect.poll(async () => (await frameOf(page)).url()).toContain("chrome-error");
  await expect(page.frameLocator("iframe").getByRole("button", { name: "Start donating" })).toHaveCount(0);
  expect(computeFiles(requests)).toEqual([]);
  expect(await page.evaluate(() => window.heard)).toEqual([]);
});

test("a revoked key gets no frame, and ends what runs under it", async ({ context }) => {
  const { page } = await open(context);
  await startAsVisitor(page);
  await expect.poll(async () => (await scene.siteNow()).counts.donating_now, { timeout: 20_000 }).toBe(1);
  await scene.post(`/sites/${scene.site.id}/revoke`, {});
  await expect(status(page)).toContainText("not valid any more");
  await expect.poll(() => page.workers().length).toBe(0);
  await page.reload();
  await expect.poll(async () => (await frameOf(page)).url()).toContain("chrome-error");
});

const COVER = `<div style="position:fixed;inset:0;background:#fffffff0;pointer-events:none">Click the cat</div>`;
const attacks: { name: string; extra: string; told: string }[] = [
  { name: "covers the frame and lets clicks through", extra: COVER, told: "covers" },
  { name: "makes the frame transparent", extra: "<style>iframe { opacity: 0.02 }</style>", told: "covers" },
  { name: "shrinks the frame", extra: "<style>iframe { transform: scale(0.98) }</style>", told: "covers" },
  {
    name: "covers a part of the button",
    extra: `<div id="cover" style="position:fixed;width:40px;height:14px;background:red;pointer-events:none"></div>
      <script>setInterval(() => {
        const box = document.querySelector("iframe").getBoundingClientRect();
        Object.assign(document.getElementById("cover").style, { left: box.left + 30 + "px", top: box.top + 185 + "px", height: box.height + "px" });
      }, 50)</script>`,
    told: "covers",
  },
];
for (const { name, extra, told } of attacks) {
  test(`a page that ${name} starts nothing`, async ({ context }) => {
    scene.page = { extra };
    const { page, requests } = await open(context);
    await expect(page.frameLocator("iframe").getByRole("button", { name: "Start donating" })).toBeAttached();
    for (let press = 0; press < 3; press++) {
      await pressStart(page);
      await expect(status(page)).toContainText(told);
    }
    // Long enough in view that time is not the reason.
    const frame = await frameOf(page);
    await frame.waitForFunction(() => performance.now() > 2_500);
    await pressStart(page);
    await expect(status(page)).toContainText(told);
    expect(computeFiles(requests)).toEqual([]);
    expect(page.workers()).toHaveLength(0);
    // The same page without its trick.
    scene.page = {};
    await page.reload();
    await startAsVisitor(page);
  });
}

test("scripts start nothing: neither in the frame nor by messages from the page", async ({ context }) => {
  const { page, requests } = await open(context);
  const frame = await frameOf(page);
  const button = frame.getByRole("button", { name: "Start donating" });
  await frame.waitForFunction(() => performance.now() > 1_500);
  await button.evaluate((element) => (element as HTMLElement).click());
  await button.dispatchEvent("click");
  await expect(status(page)).toContainText("own click");
  await page.evaluate(() => {
    const target = document.querySelector("iframe")?.contentWindow;
    for (const kind of ["start", "consent", "resume"]) target?.postMessage({ flux: kind, kind, yes: true }, "*");
  });
  expect(computeFiles(requests)).toEqual([]);
  expect(page.workers()).toHaveLength(0);
  await startAsVisitor(page);
});

test("a frame that is moved under the pointer just before the click starts nothing", async ({ context }) => {
  scene.page = { extra: "<style>iframe { position: fixed; left: 500px; top: 300px }</style>" };
  const { page, requests } = await open(context);
  const frame = await frameOf(page);
  const button = await frame.getByRole("button", { name: "Start donating" }).boundingBox();
  await frame.waitForFunction(() => performance.now() > 2_000);
  const target = { x: 120, y: 120 };
  await page.mouse.move(target.x, target.y);
  await page.evaluate(
    ({ dx, dy }) => {
      const iframe = document.querySelector("iframe");
      if (iframe) iframe.style.cssText += `;left:${500 - dx}px;top:${300 - dy}px`;
    },
    { dx: button!.x + button!.width / 2 - target.x, dy: button!.y + button!.height / 2 - target.y },
  );
  await page.mouse.down();
  await page.mouse.up();
  // Chromium itself keeps the click from a frame that has just been moved; other pages learn it from the frame.
  await frame.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
  expect(computeFiles(requests)).toEqual([]);
  // The same frame, once it stands still.
  await startAsVisitor(page);
});

test("it pauses out of view and goes on when it is back", async ({ context }) => {
  scene.page = { extra: `<div style="height:300vh"></div>` };
  const { page } = await open(context);
  await startAsVisitor(page);
  await expect(status(page)).toContainText("Waiting", { timeout: 20_000 });
  await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
  await expect(status(page)).toContainText("not in view");
  await page.evaluate(() => window.scrollTo(0, 0));
  await expect(status(page)).toContainText("Waiting");
});

for (const widget of ["badge", "card", "bar"]) {
  for (const theme of ["light", "dark"]) {
    test(`${widget}, ${theme}: no accessibility violations, works by keyboard`, async ({ context }) => {
      scene.page = { tag: { "data-widget": widget, "data-theme": theme } };
      const { page } = await open(context);
      const frame = await frameOf(page);
      await expect(frame.getByRole("button", { name: "Start donating" })).toBeVisible();
      expect((await new AxeBuilder({ page }).include("iframe").analyze()).violations).toEqual([]);
      await frame.waitForFunction(() => performance.now() > 1_500);
      await frame.getByRole("button", { name: "Start donating" }).focus();
      await page.keyboard.press("Enter");
      await expect(started(page)).toBeVisible();
      expect((await new AxeBuilder({ page }).include("iframe").analyze()).violations).toEqual([]);
    });
  }
}

for (const { lang, start } of [
  { lang: "de", start: "Rechenzeit spenden" },
  { lang: "fr", start: "Donner du calcul" },
  { lang: "es", start: "Donar cómputo" },
  { lang: "zh", start: "开始捐献算力" },
]) {
  test(`speaks ${lang}`, async ({ context }) => {
    scene.page = { tag: { "data-lang": lang } };
    const { page } = await open(context);
    await expect(page.frameLocator("iframe").getByRole("button", { name: start, exact: true })).toBeVisible();
  });
}
