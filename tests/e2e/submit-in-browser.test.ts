/**
 * A person with a model and a table, the clock running: from the landing page to a submitted job in two minutes and twelve clicks,
 * encrypted under a key of this browser, and public; then results, a download, and the key. Needs `npm run build`.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Locator, type Page, test } from "@playwright/test";
import { evaluate } from "#lib/model/evaluate.ts";
import { type NodeDonor, startNodeDonor } from "../support/node-donor.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { CLASSES, FEATURES, smallModel, smallRecords } from "../support/small-model.ts";

const RECORDS = 600;
const CLICKS = 12;
const WITHIN_MS = 120_000;
const records = smallRecords(RECORDS);

let server: ServerProcess;
let donor: NodeDonor;
let folder: string;
let modelFile: string;
let dataFile: string;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flux-submit-"));
  modelFile = join(folder, "scores.onnx");
  dataFile = join(folder, "people.csv");
  await writeFile(modelFile, smallModel().bytes);
  await writeFile(dataFile, csv());
  server = await startServerProcess();
  donor = await startNodeDonor({ url: server.url });
});
test.afterAll(async () => {
  await donor?.stop();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Clicks, counted; choosing a file and choosing in a list are one each. */
class Visitor {
  readonly page: Page;
  clicks = 0;
  constructor(page: Page) {
    this.page = page;
  }
  async click(target: Locator): Promise<void> {
    this.clicks++;
    await target.click();
  }
  async choose(label: RegExp, file: string): Promise<void> {
    this.clicks++;
    await this.page.getByLabel(label).setInputFiles(file);
  }
}

/** As somebody who was never here: from the landing page over an account of their own to a dropped model and table. */
async function begin(page: Page, email: string): Promise<Visitor> {
  const visitor = new Visitor(page);
  await page.goto(server.url);
  await visitor.click(page.getByRole("link", { name: "New job" }));
  await visitor.click(page.getByRole("link", { name: "Sign up" }));
  for (const [label, text] of [
    ["Your name", "Ada Example"],
    ["E-mail address", email],
    ["Password", "nine purple otters"],
  ] as const) {
    await visitor.click(page.getByLabel(label));
    await page.keyboard.type(text);
  }
  await visitor.click(page.getByRole("button", { name: "Sign up", exact: true }));
  await visitor.click(page.getByRole("link", { name: "New job" }).first());
  await visitor.choose(/Drop a model here/, modelFile);
  await expect(page.getByText("Its operators can run on encrypted data")).toBeVisible();
  await visitor.choose(/Drop a dataset here/, dataFile);
  return visitor;
}

test("encrypted under a key that stays in the browser", async ({ page }) => {
  test.setTimeout(300_000);
  const uploads: string[] = [];
  page.on("request", (request) => {
    const body = request.postData() ?? "";
    if (body.includes("people.csv") || body.includes("feature0")) uploads.push(request.url());
  });
  const startedAt = performance.now();
  const visitor = await begin(page, "ada@example.org");
  await expect(page.getByRole("radio", { name: /the key stays here/ })).toBeChecked();
  await expect(page.getByText("600 records")).toBeVisible();
  await visitor.click(page.getByRole("button", { name: "Submit job" }));
  await page.waitForURL(/\/dashboard\/jobs\/job_/, { timeout: WITHIN_MS });
  const tookMs = performance.now() - startedAt;
  console.log(
    `encrypted, own key: ${(tookMs / 1000).toFixed(1)} s and ${visitor.clicks} clicks from / to a submitted job`,
  );
  expect(tookMs).toBeLessThan(WITHIN_MS);
  expect(visitor.clicks).toBeLessThanOrEqual(CLICKS);
  expect(uploads, "the records never leave the browser").toEqual([]);

  await expect(page.getByText("Completed", { exact: true })).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText("Every answer was decrypted in this browser")).toBeVisible();
  const answers = parse(await saved(page, page.getByRole("button", { name: "CSV" })));
  expect(largestError(answers)).toBeLessThan(0.02);
  const key = await saved(page, page.getByRole("button", { name: "Save the key" }));
  expect(key, "the key file names its job").toContain(new URL(page.url()).pathname.split("/").at(-1));
});

test("public, downloaded as a file, and put right by clicking", async ({ page }) => {
  test.setTimeout(300_000);
  const startedAt = performance.now();
  const visitor = await begin(page, "grace@example.org");
  await visitor.click(page.getByRole("radio", { name: /^Public/ }));
  await visitor.click(page.getByRole("button", { name: "Submit job" }));
  await page.waitForURL(/\/dashboard\/jobs\/job_/, { timeout: WITHIN_MS });
  const tookMs = performance.now() - startedAt;
  console.log(`public: ${(tookMs / 1000).toFixed(1)} s and ${visitor.clicks} clicks from / to a submitted job`);
  expect(tookMs).toBeLessThan(WITHIN_MS);
  expect(visitor.clicks).toBeLessThanOrEqual(CLICKS);

  await expect(page.getByText("Completed", { exact: true })).toBeVisible({ timeout: 60_000 });
  const answers = parse(await saved(page, page.getByRole("link", { name: "CSV" })));
  expect(largestError(answers)).toBeLessThan(1e-4);

  await page.getByLabel("Right answer of record 0", { exact: true }).selectOption("3");
  await page.getByLabel("Right answer of record 1", { exact: true }).selectOption("1");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByText(/2 labels kept/)).toBeVisible();
});

async function saved(page: Page, by: Locator): Promise<string> {
  const coming = page.waitForEvent("download");
  await by.click();
  return readFile(await (await coming).path(), "utf8");
}

/** A table with named columns, and the right answers in the last one, which the page has to find out. */
function csv(): string {
  const header = [...Array.from({ length: FEATURES }, (_, i) => `feature${i}`), "label"].join(",");
  const rows = Array.from({ length: RECORDS }, (_, r) =>
    [...records.subarray(r * FEATURES, (r + 1) * FEATURES), r % CLASSES].join(","),
  );
  return `${header}\n${rows.join("\n")}\n`;
}

/** The outputs of a results table: every column but the record's. */
function parse(text: string): number[][] {
  return text
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").slice(1).map(Number));
}

function largestError(answers: readonly number[][]): number {
  expect(answers).toHaveLength(RECORDS);
  const inputs = new Map([["x", Float64Array.from(records)]]);
  const expected = evaluate(smallModel().graph, { records: RECORDS, inputs }).get("logits")?.data;
  if (!expected) throw new Error("the model has logits");
  return answers.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}
