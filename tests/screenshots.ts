/**
 * `npm run screenshots [name…]`: every page of the table, light and dark, on a phone and on a desktop, into the ignored folder
 * screenshots/. Needs `npm run build`.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM_FLAGS } from "./support/browser.ts";
import { findChromium } from "./support/chromium.ts";
import { PAGES, pathOf } from "./support/page-table.ts";
import { startSeededSite } from "./support/seeded-site.ts";
import { signInWithKey } from "./support/sign-in.ts";

const FOLDER = resolve(import.meta.dirname, "../screenshots");
const SCREENS = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1366, height: 860 },
} as const;
const wanted = process.argv.slice(2);

await mkdir(FOLDER, { recursive: true });
const site = await startSeededSite();
const executablePath = findChromium();
const browser = await chromium.launch({
  ...(executablePath ? { executablePath } : {}),
  args: [...CHROMIUM_FLAGS, "--disable-gpu"],
});
try {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const entry of PAGES) {
        if (wanted.length > 0 && !wanted.includes(entry.name)) continue;
        const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
        if (entry.as === "submitter") await signInWithKey(context, site.server);
        const page = await context.newPage();
        await page.goto(`${site.server.url}${pathOf(entry, site.things)}`, { waitUntil: "load" });
        await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => undefined);
        await page.screenshot({ path: resolve(FOLDER, `${entry.name}-${colorScheme}-${screen}.png`), fullPage: true });
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  await site.close();
}
