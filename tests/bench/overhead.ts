/**
 * `npm run bench:overhead [-- model.onnx]`: what donating costs on top of the runtime. One donor tab and its browser on one
 * core, the coordinator on another; records a second of a public job against a bare onnxruntime-web loop in a worker of
 * the same page with the same batch size, in turns. Needs `npm run build`.
 *
 * Two ratios: of wall-clock rates, and of CPU time per record (all processes of the browser). On a machine that does
 * nothing else they agree; where others use the cores, or the coordinator cannot feed the donor, only the second says what
 * donating costs.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import { z } from "zod";
import { FluxClient } from "#lib/client/flux-client.ts";
import { OnnxStageSpec } from "#lib/protocol/stage.ts";
import { byteRecords, denseModel } from "../support/dense-model.ts";
import { startServerProcess } from "../support/server-process.ts";
import type { BareLoopRequest } from "./overhead/bare-loop.ts";
import { type CpuByThread, cpuByThread, spentBetween, totalMs } from "./overhead/cpu-time.ts";
import { openPlainBrowser } from "./overhead/plain-browser.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const BARE_SECONDS = 4;
const FEATURES = 784;
const root = resolve(import.meta.dirname, "../..");

interface Rate {
  recordsPerSecond: number;
  cpuMsPerRecord: number;
  /** CPU microseconds a record by thread of the browser, the largest first. */
  threads: [name: string, microseconds: number][];
}

const given = process.argv[2];
const model = given ? readFileSync(given) : denseModel({ features: FEATURES, hidden: 512, classes: 10 });
const records = Number(process.env.RECORDS ?? 200_000);
const bareScript = await bundleBareLoop();
pin(0);
const server = await startServerProcess();
pin(1);
const browser = await openPlainBrowser(`${server.url}/donate`);
const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
await browser.evaluate(`new Promise((resolve) => {
  const look = () => {
    const button = [...document.querySelectorAll("button")].find((one) => one.textContent === "Start donating");
    if (button && !button.disabled) resolve(button.click());
    else setTimeout(look, 50);
  };
  look();
})`);

const modelFile = await client.uploadFile(new Blob([model]), "model.onnx", "model");
const dataFile = await client.uploadFile(new Blob([dataset()]), "records.npy", "dataset");
const modelId = (await client.createModel({ file_id: modelFile.id })).id;
const datasetId = (await client.createDataset({ file_id: dataFile.id })).id;

console.log("round   job rec/s   bare rec/s   wall ratio   job CPU µs/rec   bare CPU µs/rec   CPU ratio");
const rounds: { job: Rate; bare: Rate; wallRatio: number; cpuRatio: number }[] = [];
let spec: OnnxStageSpec | null = null;
for (let round = 0; round <= ROUNDS; round++) {
  const job = await measureJob();
  spec ??= await keptSpec();
  const bare = await measureBare(spec);
  const wallRatio = job.recordsPerSecond / bare.recordsPerSecond;
  const cpuRatio = bare.cpuMsPerRecord / job.cpuMsPerRecord;
  // The first round compiles, caches and lets the coordinator learn this donor's speed.
  if (round > 0) rounds.push({ job, bare, wallRatio, cpuRatio });
  console.log(
    [
      (round === 0 ? "warm-up" : String(round)).padEnd(7),
      job.recordsPerSecond.toFixed(0).padStart(9),
      bare.recordsPerSecond.toFixed(0).padStart(12),
      wallRatio.toFixed(3).padStart(12),
      (job.cpuMsPerRecord * 1_000).toFixed(1).padStart(16),
      (bare.cpuMsPerRecord * 1_000).toFixed(1).padStart(17),
      cpuRatio.toFixed(3).padStart(11),
    ].join(" "),
  );
}
const middle = rounds.toSorted((a, b) => a.cpuRatio - b.cpuRatio)[rounds.length >> 1];
if (middle) printThreads(middle.job, middle.bare);
const summary = {
  model: given ? basename(given) : "dense 784-512-10",
  batchRecords: spec?.batchRecords,
  records,
  wallRatio: median(rounds.map((round) => round.wallRatio)),
  cpuRatio: median(rounds.map((round) => round.cpuRatio)),
  rounds,
};
console.log(
  `\n${summary.model}, batches of ${summary.batchRecords}: median ratio ${summary.wallRatio.toFixed(3)} by wall`,
);
console.log(`clock, ${summary.cpuRatio.toFixed(3)} by CPU time a record (wanted: at least 0.90)`);
mkdirSync(join(root, "bench-results"), { recursive: true });
writeFileSync(join(root, "bench-results", "overhead.json"), JSON.stringify(summary, null, 2));
await browser.close();
await server.close();
rmSync(bareScript);

/** From when a tenth is done to when nine tenths are: without the start and without the tail. */
async function measureJob(): Promise<Rate> {
  const before = await accepted(0);
  const job = await client.createJob({ model: modelId, dataset: datasetId, privacy: "public" });
  const start = await accepted(before.records + 0.1 * records);
  const end = await accepted(before.records + 0.9 * records);
  await client.waitForJob(job.id);
  return rate(end.records - start.records, end.atMs - start.atMs, start.cpu, end.cpu);
}

/** Waits in the page until so many records of this donor were accepted. */
async function accepted(target: number) {
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

async function measureBare(stage: OnnxStageSpec): Promise<Rate> {
  const input = stage.inputs[0]!;
  const request: BareLoopRequest = {
    modelUrl: `${server.url}/artefacts/${stage.model.digest}`,
    input: input.name,
    shape: input.model.shape,
    batchRecords: stage.batchRecords,
    seconds: BARE_SECONDS,
  };
  await browser.evaluate(`new Promise((warm) => {
    window.bareWorker ??= new Worker("/worker/bench-bare.js", { type: "module" });
    window.bareDone = new Promise((done) => {
      bareWorker.onmessage = ({ data }) => (data.kind === "warm" ? warm() : done([data.records, data.ms]));
    });
    bareWorker.postMessage(${JSON.stringify(request)});
  })`);
  const before = cpuByThread(browser.pid);
  const [count, ms] = z.tuple([z.number(), z.number()]).parse(await browser.evaluate("window.bareDone"));
  return rate(count, ms, before, cpuByThread(browser.pid));
}

/** The stage's spec as the donor keeps it. */
async function keptSpec(): Promise<OnnxStageSpec> {
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
    if (parsed.success) return parsed.data;
  }
  throw new Error("The donor keeps no spec of an onnx stage");
}

function rate(count: number, ms: number, before: CpuByThread, after: CpuByThread): Rate {
  return {
    recordsPerSecond: (count * 1_000) / ms,
    cpuMsPerRecord: (totalMs(after) - totalMs(before)) / count,
    threads: spentBetween(before, after).map(([name, spentMs]) => [name, (1_000 * spentMs) / count]),
  };
}

/** Where the CPU time of both went, for whoever wants to lower it. */
function printThreads(job: Rate, bare: Rate): void {
  console.log("\nCPU µs a record by thread, median round      job     bare");
  const bareBy = new Map(bare.threads);
  for (const [name, microseconds] of job.threads) {
    if (microseconds < 0.05) break;
    const other = bareBy.get(name) ?? 0;
    console.log(`${name.padEnd(40)} ${microseconds.toFixed(2).padStart(7)} ${other.toFixed(2).padStart(8)}`);
  }
}

async function bundleBareLoop(): Promise<string> {
  const outfile = join(root, "public/worker/bench-bare.js");
  await build({
    entryPoints: [join(import.meta.dirname, "overhead/bare-loop.ts")],
    outfile,
    bundle: true,
    format: "esm",
    conditions: ["onnxruntime-web-use-extern-wasm"],
    minify: true,
    external: ["node:*"],
    logLevel: "error",
  });
  return outfile;
}

/** Made-up images: one row a record, or 28×28 for a model that was given. */
function dataset(): Uint8Array<ArrayBuffer> {
  const file = byteRecords(records, FEATURES);
  if (given) {
    const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${records}, 28, 28), }`;
    file.set(new TextEncoder().encode(`${literal.padEnd(128 - 10 - 1)}\n`), 10);
  }
  return file;
}

/** Later children of this process run on one core; a machine without taskset runs them anywhere. */
function pin(core: number): void {
  const { status } = spawnSync("taskset", ["-cp", String(core), String(process.pid)], { stdio: "ignore" });
  if (status !== 0) console.log(`taskset is not here: nothing is pinned to core ${core}`);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
