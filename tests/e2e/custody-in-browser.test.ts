/**
 * The submitter's custody in a real page: its Web Worker plans, encrypts and decrypts, its IndexedDB keeps the keys; a reload in
 * the middle is taken up, and another browser gets the job with the key file. Needs `npm run build`.
 */
import { join, resolve } from "node:path";
import { type Browser, chromium, expect, type Page, test } from "@playwright/test";
import { build } from "esbuild";
import { z } from "zod";
import { evaluate } from "#lib/model/evaluate.ts";
import { CHROMIUM_FLAGS } from "../support/browser.ts";
import { findChromium } from "../support/chromium.ts";
import { type NodeDonor, startNodeDonor } from "../support/node-donor.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "../support/small-model.ts";
import type { PageFiles } from "./custody/custody.page.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const RECORDS = 5_000;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });

let server: ServerProcess;
let browser: Browser;
let script: string;
const donors: NodeDonor[] = [];
const records = smallRecords(RECORDS);
const files: PageFiles = {
  model: [...smallModel().bytes],
  dataset: [...npyFloat32(records, [RECORDS, FEATURES])],
};

test.beforeAll(async () => {
  server = await startServerProcess();
  browser = await chromium.launch({ executablePath: findChromium() ?? "chromium", args: [...CHROMIUM_FLAGS] });
  const bundle = await build({
    entryPoints: [join(ROOT, "tests/e2e/custody/custody.page.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  script = bundle.outputFiles[0]?.text ?? "";
});
test.afterAll(async () => {
  for (const donor of donors) await donor.stop();
  await browser?.close();
  await server?.close();
});

/** A page of the coordinator's own origin in a browser profile of its own. */
async function openPage(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.route("**/custody-page", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: '<!doctype html><title>custody</title><script type="module" src="/custody-page.js"></script>',
    }),
  );
  await page.route("**/custody-page.js", (route) => route.fulfill({ contentType: "text/javascript", body: script }));
  await load(page);
  return page;
}

async function load(page: Page): Promise<void> {
  await page.goto(`${server.url}/custody-page`);
  await page.waitForFunction(() => "custodyPage" in globalThis);
  await page.evaluate((apiKey) => custodyPage.open(apiKey), server.apiKey);
}

test("a page's worker runs a whole job; a reload is taken up; the key file brings it to another browser", async () => {
  test.setTimeout(240_000);
  const page = await openPage();
  const job = await page.evaluate((given) => custodyPage.submit(given), files);
  // No donor yet: batches are encrypted and uploaded, then the page is reloaded.
  const begun = page.evaluate((id) => custodyPage.run(id), job).catch(() => undefined);
  await expect
    .poll(async () => (await ask(`/jobs/${job}/batches`)).open.some(({ state }) => state === "computing"), {
      timeout: 120_000,
    })
    .toBe(true);
  await load(page);
  await begun;

  donors.push(await startNodeDonor({ url: server.url }), await startNodeDonor({ url: server.url }));
  await page.evaluate(([id, given]) => custodyPage.reopen(id, given), [job, files] as const);
  const done = await page.evaluate((id) => custodyPage.run(id), job);
  expect(done).toEqual({ status: "completed", seen: expect.arrayContaining(["encrypted", "uploaded", "computed"]) });
  const text = await page.evaluate((id) => custodyPage.results(id), job);
  expect(largestError(text)).toBeLessThan(0.02);

  const other = await openPage();
  expect(await other.evaluate((id) => custodyPage.failure(id), job)).toBe("key_lost");
  const keyFile = await page.evaluate((id) => custodyPage.exportKeys(id), job);
  expect(await other.evaluate((content) => custodyPage.importKeys(content), keyFile)).toBe(job);
  expect(await other.evaluate((id) => custodyPage.failure(id), job)).toBe("none");
});

const Progress = z.object({ open: z.array(z.object({ state: z.string() })) });

async function ask(path: string): Promise<z.infer<typeof Progress>> {
  const headers = { Authorization: `Bearer ${server.apiKey}` };
  return Progress.parse(await (await fetch(`${server.url}/api/v1${path}`, { headers })).json());
}

function largestError(jsonl: string): number {
  const rows = jsonl
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  const inputs = new Map([["x", Float64Array.from(records)]]);
  const expected = evaluate(smallModel().graph, { records: RECORDS, inputs }).get("logits")!.data;
  return rows
    .flatMap(({ outputs }) => outputs.logits)
    .reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}
