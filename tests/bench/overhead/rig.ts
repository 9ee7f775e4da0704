/** A coordinator, a plain browser with one donor, and both ways to run a model there: as a public job, and bare. */
import { z } from "zod";
import type { FluxClient } from "#lib/client/flux-client.ts";
import type { DatasetId, ModelId } from "#lib/protocol/ids.ts";
import { OnnxStageSpec } from "#lib/protocol/stage.ts";
import type { BareLoopRequest } from "./bare-loop.ts";
import { type CpuByThread, cpuByThread, spentBetween, totalMs } from "./cpu-time.ts";
import type { PlainBrowser } from "./plain-browser.ts";

export interface Rate {
  recordsPerSecond: number;
  cpuMicrosecondsPerRecord: number;
  /** CPU microseconds a record by thread of the browser, the largest first. */
  threads: [name: string, microseconds: number][];
}

export interface Rig {
  readonly url: string;
  readonly client: FluxClient;
  readonly browser: PlainBrowser;
}

export async function startDonating({ browser }: Rig): Promise<void> {
  await browser.evaluate(`new Promise((resolve) => {
    const look = () => {
      const button = [...document.querySelectorAll("button")].find((one) => one.textContent === "Start donating");
      if (button && !button.disabled) resolve(button.click());
      else setTimeout(look, 50);
    };
    look();
  })`);
}

/** From when a tenth is done to when nine tenths are: without the start and without the tail. */
export async function measureJob(rig: Rig, model: ModelId, dataset: DatasetId, records: number): Promise<Rate> {
  const before = await accepted(rig, 0);
  const job = await rig.client.createJob({ model, dataset, privacy: "public" });
  const start = await accepted(rig, before.records + 0.1 * records);
  const end = await accepted(rig, before.records + 0.9 * records);
  const done = await rig.client.waitForJob(job.id);
  if (done.status !== "completed") throw new Error(`The job ended ${done.status}: ${done.error?.detail ?? ""}`);
  return rate(end.records - start.records, end.atMs - start.atMs, start.cpu, end.cpu);
}

/** The same batch size, in a worker of the same page that is kept from round to round. */
export async function measureBare({ browser, url }: Rig, stage: OnnxStageSpec, seconds: number): Promise<Rate> {
  const input = stage.inputs[0];
  if (!input) throw new Error("The model has no input");
  const { digest } = stage.model;
  const request: BareLoopRequest = {
    modelUrl: `${url}/artefacts/${digest}`,
    input: input.name,
    shape: input.model.shape,
    batchRecords: stage.batchRecords,
    seconds,
  };
  await browser.evaluate(`new Promise((warm) => {
    if (window.bareModel !== "${digest}") {
      window.bareWorker?.terminate();
      window.bareWorker = new Worker("/worker/bench-bare.js", { type: "module" });
      window.bareModel = "${digest}";
    }
    window.bareDone = new Promise((done) => {
      bareWorker.onmessage = ({ data }) => (data.kind === "warm" ? warm() : done([data.records, data.ms]));
    });
    bareWorker.postMessage(${JSON.stringify(request)});
  })`);
  const before = cpuByThread(browser.pid);
  const [count, ms] = z.tuple([z.number(), z.number()]).parse(await browser.evaluate("window.bareDone"));
  return rate(count, ms, before, cpuByThread(browser.pid));
}

/** The spec of the job's stage as the donor keeps it: there is one for each model that it computed. */
export async function keptSpec({ browser }: Rig, seen: ReadonlySet<string>): Promise<OnnxStageSpec> {
  const texts = await browser.evaluate(`caches.open("flux-artefacts-1").then(async (cache) => {
    const texts = [];
    for (const request of await cache.keys()) {
      const text = await (await cache.match(request)).text();
      if (text.startsWith("{")) texts.push(text);
    }
    return texts;
  })`);
  for (const text of z.array(z.string()).parse(texts)) {
    const parsed = OnnxStageSpec.safeParse(JSON.parse(text));
    if (parsed.success && !seen.has(parsed.data.model.digest)) return parsed.data;
  }
  throw new Error("The donor keeps no spec of an onnx stage that is new");
}

/** Waits in the page until so many records of this donor were accepted. */
async function accepted({ browser }: Rig, target: number) {
  const count = await browser.evaluate(`new Promise((resolve) => {
    const look = () => {
      const element = document.querySelector("[data-units-accepted]");
      const count = Number(element.getAttribute("data-units-accepted"));
      if (count < ${target}) return false;
      resolve(count);
      return true;
    };
    if (look()) return;
    const observer = new MutationObserver(() => look() && observer.disconnect());
    observer.observe(document.body, { subtree: true, attributeFilter: ["data-units-accepted"] });
  })`);
  return { records: z.number().parse(count), atMs: performance.now(), cpu: cpuByThread(browser.pid) };
}

function rate(count: number, ms: number, before: CpuByThread, after: CpuByThread): Rate {
  return {
    recordsPerSecond: (count * 1_000) / ms,
    cpuMicrosecondsPerRecord: (1_000 * (totalMs(after) - totalMs(before))) / count,
    threads: spentBetween(before, after).map(([name, spentMs]) => [name, (1_000 * spentMs) / count]),
  };
}
