/**
 * `npm run bench:live-fleet`: the scheduler on real donors. Four Chromium browsers on the donate page of a whole coordinator: one
 * as fast as the machine, one six and one twenty times slower, one behind a slow line. Prints for each how many bundles
 * kept three seconds and how many outcomes fell inside their 80 % interval once it had shown fifty. Needs `npm run build`.
 *
 * `-- --minutes 8` runs longer, `-- --encrypted` computes lanes of encrypted digits instead of a public network.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { FluxClient } from "#lib/client/flux-client.ts";
import { readConfig } from "#lib/coordinator/config.ts";
import type { DispatchEvents } from "#lib/coordinator/dispatch/events.ts";
import { preparePages } from "#lib/coordinator/http/pages.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { startCoordinator } from "#lib/coordinator/server.ts";
import { DIGIT_SIDE, syntheticDigits } from "#lib/dataset/synthetic/digits.ts";
import type { DonorId, JobId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import { convModel } from "../support/conv-model.ts";
import { byteRecords } from "../support/dense-model.ts";
import { type BrowserDonor, type DonorKind, startBrowserDonor } from "./live-fleet/donors.ts";

const KINDS: readonly DonorKind[] = [
  { name: "full speed", slowdown: 1, link: null },
  { name: "6 × slower", slowdown: 6, link: null },
  { name: "20 × slower", slowdown: 20, link: null },
  {
    name: "slow line",
    slowdown: 1,
    link: { downBytesPerSecond: 500_000, upBytesPerSecond: 125_000, delayMs: 30 },
  },
];
/** Observations of a donor before its intervals count. */
const SETTLING = 50;
const argument = process.argv.indexOf("--minutes");
const MINUTES = argument > 0 ? Number(process.argv[argument + 1]) : 5;
const ENCRYPTED = process.argv.includes("--encrypted");

type Accepted = DispatchEvents["result:accepted"] & { readonly atMs: number };
type Finished = DispatchEvents["bundle:finished"] & { readonly atMs: number };

const folder = mkdtempSync(join(tmpdir(), "flux-live-"));
const projectFolder = resolve(import.meta.dirname, "../..");
const server = await startCoordinator({
  config: readConfig({ FLUX_DATA: folder, FLUX_LOG_LEVEL: "error", PORT: "0" }, []),
  log: createLog("error"),
  preparePages: (port) => preparePages(projectFolder, false, port),
});
const client = new FluxClient({ url: `http://localhost:${server.port}`, apiKey: server.firstKey ?? "" });
const results: Accepted[] = [];
const bundles: Finished[] = [];
let jobsCompleted = 0;

const donors: (BrowserDonor & { readonly id: DonorId })[] = [];
let startedMs = 0;
let untilMs = 0;

// Next's pages catch what nobody catches, and go on: a benchmark must not.
const failed = await run().then(
  () => false,
  (error: unknown) => {
    console.error(error);
    return true;
  },
);
for (const donor of donors) await donor.close();
await server.close();
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

async function run(): Promise<void> {
  for (const kind of KINDS) {
    const joined = server.events.once("donor:joined");
    const donor = await startBrowserDonor(kind, server.port);
    donors.push({ ...donor, id: (await joined).donorId });
    const slower = (donor.loopMs / (donors[0]?.loopMs ?? 1)).toFixed(1);
    console.log(
      `${kind.name.padEnd(12)} ready; a fixed loop in its compute worker takes ${slower} × the first one's time`,
    );
  }
  server.events.on("result:accepted", (event) => results.push({ ...event, atMs: performance.now() }));
  server.events.on("bundle:finished", (event) => bundles.push({ ...event, atMs: performance.now() }));
  server.events.on("result:refused", ({ detail }) => console.error(`refused: ${detail}`));
  const submit = ENCRYPTED ? await encryptedJobs() : await publicJobs();
  startedMs = performance.now();
  untilMs = startedMs + MINUTES * 60_000;
  while (performance.now() < untilMs) await settledOrLate(await submit());
  report((performance.now() - startedMs) / 1_000);
}

/** One job after the other keeps the board full; each is a stage of its own, which the model has to get to know. */
async function publicJobs(): Promise<() => Promise<JobId>> {
  const side = 16;
  const model = await client.uploadFile(new Blob([convModel({ side, channels: 32 })]), "conv.onnx", "model");
  const data = await client.uploadFile(new Blob([byteRecords(200_000, 1, side, side)]), "records.npy", "dataset");
  const { id: modelId } = await client.createModel({ file_id: model.id });
  const { id: dataset } = await client.createDataset({ file_id: data.id, scale: 1 / 255 });
  return async () => (await client.createJob({ model: modelId, dataset, privacy: "public", name: "Live fleet" })).id;
}

async function encryptedJobs(): Promise<() => Promise<JobId>> {
  const records = 32_768;
  const bytes = await readFile(join(projectFolder, "public", "demo", "digits-square.onnx"));
  const { images } = syntheticDigits(records, 1);
  const file = byteRecords(records, DIGIT_SIDE, DIGIT_SIDE);
  file.set(images, file.length - images.length);
  const model = await client.uploadFile(new Blob([bytes]), "digits-square.onnx", "model");
  const data = await client.uploadFile(new Blob([file]), "digits.npy", "dataset");
  const { id: modelId } = await client.createModel({ file_id: model.id });
  const { id: dataset } = await client.createDataset({ file_id: data.id, scale: 1 / 255 });
  return async () => (await client.createJob({ model: modelId, dataset, name: "Live fleet, encrypted" })).id;
}

async function settledOrLate(job: JobId): Promise<void> {
  const stop = AbortSignal.timeout(Math.max(1, Math.round(untilMs - performance.now())));
  try {
    const { status, error } = await client.waitForJob(job, { signal: stop });
    if (status !== "completed") throw new Error(`the job ended ${status}: ${error?.detail}`);
    jobsCompleted++;
  } catch (error) {
    if (!stop.aborted) throw error;
    await client.cancelJob(job);
  }
}

function report(elapsedS: number): void {
  const percent = (share: number) => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)} %`).padStart(8);
  const shareOf = <T>(all: readonly T[], holds: (one: T) => boolean) => all.filter(holds).length / all.length;
  const inTime = ({ tookMs }: Finished) => tookMs <= LEASE_LIMITS.microtaskMs;
  const inside = ({ tookMs, promised }: Accepted) => tookMs >= promised.p10 && tookMs <= promised.p90;
  const settled: Accepted[] = [];
  console.log(
    `\n${elapsedS.toFixed(0)} s, ${jobsCompleted} jobs completed, load average ${loadavg()[0]?.toFixed(1)}\n\n` +
      "donor         slower by   results  bundles   ≤ 3 s  median s   p95 s  in the interval after 50  below p90",
  );
  const rows = donors.map(({ id, kind, loopMs }) => {
    const own = results.filter(({ donorId }) => donorId === id);
    const ownBundles = bundles.filter(({ donorId }) => donorId === id);
    const after = own.slice(SETTLING);
    settled.push(...after);
    const took = ownBundles.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
    const quantile = (q: number) => ((took[Math.floor(q * took.length)] ?? Number.NaN) / 1_000).toFixed(2).padStart(8);
    const row = {
      donor: kind.name,
      slowdown: loopMs / (donors[0]?.loopMs ?? 1),
      results: own.length,
      bundles: ownBundles.length,
      inTime: shareOf(ownBundles, inTime),
      settled: after.length,
      within80: shareOf(after, inside),
      belowP90: shareOf(after, ({ tookMs, promised }) => tookMs <= promised.p90),
    };
    console.log(
      `${kind.name.padEnd(12)}${row.slowdown.toFixed(1).padStart(9)} ×${String(row.results).padStart(10)}${String(row.bundles).padStart(9)}` +
        `${percent(row.inTime)}${quantile(0.5)}  ${quantile(0.95)}${percent(row.within80).padStart(18)} (of ${row.settled})${percent(row.belowP90)}`,
    );
    return row;
  });
  const all = { bundlesInTime: shareOf(bundles, inTime), within80: shareOf(settled, inside), settled: settled.length };
  console.log(
    `\nall           ${bundles.length} bundles, ${percent(all.bundlesInTime).trim()} within 3 s (bar: 95 %); ` +
      `${percent(all.within80).trim()} of ${all.settled} outcomes inside their 80 % interval (bar: 75–85 %)`,
  );
  mkdirSync("bench-results", { recursive: true });
  const kinds = Object.fromEntries(donors.map(({ id, kind }) => [id, kind.name]));
  writeFileSync(
    `bench-results/live-fleet${ENCRYPTED ? "-encrypted" : ""}.json`,
    JSON.stringify({ rows, all, kinds, bundles, results }),
  );
}
