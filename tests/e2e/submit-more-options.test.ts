/** What most jobs do without, on the new-job page: an ensemble, windows, a name, a group; and what is said where it cannot be. */
import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "@playwright/test";
import { evaluate } from "#lib/model/evaluate.ts";
import { denseModel } from "../support/dense-model.ts";
import { type NodeDonor, startNodeDonor } from "../support/node-donor.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { signInWithKey } from "../support/sign-in.ts";
import { CLASSES, FEATURES, npyFloat32, smallModel, smallRecords } from "../support/small-model.ts";

const RECORDS = 60;

let server: ServerProcess;
let donor: NodeDonor;
test.beforeAll(async () => {
  server = await startServerProcess();
  donor = await startNodeDonor({ url: server.url });
});
test.afterAll(async () => {
  await donor?.stop();
  await server?.close();
});

/** The page with a model and data of rows that are `width` long, public, and the options open. */
async function begin(page: Page, width: number): Promise<void> {
  await signInWithKey(page.context(), server);
  await page.goto(`${server.url}/dashboard/new`);
  await page.getByLabel(/Drop a model here/).setInputFiles(file("scores.onnx", smallModel().bytes));
  await expect(page.getByText("Its operators can run on encrypted data")).toBeVisible();
  await page.getByText("More options").click();
  await page
    .getByLabel(/Drop a dataset here/)
    .setInputFiles(file("signals.npy", npyFloat32(smallRecords((RECORDS * width) / FEATURES), [RECORDS, width])));
}

test("an ensemble of two, named, comes back as one answer a record", async ({ page }) => {
  await begin(page, FEATURES);
  const other = denseModel({ features: FEATURES, hidden: 8, classes: CLASSES });
  await page.getByLabel(/Drop another model here/).setInputFiles(file("other.onnx", other));
  await expect(page.getByRole("button", { name: "Leave out other.onnx" })).toBeVisible();
  await page.getByRole("radio", { name: /^Public/ }).click();
  await choose(page, "Combined by", "Mean");
  await page.getByLabel("Job’s name").fill("Two opinions");
  await page.getByRole("button", { name: "Plan with these" }).click();
  await submit(page);
  await expect(page.getByRole("heading", { name: "Two opinions" })).toBeVisible();
  await expect(page.getByText("Completed", { exact: true })).toBeVisible({ timeout: 60_000 });
  expect(await answers(page)).toBe(RECORDS);
});

test("windows of a signal: wrong numbers are said at their field, right ones are planned", async ({ page }) => {
  await begin(page, 2 * FEATURES);
  await choose(page, "What a model reads", "Windows of a signal");
  await page.getByLabel("Window, steps").fill("many");
  await page.getByLabel("From one to the next, steps").fill("0");
  await expect(page.getByText("a whole number from 1 on is wanted here")).toHaveCount(2);
  await expect(page.getByRole("button", { name: "Plan with these" })).toBeDisabled();
  await page.getByLabel("Window, steps").fill(String(FEATURES));
  await page.getByLabel("From one to the next, steps").fill(String(FEATURES));
  await page.getByRole("button", { name: "Plan with these" }).click();
  await page.getByRole("radio", { name: /^Public/ }).click();
  await submit(page);
  await expect(page.getByText("Completed", { exact: true })).toBeVisible({ timeout: 60_000 });
  expect(await answers(page)).toBe(RECORDS);
});

test("windows are cut, encrypted and combined in the browser that holds the key", async ({ page }) => {
  test.setTimeout(180_000);
  await begin(page, 2 * FEATURES);
  await choose(page, "What a model reads", "Windows of a signal");
  await page.getByLabel("Window, steps").fill(String(FEATURES));
  await page.getByLabel("From one to the next, steps").fill(String(FEATURES));
  await choose(page, "Combined by", "Mean");
  await page.getByRole("button", { name: "Plan with these" }).click();
  await page.getByRole("radio", { name: /the key stays here/ }).click();
  await submit(page);
  await expect(page.getByText("Completed", { exact: true })).toBeVisible({ timeout: 120_000 });
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const rows = (await readFile(await (await coming).path(), "utf8")).trimEnd().split("\n").slice(1);
  expect(rows).toHaveLength(RECORDS);
  const halves = probabilities(smallRecords(2 * RECORDS));
  for (const [r, row] of rows.entries()) {
    const [, ...answer] = row.split(",").map(Number);
    expect(answer).toHaveLength(CLASSES);
    const expected = halves[2 * r]!.map((p, c) => (p + halves[2 * r + 1]![c]!) / 2);
    for (const [c, value] of answer.entries()) expect(Math.abs(value - expected[c]!)).toBeLessThan(0.05);
  }
});

test("a model that reads something else is refused with the reason, and can be left out again", async ({ page }) => {
  await begin(page, FEATURES);
  const wider = denseModel({ features: FEATURES + 1, hidden: 8, classes: CLASSES });
  await page.getByLabel(/Drop another model here/).setInputFiles(file("wider.onnx", wider));
  await page.getByRole("radio", { name: /^Public/ }).click();
  await expect(page.getByText("This cannot be computed as it is")).toBeVisible();
  await page.getByRole("button", { name: "Leave out wider.onnx" }).click();
  await expect(page.getByRole("button", { name: "Submit job" })).toBeEnabled();
});

function file(name: string, bytes: Uint8Array) {
  return { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) };
}

async function choose(page: Page, label: string, choice: string): Promise<void> {
  await page.getByLabel(label).click();
  await page.getByRole("option", { name: choice }).click();
}

async function submit(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Submit job" }).click({ timeout: 60_000 });
  await page.waitForURL(/\/dashboard\/jobs\/job_/, { timeout: 60_000 });
}

/** What the model says of every window, as probabilities. */
function probabilities(windows: Float32Array): number[][] {
  const { graph } = smallModel();
  const records = windows.length / FEATURES;
  const [logits] = evaluate(graph, { records, inputs: new Map([[graph.inputs[0]!.name, windows]]) }).values();
  return Array.from({ length: records }, (_, r) => {
    const row = Array.from(logits!.data.slice(r * CLASSES, (r + 1) * CLASSES), Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });
}

/** Rows of the table that the page gives. */
async function answers(page: Page): Promise<number> {
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "CSV" }).click();
  const table = await readFile(await (await coming).path(), "utf8");
  return table.trimEnd().split("\n").length - 1;
}
