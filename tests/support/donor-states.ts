/** The states that a visitor may meet on the donate page, and how each comes about. */
import type { Page } from "playwright-core";
import { FluxClient } from "#lib/client/flux-client.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { byteRecords, type DenseShape, denseModel } from "./dense-model.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

export interface DonateScene {
  readonly url: string;
  /** Work for about half a minute. */
  submitLongJob(): Promise<void>;
  /** A private group's join path. */
  joinPath(): Promise<string>;
  /** Cancels what was submitted. */
  clear(): Promise<void>;
  /** Ends the coordinator; may be called again. */
  close(): Promise<void>;
}

export interface DonorState {
  readonly name: string;
  readonly arrange: (page: Page, scene: DonateScene) => Promise<void>;
}

const LONG: DenseShape = { features: 64, hidden: 8_192, classes: 10 };
const LONG_RECORDS = 400_000;

export async function startDonateScene(): Promise<DonateScene> {
  const server: ServerProcess = await startServerProcess();
  const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
  const modelFile = await client.uploadFile(new Blob([denseModel(LONG)]), "dense.onnx", "model");
  const bytes = byteRecords(LONG_RECORDS, LONG.features);
  const dataFile = await client.uploadFile(new Blob([bytes]), "records.npy", "dataset");
  const { id: model } = await client.createModel({ file_id: modelFile.id });
  const { id: dataset } = await client.createDataset({ file_id: dataFile.id });
  const jobs: JobId[] = [];
  let closed: Promise<void> | undefined;
  return {
    url: server.url,
    async submitLongJob() {
      jobs.push((await client.createJob({ model, dataset, privacy: "public", name: "Garden birds" })).id);
    },
    async joinPath() {
      const response = await client.request("POST", "/groups", { json: { name: "Physics lab, room 12" } });
      const { join_path: path } = await response.json();
      return String(path);
    },
    async clear() {
      for (const job of jobs.splice(0)) await client.cancelJob(job).catch(() => undefined);
    },
    close: () => {
      closed ??= server.close();
      return closed;
    },
  };
}

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const says = (page: Page, text: string | RegExp) =>
  page.getByRole("status").first().filter({ hasText: text }).waitFor({ timeout: 30_000 });

async function open(page: Page, { url }: DonateScene, path = "/donate"): Promise<void> {
  await page.goto(url + path);
  await button(page, "Start donating").waitFor();
}

async function start(page: Page, scene: DonateScene): Promise<void> {
  await open(page, scene);
  await button(page, "Start donating").click();
}

async function compute(page: Page, scene: DonateScene): Promise<void> {
  await scene.submitLongJob();
  await start(page, scene);
  await says(page, "Garden birds");
  await button(page, "Share your count").waitFor({ timeout: 30_000 });
}

/** Before any script of the page. */
const before = (page: Page, script: string) => page.addInitScript(script);

export const DONOR_STATES: readonly DonorState[] = [
  { name: "before", arrange: open },
  {
    name: "starting",
    async arrange(page, scene) {
      // Held here: the page says what it waits for.
      await page.route("**/worker/compute.js", () => {});
      await start(page, scene);
      await button(page, "Stop now").waitFor();
    },
  },
  {
    name: "waiting",
    async arrange(page, scene) {
      await start(page, scene);
      await says(page, "Waiting");
    },
  },
  { name: "computing", arrange: compute },
  {
    name: "paused",
    async arrange(page, scene) {
      await compute(page, scene);
      await button(page, "Pause").click();
      await says(page, "You paused");
    },
  },
  {
    name: "on-battery",
    async arrange(page, scene) {
      await before(
        page,
        "navigator.getBattery = async () => Object.assign(new EventTarget(), { charging: false, level: 0.4 });",
      );
      await start(page, scene);
      await says(page, /battery/i);
    },
  },
  {
    name: "outside-hours",
    async arrange(page, scene) {
      await open(page, scene);
      const hour = await page.evaluate(() => new Date().getHours());
      await page.getByLabel("Only at certain hours").check();
      await page.getByLabel("From", { exact: true }).selectOption(String((hour + 3) % 24));
      await page.getByLabel("to", { exact: true }).selectOption(String((hour + 5) % 24));
      await button(page, "Start donating").click();
      await says(page, "outside the hours");
    },
  },
  {
    name: "finishing",
    async arrange(page, scene) {
      await compute(page, scene);
      // The microtask in hand takes for ever, so that the state lasts.
      const worker = page.workers().find((one) => one.url().endsWith("/worker/compute.js"));
      await worker?.evaluate("performance.now = () => { for (;;); }").catch(() => undefined);
      await button(page, "Finish this one, then stop").click();
      await says(page, /finish/i);
    },
  },
  {
    name: "stopped",
    async arrange(page, scene) {
      await compute(page, scene);
      await button(page, "Stop now").click();
      await button(page, "Start donating").waitFor();
    },
  },
  {
    name: "weak-device",
    async arrange(page, scene) {
      await before(
        page,
        `delete Navigator.prototype.gpu;
         Object.defineProperty(navigator, "deviceMemory", { value: 2 });
         Object.defineProperty(window, "indexedDB", { value: undefined });
         Object.defineProperty(window, "localStorage", { get() { throw new DOMException("denied", "SecurityError"); } });`,
      );
      await start(page, scene);
      await says(page, "Waiting");
    },
  },
  {
    name: "invited",
    arrange: async (page, scene) => open(page, scene, await scene.joinPath()),
  },
  {
    // The last: nothing answers after it.
    name: "no-connection",
    async arrange(page, scene) {
      await start(page, scene);
      await says(page, "Waiting");
      await scene.close();
      await says(page, /connect/i);
    },
  },
];
