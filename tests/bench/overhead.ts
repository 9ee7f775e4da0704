/**
 * `npm run bench:overhead [-- model.onnx]`: what donating costs on top of the runtime. One donor tab and its browser on one core, the
 * coordinator on another; records a second of a public job against a bare onnxruntime-web loop in a worker of the same
 * page with the same batch size, in turns. Needs `npm run build`.
 *
 * Two ratios: of wall-clock rates, and of CPU time per record (all processes of the browser). On a machine that does
 * nothing else they agree; where others use the core, the second is the one that says something.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";
import { CHROMIUM_FLAGS, findChromium } from "#lib/client/chromium.ts";
import { FluxClient } from "#lib/client/flux-client.ts";
import { OnnxStageSpec } from "#lib/protocol/stage.ts";
import { byteRecords, denseModel } from "../support/dense-model.ts";
import { startServerProcess } from "../support/server-process.ts";
import type { BareLoopRequest } from "./overhead/bare-loop.ts";

const ROUNDS = 3;
const BARE_SECONDS = 4;
const FEATURES = 784;
const root = resolve(import.meta.dirname, "../..");
const shared = resolve(root, "../shared/data/mnist");

interface Rate {
  recordsPerSecond: number;
  cpuMsPerRecord: number;
}

const given = process.argv[2];
const model = given ? readFileSync(given) : denseModel({ features: FEATURES, hidden: 512, classes: 10 });
const records = Number(process.env.RECORDS ?? 200_000);
const bareScript = await bundleBareLoop();
pin(0);
const server = await startServerProcess();
pin(1);
const client = new FluxClient({ url: server.url, apiKey: server.apiKey });
const browser = await chromium.launch({
  executablePath: findChromium() ?? "chromium",
  args: [...CHROMIUM_FLAGS, "--disable-gpu"],
});
const browserPid = process.pid;
const page = await browser.newPage();
const spec = watchForSpec(page);
await page.goto(`${server.url}/donate`);
await page.getByRole("button", { name: "Start donating" }).click();

const modelFile = await client.uploadFile(new Blob([model]), "model.onnx", "model");
const dataFile = await client.uploadFile(new Blob([await dataset()]), "records.npy", "dataset");
const modelId = (await client.createModel({ file_id: modelFile.id })).id;
const datasetId = (await client.createDataset({ file_id: dataFile.id })).id;

console.log("round   job rec/s   bare rec/s   wall ratio   job CPU µs/rec   bare CPU µs/rec   CPU ratio");
const rounds: { job: Rate; bare: Rate; wallRatio: number; cpuRatio: number }[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const job = await measureJob();
  const bare = await measureBare(await spec);
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
const { batchRecords } = await spec;
const summary = {
  model: given ? basename(given) : "dense 784-512-10",
  batchRecords,
  records,
  wallRatio: median(rounds.map((round) => round.wallRatio)),
  cpuRatio: median(rounds.map((round) => round.cpuRatio)),
  rounds,
};
console.log(
  `\n${summary.model}, batches of ${batchRecords}: median ratio ${summary.wallRatio.toFixed(3)} by wall clock,`,
);
console.log(`${summary.cpuRatio.toFixed(3)} by CPU time a record (wanted: at least 0.90)`);
mkdirSync(join(root, "bench-results"), { recursive: true });
writeFileSync(join(root, "bench-results", "overhead.json"), JSON.stringify(summary, null, 2));
await browser.close();
await server.close();
rmSync(bareScript);

/** From when a tenth is done to when nine tenths are: without the start and without the tail. */
async function measureJob(): Promise<Rate> {
  const before = await accepted(page);
  const job = await client.createJob({ model: modelId, dataset: datasetId, privacy: "public" });
  const start = await reached(before + 0.1 * records);
  const end = await reached(before + 0.9 * records);
  await client.waitForJob(job.id);
  return rate(end.records - start.records, end.atMs - start.atMs, end.cpuMs - start.cpuMs);
}

async function reached(target: number) {
  await page.waitForFunction(
    (wanted) => {
      const text = document.querySelector("[data-units-accepted]")?.getAttribute("data-units-accepted");
      return Number(text) >= wanted;
    },
    target,
    { polling: 20, timeout: 300_000 },
  );
  return { records: await accepted(page), atMs: performance.now(), cpuMs: cpuMs(browserPid) };
}

async function accepted(on: Page): Promise<number> {
  return Number(await on.locator("[data-units-accepted]").getAttribute("data-units-accepted"));
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
  await page.evaluate((wanted) => {
    const worker = new Worker("/worker/bench-bare.js", { type: "module" });
    const state: { warm: Promise<void>; done: Promise<{ records: number; ms: number }> } = Object.assign(window, {
      warm: new Promise<void>((resolve) =>
        worker.addEventListener("message", ({ data }) => data.kind === "warm" && resolve()),
      ),
      done: new Promise<{ records: number; ms: number }>((resolve) =>
        worker.addEventListener("message", ({ data }) => {
          if (data.kind !== "done") return;
          worker.terminate();
          resolve({ records: data.records, ms: data.ms });
        }),
      ),
    });
    worker.postMessage(wanted);
    return state.warm;
  }, request);
  const before = cpuMs(browserPid);
  const done = await page.evaluate(
    () => (window as unknown as { done: Promise<{ records: number; ms: number }> }).done,
  );
  return rate(done.records, done.ms, cpuMs(browserPid) - before);
}

function rate(count: number, ms: number, cpu: number): Rate {
  return { recordsPerSecond: (count * 1_000) / ms, cpuMsPerRecord: cpu / count };
}

/** CPU milliseconds of all descendants of a process, in which the browser's processes are all there is. */
function cpuMs(ancestor: number): number {
  const stats = new Map<number, { parent: number; ticks: number }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      stats.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It ended meanwhile.
    }
  }
  const serverPid = server.pid;
  const isOurs = (pid: number): boolean => {
    if (pid === serverPid) return false;
    const parent = stats.get(pid)?.parent;
    return parent !== undefined && (parent === ancestor || isOurs(parent));
  };
  let ticks = 0;
  for (const [pid, stat] of stats) if (isOurs(pid)) ticks += stat.ticks;
  return ticks * 10;
}

function watchForSpec(on: Page): Promise<OnnxStageSpec> {
  return new Promise((resolve) =>
    on.context().on("response", async (response) => {
      if (!response.url().includes("/artefacts/")) return;
      const text = await response.text().catch(() => "");
      if (!text.startsWith("{")) return;
      const parsed = OnnxStageSpec.safeParse(JSON.parse(text));
      if (parsed.success) resolve(parsed.data);
    }),
  );
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

/** The test's own images where they are present, repeated; else made-up ones. */
async function dataset(): Promise<Uint8Array<ArrayBuffer>> {
  const file = byteRecords(records, FEATURES);
  if (!given) return file;
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${records}, 28, 28), }`;
  file.set(new TextEncoder().encode(`${literal.padEnd(128 - 10 - 1)}\n`), 10);
  try {
    const images = readFileSync(join(shared, "images.npy")).subarray(128);
    for (let at = 128; at < file.length; at += images.length) file.set(images.subarray(0, file.length - at), at);
  } catch {
    // Made-up images do as well for speed.
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
