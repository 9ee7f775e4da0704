/** The same lanes inside Chromium, where donors are. */
import { chromium } from "@playwright/test";
import type { LaneRuntimeName } from "#lib/lanes/evaluator.ts";
import { CHROMIUM_FLAGS } from "#tests/support/browser.ts";
import { findChromium } from "#tests/support/chromium.ts";
import type { LanePage } from "#tests/support/lane-page.ts";
import { serveLanePage } from "#tests/support/serve-lane-page.ts";

declare const lanePage: LanePage;

/** Microseconds per lane, the least of some runs; undefined where there is no Chromium. */
export async function measureInChromium(name: LaneRuntimeName): Promise<number | undefined> {
  const executablePath = findChromium();
  if (executablePath === null) return undefined;
  const server = await serveLanePage();
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction("globalThis.lanePage !== undefined");
    return await page.evaluate((runtime) => lanePage.microsecondsPerLane(runtime), name);
  } finally {
    await browser.close();
    await server.close();
  }
}
