/**
 * `npm run bench:overhead [-- model.onnx …]`: what donating costs on top of the runtime. One donor tab and its browser on
 * one core, the coordinator on another; records a second of a public job against a bare onnxruntime-web loop in a worker of
 * the same page with the same batch size, in turns, for models from very small to small. Needs `npm run build`.
 *
 * The bare loop runs the same made-up batch again and again: it neither reads nor decodes records. Two ratios: of wall-clock
 * rates, and of CPU time per record (all processes of the browser). On a machine that does nothing else they agree; where
 * others use the cores, or the coordinator cannot feed the donor, only the second says what donating costs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import { FluxClient } from "#lib/client/flux-client.ts";
import { convModel } from "../support/conv-model.ts";
import { byteRecords, denseModel } from "../support/dense-model.ts";
import { startServerProcess } from "../support/server-process.ts";
import { openPlainBrowser } from "./overhead/plain-browser.ts";
import { keptSpec, measureBare, measureJob, type Rate, type Rig, startDonating } from "./overhead/rig.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const WANTED = 0.9;
const BARE_SECONDS = 3;
/** A job computes about so long; as much memory as a dataset may take here bounds it. */
const JOB_SECONDS = 5;
const MAX_RECORDS = 300_000;
const FIRST_RECORDS = 5_000;
const root = resolve(import.meta.dirname, "../..");
const shared = resolve(root, "../shared/data/mnist");

interface Subject {
  readonly name: string;
  readonly model: Uint8Array<ArrayBuffer>;
  /** Of a record: bytes of a grey image, or columns. */
  readonly shape: number[];
}

interface Measured {
  readonly name: string;
  readonly batchRecords: number;
  readonly rounds: readonly { job: Rate; bare: Rate }[];
}

const bareScript = await bundleBareLoop();
pin(0);
const server = await startServerProcess();
pin(1);
const browser = await openPlainBrowser(`${server.url}/donate`);
const rig: Rig = { url: server.url, client: new FluxClient({ url: server.url, apiKey: server.apiKey }), browser };
await startDonating(rig);
const seen = new Set<string>();
const results: Measured[] = [];
for (const subject of subjects()) {
  const measured = await measure(subject);
  results.push(measured);
  printThreads(measured);
}
printTable(results);
mkdirSync(join(root, "bench-results"), { recursive: true });
writeFileSync(join(root, "bench-results", "overhead.json"), JSON.stringify(results, null, 2));
await browser.close();
await server.close();
rmSync(bareScript);

/** Files that were named; else made networks, and the shared real ones where they are. */
function subjects(): Subject[] {
  const given = process.argv.slice(2);
  const files = given.length > 0 ? given : ["mnist-relu-mlp.onnx", "mnist-cntk-relu-maxpool.onnx"].map(inShared);
  const read = files
    .filter((file) => given.length > 0 || existsSync(file))
    .map((file) => ({ name: basename(file), model: Uint8Array.from(readFileSync(file)), shape: [28, 28] }));
  if (given.length > 0) return read;
  return [
    { name: "dense 784-512-10", model: denseModel({ features: 784, hidden: 512, classes: 10 }), shape: [784] },
    { name: "two convolutions, 8 channels, 28×28", model: convModel({ side: 28, channels: 8 }), shape: [1, 28, 28] },
    ...read,
  ];
}

function inShared(file: string): string {
  return join(shared, file);
}

async function measure({ name, model, shape }: Subject): Promise<Measured> {
  const { client } = rig;
  const modelFile = await client.uploadFile(new Blob([model]), "model.onnx", "model");
  const { id: modelId } = await client.createModel({ file_id: modelFile.id });
  const datasetOf = async (records: number) => {
    const file = await client.uploadFile(new Blob([byteRecords(records, ...shape)]), "records.npy", "dataset");
    return (await client.createDataset({ file_id: file.id })).id;
  };
  // The first job compiles, caches, and tells how many records fill the time; the next lets the coordinator learn.
  await measureJob(rig, modelId, await datasetOf(FIRST_RECORDS), FIRST_RECORDS);
  const spec = await keptSpec(rig, seen);
  seen.add(spec.model.digest);
  const bareWarm = await measureBare(rig, spec, 1);
  const records = Math.round(Math.min(MAX_RECORDS, JOB_SECONDS * bareWarm.recordsPerSecond));
  const dataset = await datasetOf(records);
  await measureJob(rig, modelId, dataset, records);
  const rounds: { job: Rate; bare: Rate }[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const job = await measureJob(rig, modelId, dataset, records);
    const bare = await measureBare(rig, spec, BARE_SECONDS);
    rounds.push({ job, bare });
    console.log(
      `${name}, round ${round}: job ${job.recordsPerSecond.toFixed(0)} records/s, bare ${bare.recordsPerSecond.toFixed(0)}; ` +
        `CPU µs a record ${job.cpuMicrosecondsPerRecord.toFixed(1)} and ${bare.cpuMicrosecondsPerRecord.toFixed(1)}`,
    );
  }
  return { name, batchRecords: spec.batchRecords, rounds };
}

function printTable(measured: readonly Measured[]): void {
  console.log(`\nMedians of ${ROUNDS} rounds; wanted: a ratio of at least ${WANTED}`);
  console.log(`${"model".padEnd(38)} batch   bare µs    job µs   overhead µs   CPU ratio   wall ratio`);
  for (const { name, batchRecords, rounds } of measured) {
    const bareUs = median(rounds.map(({ bare }) => bare.cpuMicrosecondsPerRecord));
    const jobUs = median(rounds.map(({ job }) => job.cpuMicrosecondsPerRecord));
    console.log(
      [
        name.padEnd(38),
        String(batchRecords).padStart(5),
        bareUs.toFixed(1).padStart(9),
        jobUs.toFixed(1).padStart(9),
        (jobUs - bareUs).toFixed(1).padStart(13),
        median(rounds.map(cpuRatio)).toFixed(3).padStart(11),
        median(rounds.map(({ job, bare }) => job.recordsPerSecond / bare.recordsPerSecond))
          .toFixed(3)
          .padStart(12),
      ].join(" "),
    );
  }
}

function cpuRatio({ job, bare }: { job: Rate; bare: Rate }): number {
  return bare.cpuMicrosecondsPerRecord / job.cpuMicrosecondsPerRecord;
}

/** Where the CPU time of both went, for whoever wants to lower it. */
function printThreads({ name, rounds }: Measured): void {
  const middle = rounds.toSorted((a, b) => cpuRatio(a) - cpuRatio(b))[rounds.length >> 1];
  if (!middle) return;
  console.log(`\n${`${name}: CPU µs a record by thread`.padEnd(60)}    job     bare`);
  const bareBy = new Map(middle.bare.threads);
  for (const [thread, microseconds] of middle.job.threads) {
    if (microseconds < 0.1) break;
    console.log(
      `${thread.padEnd(60)} ${microseconds.toFixed(2).padStart(6)} ${(bareBy.get(thread) ?? 0).toFixed(2).padStart(8)}`,
    );
  }
  console.log("");
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

/** Later children of this process run on one core; a machine without taskset runs them anywhere. */
function pin(core: number): void {
  const { status } = spawnSync("taskset", ["-cp", String(core), String(process.pid)], { stdio: "ignore" });
  if (status !== 0) console.log(`taskset is not here: nothing is pinned to core ${core}`);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
