/**
 * `npm run demo`: the whole way in one command. Builds what is not built, starts a coordinator on a fresh local data folder,
 * submits an encrypted job (synthetic handwritten digits, a network with square activations), lends it two headless browser
 * tabs, and compares what comes out with the plain model run here. With `-- --once` it ends; else it goes on serving.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { DIGIT_SIDE, syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import { evaluate } from "#lib/model/evaluate.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { findChromium } from "../chromium.ts";
import { FluxClient } from "../flux-client.ts";
import { launchHeadlessDonors } from "../headless-donors.ts";
import { startCoordinatorProcess } from "./coordinator-process.ts";

const RECORDS = 4096;
const SEED = 4_711;
const DONORS = 2;
const WANTED = 0.99;
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;
const CLASSES = 10;
const projectFolder = resolve(import.meta.dirname, "../../..");
const dataFolder = join(projectFolder, "data", "demo");
const once = process.argv.includes("--once");
const Row = z.object({ record: z.number(), outputs: z.record(z.string(), z.array(z.number())) });
/** The progress line that stands there now. */
let shown = "";

process.exitCode = (await runDemo()) ? 0 : 1;

async function runDemo(): Promise<boolean> {
  buildWhenNeeded();
  // Each demo is a first start: a fresh key, nothing left over.
  await rm(dataFolder, { recursive: true, force: true });
  const coordinator = await startCoordinatorProcess({
    script: ["lib/coordinator/main.ts"],
    projectFolder,
    dataFolder,
    onLog: (line) => console.log(`  │ ${line}`),
  });
  const { url, apiKey } = coordinator;
  let donors: Awaited<ReturnType<typeof launchHeadlessDonors>> | null = null;
  try {
    if (!apiKey) throw new Error("a fresh data folder must give a first key");
    donors = await lendDonors(url);
    const faithful = await encryptedDigits(new FluxClient({ url, apiKey }));
    console.log(`\nDonate at ${url}/donate · dashboard at ${url}/dashboard (sign in with the API key above)`);
    if (once) return faithful;
    console.log("Serving until you press Ctrl-C.");
    await new Promise<void>((ended) => {
      process.once("SIGINT", () => ended());
      process.once("SIGTERM", () => ended());
    });
    return faithful;
  } finally {
    await donors?.close();
    await coordinator.stop();
  }
}

function buildWhenNeeded(): void {
  if (existsSync(join(projectFolder, ".next", "BUILD_ID")) && existsSync(join(projectFolder, "public", "wasm"))) return;
  console.log("Building the pages (once) …");
  const { status } = spawnSync("npm", ["run", "--silent", "build"], { cwd: projectFolder, stdio: "inherit" });
  if (status !== 0) throw new Error("The build failed: see above.");
}

async function lendDonors(url: string) {
  if (findChromium() !== null) return launchHeadlessDonors({ url, count: DONORS, onLog: (line) => console.log(line) });
  console.log(
    `No Chromium on this machine. Open ${url}/donate in a browser and press "Start donating"; the job waits for you.`,
  );
  return null;
}

async function encryptedDigits(client: FluxClient): Promise<boolean> {
  const modelBytes = await readFile(join(projectFolder, "public", "demo", "digits-square.onnx"));
  const digits = syntheticDigits(RECORDS, SEED);
  const modelFile = await client.uploadFile(new Blob([modelBytes]), "digits-square.onnx", "model");
  const dataFile = await client.uploadFile(new Blob([npyOf(digits.images)]), "digits.npy", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id, scale: 1 / 255 });

  console.log(`\nPlanning an encrypted job: ${RECORDS} digits of ${PIXELS} values …`);
  const startedMs = performance.now();
  const job = await client.createJob({ model: model.id, dataset: dataset.id, name: "Encrypted digits" });
  const plannedMs = performance.now() - startedMs;
  showPlan(job);

  let computingMs = 0;
  const done = await client.waitForJob(job.id, {
    onProgress: (now) => {
      if (now.counts.units_accepted > 0 && computingMs === 0) computingMs = performance.now();
      showProgress(now);
    },
  });
  const totalMs = performance.now() - startedMs;
  process.stdout.write("\n");
  if (done.status !== "completed") {
    console.error(`The job ended as ${done.status}: ${done.error?.detail ?? done.why}`);
    return false;
  }

  const answers = await downloadAnswers(client, done);
  const expected = plainAnswers(modelBytes, digits.images);
  const same = answers.filter((answer, i) => answer === expected[i]).length / RECORDS;
  const right = answers.filter((answer, i) => answer === digits.labels[i]).length / RECORDS;
  const rightPlain = expected.filter((answer, i) => answer === digits.labels[i]).length / RECORDS;
  const plan = done.plan?.privacy === "encrypted" ? done.plan : null;
  const megabytes = (bytes: number | undefined) => (((bytes ?? 0) * RECORDS) / 1e6).toFixed(1);
  console.log(`\nSame answer as the plain model run here: ${percent(same)} of ${RECORDS} records`);
  console.log(`Accuracy: ${percent(right)} encrypted, ${percent(rightPlain)} plain`);
  console.log(
    `Time: ${seconds(totalMs)} in all, ${seconds(plannedMs)} of it planning; donors computed ` +
      `${(RECORDS / ((performance.now() - computingMs) / 1000)).toFixed(0)} records/s or more, encryption and decryption beside them`,
  );
  console.log(
    `Bytes: ${megabytes(plan?.bytes_per_record_down)} MB to donors, ${megabytes(plan?.bytes_per_record_up)} MB back`,
  );
  console.log(`Audits: ${done.counts.audits} lanes recomputed, ${done.counts.results_refused} results refused`);
  if (same < WANTED) console.error(`FAILED: fewer than ${percent(WANTED)} same answers`);
  return same >= WANTED;
}

function showPlan({ plan }: JobResource): void {
  if (plan?.privacy !== "encrypted") return;
  console.log(
    `Plan: ring degree ${plan.ring_degree}, ${plan.modulus_bits.toFixed(0)} modulus bits, ${plan.security_bits}-bit security, ` +
      `${plan.records_per_batch} records per batch, ${(plan.bytes_per_record_down / 1000).toFixed(1)} kB per record to donors; ` +
      `${percent(plan.fidelity.same_answer_rate)} same answers in rehearsal`,
  );
}

function showProgress({ status, counts, why }: JobResource): void {
  const share = counts.units === 0 ? 0 : counts.units_accepted / counts.units;
  const bar = "█".repeat(Math.round(share * 30)).padEnd(30, "░");
  const line = `${bar} ${(100 * share).toFixed(0).padStart(3)} %  ${status}: ${why}`;
  if (line === shown) return;
  shown = line;
  // A terminal gets one line that fills; a log gets a line for each change.
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line.slice(0, (process.stdout.columns ?? 100) - 1)}`);
  else console.log(line);
}

async function downloadAnswers(client: FluxClient, job: JobResource): Promise<number[]> {
  const text = await (await client.results(job.id, "jsonl")).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => Object.values(Row.parse(JSON.parse(line)).outputs)[0] ?? [])
    .map((scores) => scores.indexOf(Math.max(...scores)));
}

function plainAnswers(modelBytes: Uint8Array, images: Uint8Array): number[] {
  const graph = importOnnx(modelBytes);
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  if (!input || !output) throw new Error("the demo model has one input and one output");
  const inputs = new Map([[input.name, Float64Array.from(images, (pixel) => pixel / 255)]]);
  const scores = evaluate(graph, { records: RECORDS, inputs }).get(output.name)?.data ?? new Float64Array(0);
  return Array.from({ length: RECORDS }, (_, record) => {
    const row = scores.subarray(record * CLASSES, (record + 1) * CLASSES);
    return row.indexOf(Math.max(...row));
  });
}

/** NPY 1.0 of uint8 `[records, 28, 28]`. */
function npyOf(images: Uint8Array): Uint8Array<ArrayBuffer> {
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${RECORDS}, ${DIGIT_SIDE}, ${DIGIT_SIDE}), }`;
  const header = `${literal.padEnd(128 - 10 - 1)}\n`;
  const bytes = new Uint8Array(128 + images.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(images, 128);
  return bytes;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
