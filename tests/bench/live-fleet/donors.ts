/** Donors in Chromium browsers of their own, one of them as slow as it is told to be, one behind a slow line. */
import { type ChildProcess, spawn } from "node:child_process";
import { type Browser, chromium, type Page } from "playwright-core";
import { z } from "zod";
import { CHROMIUM_FLAGS, findChromium } from "#lib/client/chromium.ts";
import { type LinkSpeed, openSlowLink } from "./slow-link.ts";

export interface DonorKind {
  readonly name: string;
  /** How many times slower its processes are than the machine. */
  readonly slowdown: number;
  readonly link: LinkSpeed | null;
}

export interface BrowserDonor {
  readonly kind: DonorKind;
  readonly page: Page;
  /** Of a fixed loop in its compute worker, idle: how slow it really is. */
  readonly loopMs: number;
  readonly close: () => Promise<void>;
}

/** Loading 14 MB of runtime over a slow line, measuring, connecting. */
const READY_MS = 180_000;
const LOOP_ROUNDS = 5_000_000;

export async function startBrowserDonor(kind: DonorKind, port: number): Promise<BrowserDonor> {
  const link = kind.link && (await openSlowLink(port, kind.link));
  const executablePath = findChromium() ?? "chromium";
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, "--disable-gpu"] });
  let slowing: ChildProcess | null = null;
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => console.error(`${kind.name}: ${error.message}`));
  page.on("crash", () => console.error(`${kind.name}: the page crashed`));
  await page.goto(`http://localhost:${link?.port ?? port}/donate`);
  await page.getByRole("button", { name: "Start donating" }).waitFor();
  // From before its benchmark on: it is a slow device, not one that becomes slow.
  if (kind.slowdown > 1) slowing = slowDown(kind.slowdown, await rendererPids(browser));
  await page.getByRole("button", { name: "Start donating" }).click();
  await page
    .getByRole("status")
    .first()
    .getByText(/Waiting|Computing/)
    .waitFor({ timeout: READY_MS });
  const loopMs = await loopTime(page);
  return {
    kind,
    page,
    loopMs,
    close: async () => {
      slowing?.stdin?.end();
      if (slowing?.exitCode === null) await new Promise((resolve) => slowing?.once("exit", resolve));
      await browser.close();
      link?.close();
    },
  };
}

const ProcessInfo = z.object({ processInfo: z.array(z.object({ type: z.string(), id: z.number() })) });

async function rendererPids(browser: Browser): Promise<number[]> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = ProcessInfo.parse(await session.send("SystemInfo.getProcessInfo"));
  await session.detach();
  return processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
}

function slowDown(factor: number, pids: readonly number[]): ChildProcess {
  const script = new URL("./slow-processes.ts", import.meta.url).pathname;
  return spawn(process.execPath, [script, String(factor), ...pids.map(String)], {
    stdio: ["pipe", "inherit", "inherit"],
  });
}

/** The same integer loop in every donor's compute worker. */
async function loopTime(page: Page): Promise<number> {
  const worker = page.workers().find((one) => one.url().endsWith("/worker/compute.js"));
  if (!worker) throw new Error("the donor has no compute worker");
  return worker.evaluate((rounds) => {
    const startMs = performance.now();
    let x = 1;
    for (let i = 0; i < 10 * rounds; i++) x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
    return performance.now() - startMs + (x === 0 ? 1e-9 : 0);
  }, LOOP_ROUNDS);
}
