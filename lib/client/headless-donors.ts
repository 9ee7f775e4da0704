/**
 * Donors without a window: opens `/donate` in pages of one headless Chromium and presses Start donating in each, as a
 * person would. For the demo, the tests, and `flux donate --headless N` on a machine of one's own.
 */
import type { Browser, Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "./chromium.ts";

export interface HeadlessDonorOptions {
  /** The coordinator, e.g. http://localhost:3000. */
  url: string;
  /** How many donors (pages). */
  count: number;
  /** Join token of a private group. */
  group?: string;
  onLog?: (line: string) => void;
  /** A Chromium-family browser; found on the PATH when left out. */
  chromiumPath?: string;
  /** More browser flags, e.g. for a software WebGPU adapter. The GPU is off unless they say otherwise. */
  flags?: readonly string[];
}

export interface HeadlessDonors {
  readonly count: number;
  /** What each page says of itself in its live region, in words. */
  status(): Promise<string[]>;
  /** Settles when the browser has ended, by `close` or by itself. */
  readonly closed: Promise<void>;
  /** Presses Stop everywhere, so that leases go back at once, and ends the browser. */
  close(): Promise<void>;
}

const STOP_MS = 2_000;

/** Throws an Error that names the fix when there is no browser or the page does not start. */
export async function launchHeadlessDonors(options: HeadlessDonorOptions): Promise<HeadlessDonors> {
  const { url, count, group, onLog = () => {}, flags = ["--disable-gpu"] } = options;
  const executablePath = options.chromiumPath ?? findChromium();
  if (!executablePath) {
    throw new Error(`No Chromium on this machine: install one, set CHROME to its path, or open ${url}/donate yourself`);
  }
  // Loaded here so that importing this module costs nothing where no browser is started.
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, ...flags] });
  const closed = new Promise<void>((resolve) => browser.on("disconnected", () => resolve()));
  try {
    const pages = await Promise.all(
      Array.from({ length: count }, (_, index) => openDonor(browser, pageOf(url, group), index, onLog)),
    );
    onLog(`${count} headless ${count === 1 ? "donor" : "donors"} started`);
    return {
      count,
      closed,
      status: () => Promise.all(pages.map(liveRegion)),
      async close() {
        await Promise.allSettled(pages.map(pressStop));
        await browser.close();
      },
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

function pageOf(url: string, group: string | undefined): string {
  const page = new URL("/donate", url);
  if (group !== undefined) page.searchParams.set("group", group);
  return page.href;
}

/** Each donor has a context of its own: its own storage, cache and renderer process, like another person's browser. */
async function openDonor(
  browser: Browser,
  address: string,
  index: number,
  onLog: (line: string) => void,
): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => onLog(`donor ${index + 1}: ${error.message}`));
  page.on("crash", () => onLog(`donor ${index + 1}: the page crashed`));
  await page.goto(address);
  await page.getByRole("button", { name: "Start donating" }).click();
  return page;
}

async function liveRegion(page: Page): Promise<string> {
  return (await page.getByRole("status").first().textContent()) ?? "";
}

async function pressStop(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Stop now" }).click({ timeout: STOP_MS });
  await page.getByRole("button", { name: "Start donating" }).waitFor({ timeout: STOP_MS });
}
