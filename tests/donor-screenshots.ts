/**
 * `npm run screenshots:donors [name…]`: every state of the donate page and of the widgets on a partner's page, light and dark,
 * on a phone and on a desktop, into the ignored folder screenshots/donors/. Needs `npm run build`.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS } from "./support/browser.ts";
import { findChromium } from "./support/chromium.ts";
import { DONOR_STATES, type DonateScene, startDonateScene } from "./support/donor-states.ts";
import { type PartnerScene, startPartnerScene } from "./support/partner-scene.ts";
import { switchTheme } from "./support/switch-theme.ts";

const FOLDER = resolve(import.meta.dirname, "../screenshots/donors");
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1366, height: 860 } } as const;
const THEMES = ["light", "dark"] as const;
const WIDGETS = ["badge", "card", "bar"] as const;
/** The frame takes no press before it was in view for a moment. */
const FRAME_RIPE_MS = 1_500;
const wanted = process.argv.slice(2);
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);

await mkdir(FOLDER, { recursive: true });
const executablePath = findChromium();
const browser = await chromium.launch({
  ...(executablePath ? { executablePath } : {}),
  args: [...CHROMIUM_FLAGS, "--disable-gpu"],
});
try {
  const names = DONOR_STATES.map(({ name }) => name);
  if (names.some(isWanted)) await donatePage(await startDonateScene());
  if (WIDGETS.some(isWanted)) await partnerPage(await startPartnerScene());
} finally {
  await browser.close();
}

async function donatePage(scene: DonateScene): Promise<void> {
  for (const { name, arrange } of DONOR_STATES.filter((state) => isWanted(state.name))) {
    const context = await browser.newContext({ viewport: SCREENS.desktop, reducedMotion: "reduce" });
    const page = await context.newPage();
    await arrange(page, scene);
    for (const theme of THEMES) {
      await switchTheme(page, theme);
      for (const [screen, viewport] of Object.entries(SCREENS)) {
        await page.setViewportSize(viewport);
        await page.screenshot({ path: resolve(FOLDER, `${name}-${theme}-${screen}.png`), fullPage: true });
      }
    }
    await context.close();
    await scene.clear();
    console.log(name);
  }
  await scene.close();
}

async function partnerPage(scene: PartnerScene): Promise<void> {
  for (const widget of WIDGETS.filter(isWanted)) {
    for (const theme of THEMES) {
      for (const [screen, viewport] of Object.entries(SCREENS)) {
        scene.page = { tag: { "data-widget": widget, "data-theme": theme } };
        const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce" });
        const page = await context.newPage();
        const shoot = (state: string) =>
          page.screenshot({ path: resolve(FOLDER, `${widget}-${state}-${theme}-${screen}.png`) });
        await page.goto(scene.partner.origin);
        await press(page, "Start donating", () => shoot("before"));
        const job = await scene.submitJob(100_000, { features: 256, hidden: 1_024, classes: 16 });
        await says(page, "Computing");
        await shoot("running");
        await press(page, "Pause");
        await says(page, "Paused");
        await shoot("paused");
        await scene.coordinator.client.cancelJob(job);
        await context.close();
      }
    }
    console.log(widget);
  }
  await scene.close();
}

/** By keyboard, as a person without a pointer does. */
async function press(page: Page, name: string, before: () => Promise<unknown> = async () => {}): Promise<void> {
  const frame = page.frames().find((one) => one !== page.mainFrame());
  const button = page.frameLocator("iframe").getByRole("button", { name, exact: true });
  await button.waitFor();
  await before();
  await frame?.waitForFunction((ripeMs) => performance.now() > ripeMs, FRAME_RIPE_MS);
  await button.focus();
  await page.keyboard.press("Enter");
}

async function says(page: Page, text: string): Promise<void> {
  await page.frameLocator("iframe").getByRole("status").filter({ hasText: text }).waitFor();
}
