/**
 * `npm run bench:lanes`: what a donor computes per second on the CryptoNets-shaped network, one WASM thread, against the same
 * network through node-seal's own API in the same run; where the time goes; two workers; other runtimes; bytes per record; the
 * key-holder's milliseconds per record.
 *
 * Rates are given twice: by the wall clock, which is what counts on a quiet machine, and by CPU time, which is what is comparable
 * on a busy one.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { Worker } from "node:worker_threads";
import { auditLanes, packedLanes } from "#lib/lanes/audit.ts";
import { laneBytes, parsePayload, parseResultLanes, resultLaneBytes } from "#lib/lanes/block.ts";
import { importMaskSeed, maskStreams } from "#lib/lanes/mask.ts";
import { scatteredMasksNode } from "#lib/lanes/mask-node.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { measureInChromium } from "./lanes/chromium.ts";
import { measureKeyholder } from "./lanes/keyholder.ts";
import { measure, measureLeast, median, printTable, type Timing } from "./lanes/measure.ts";
import { type Network, networks } from "./lanes/networks.ts";
import { randomPayload, SEED } from "./lanes/payload.ts";
import { measureSealApi } from "./lanes/seal-api.ts";
import { measureTimeSplit } from "./lanes/time-split.ts";

const N = 8192;
const RECORDS = N / 2;
const LANES = 1024;
/** Lanes of one run when the time is split. */
const SPLIT_LANES = 64;

console.log(`CryptoNets shape, N = ${N}, ${RECORDS} records, one WASM thread; ${cpus()[0]?.model ?? "unknown CPU"}`);
console.log(`load average at the start: ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`);

const measured = await networks();
const seal = await measureSealApi(measured[0]!.program);
printTable(`node-seal's own API, ${RECORDS} records (scaled up from samples of each operation)`, [
  ["operation", "times", "CPU s"],
  ...seal.layers.map((layer) => [layer.name, String(layer.operations), (layer.cpuMs / 1000).toFixed(1)]),
  ["all", "", (seal.cpuMs / 1000).toFixed(1)],
]);

const donors: Awaited<ReturnType<typeof measureDonor>>[] = [];
for (const network of measured) donors.push(await measureDonor(network));
printTable("donor, payload bytes to result bytes (lane-simd)", [
  ["ring", "s wall", "s CPU", "records/s wall", "records/s CPU", "× node-seal (CPU)"],
  ...donors.map((donor) => [
    donor.ring,
    (donor.batch.wallMs / 1000).toFixed(2),
    (donor.batch.cpuMs / 1000).toFixed(2),
    perSecond(donor.batch.wallMs),
    perSecond(donor.batch.cpuMs),
    (seal.cpuMs / donor.batch.cpuMs).toFixed(1),
  ]),
]);
printTable("of it, µs per lane undisturbed (least of many short runs)", [
  ["ring", "mask AES", "loading", "gathering", "product", "reduction", "squares", "audit of a lane"],
  ...donors.map(({ ring, split }) => [
    ring,
    ...[split.mask, split.loading, split.gathering, split.product, split.reduction, split.squares, split.audit].map(
      (us) => us.toFixed(2),
    ),
  ]),
]);

const others: { name: string; cpuMs: number }[] = [];
for (const name of ["ort-wasm", "tfjs-wasm"] as const) {
  const { program } = measured[0]!;
  const evaluator = await (await openLaneRuntime(name)).prepare(program);
  const payload = await randomPayload(program, { primeIndex: 0, firstLane: 0, laneCount: 128 });
  const { cpuMs } = await measure(3, () => runLanes(program, evaluator, payload));
  others.push({ name, cpuMs: (cpuMs / 128) * N * program.ring.primes.length });
  await evaluator.dispose();
}
printTable(`other runtimes of the same lanes, ${measured[0]!.name}`, [
  ["runtime", "s CPU", "records/s CPU", "× node-seal (CPU)"],
  ...others.map(({ name, cpuMs }) => [
    name,
    (cpuMs / 1000).toFixed(1),
    perSecond(cpuMs),
    (seal.cpuMs / cpuMs).toFixed(1),
  ]),
]);

const chromiumUs = await measureInChromium("lane-simd");
if (chromiumUs !== undefined) {
  const recordsPerSecond = (1e6 * RECORDS) / (chromiumUs * N * 4);
  console.log(
    `\nin Chromium, 4 × 31 bits, undisturbed: ${chromiumUs.toFixed(1)} µs per lane, ${recordsPerSecond.toFixed(0)} records/s`,
  );
}

const threads = await measureThreads();
console.log(
  `\ntwo workers: ${threads.timesWall.toFixed(2)} times one by the wall clock, ${threads.timesCpu.toFixed(2)} times by CPU time`,
);

const keyholder = await measureKeyholder(measured[0]!.program.ring.primes);
printTable("bytes and the key-holder", [
  ["ring", "payload KB/record", "bytes/value·record", "result bytes/record"],
  ...donors.map(({ ring, bytes }) => [
    ring,
    (bytes.down / 1000).toFixed(1),
    bytes.downPerValue.toFixed(2),
    bytes.up.toFixed(0),
  ]),
]);
console.log(
  `  key-holder: ${keyholder.encryptMsPerRecord.toFixed(2)} ms/record to encrypt (SEAL ${keyholder.sealMsPerRecord.toFixed(2)}, layout ${keyholder.layoutMsPerRecord.toFixed(2)}), ${keyholder.decryptMsPerRecord.toFixed(3)} ms/record to decrypt`,
);

mkdirSync("bench-results", { recursive: true });
const report = { n: N, records: RECORDS, load: loadavg()[0], seal, donors, others, chromiumUs, threads, keyholder };
writeFileSync("bench-results/lanes.json", `${JSON.stringify(report, null, 2)}\n`);

async function measureDonor({ name, program }: Network) {
  const { ring, inputs, outputs, polysOut } = program;
  const q = ring.primes[0]!;
  const evaluator = await (await openLaneRuntime("lane-simd")).prepare(program);
  const run = { primeIndex: 0, firstLane: 0, laneCount: LANES };
  const payload = await randomPayload(program, run);
  const result = await runLanes(program, evaluator, payload);

  const lanes = N * ring.primes.length;
  const once = await measure(7, () => runLanes(program, evaluator, payload));
  const batch: Timing = { wallMs: (once.wallMs / LANES) * lanes, cpuMs: (once.cpuMs / LANES) * lanes };

  const key = await importMaskSeed(SEED);
  const maskRun = { primeIndex: 0, firstLane: 0, laneCount: evaluator.maxLanes };
  const maskMs = await measureLeast(100, () => maskStreams(key, q, inputs, maskRun));
  const { body } = parsePayload(payload, ring, inputs);
  const splitRun = { primeIndex: 0, firstLane: 0, laneCount: SPLIT_LANES };
  const split = await measureTimeSplit(program, {
    primeIndex: 0,
    laneCount: SPLIT_LANES,
    packed: body.slice(0, SPLIT_LANES * laneBytes(q, inputs)),
    mask: await maskStreams(key, q, inputs, splitRun),
  });

  // Eight results of 13 audited lanes each: one in a hundred lanes of 1,300.
  const audited = Array.from({ length: 8 }, (_, i) => {
    const chosen = Array.from({ length: 13 }, (_, j) => (i * 7 + j * 71) % LANES);
    const residues = parseResultLanes(result, program, run, chosen);
    return { run, seed: SEED, lanes: chosen, packed: packedLanes(body, q, inputs, chosen), residues };
  });
  const auditMs = await measureLeast(150, async () => {
    const wrong = await auditLanes(program, evaluator, scatteredMasksNode, audited);
    if (wrong.some((found) => found.length > 0)) throw new Error("an honest result failed its audit");
  });
  const perLane = (ms: number) => (1000 * ms) / SPLIT_LANES;
  const downBytes = ring.primes.reduce((sum, prime) => sum + N * laneBytes(prime, inputs), 0);
  const upBytes = ring.primes.reduce((sum, prime) => sum + N * resultLaneBytes(prime, polysOut * outputs), 0);
  return {
    ring: name,
    shape: { inputs, outputs, polysOut },
    batch,
    split: {
      mask: (1000 * maskMs) / maskRun.laneCount,
      loading: perLane(split.loadingMs),
      gathering: perLane(split.gatheringMs),
      product: perLane(split.productMs),
      reduction: perLane(split.reductionMs),
      squares: perLane(split.squaresMs),
      audit: (1000 * auditMs) / (8 * 13),
    },
    bytes: { down: downBytes / RECORDS, downPerValue: downBytes / RECORDS / inputs, up: upBytes / RECORDS },
  };
}

/**
 * Lanes per second of one donor worker and of two at once; medians of alternating rounds. By CPU time it shows what two workers
 * take from each other (caches, memory), whatever else runs here.
 */
async function measureThreads() {
  const workers = await Promise.all([0, 1].map(() => startWorker()));
  const one: Rate[] = [];
  const two: Rate[] = [];
  for (let round = 0; round < 7; round++) {
    one.push(await workers[0]!.rate());
    const [a, b] = (await Promise.all(workers.map((worker) => worker.rate()))) as [Rate, Rate];
    two.push({ perWallMs: a.perWallMs + b.perWallMs, perCpuMs: a.perCpuMs + b.perCpuMs });
  }
  for (const worker of workers) await worker.end();
  const lanesPerSecond = (rates: readonly Rate[], by: keyof Rate) => 1000 * median(rates.map((rate) => rate[by]));
  const times = (by: keyof Rate) => lanesPerSecond(two, by) / lanesPerSecond(one, by);
  return {
    oneLanesPerSecond: lanesPerSecond(one, "perWallMs"),
    timesWall: times("perWallMs"),
    timesCpu: times("perCpuMs"),
  };
}

interface Rate {
  readonly perWallMs: number;
  readonly perCpuMs: number;
}

async function startWorker() {
  const workerData = { forMs: 700 };
  const worker = new Worker(new URL("./lanes/donor-thread.ts", import.meta.url), { workerData });
  const next = <T>() => new Promise<T>((resolve) => worker.once("message", resolve));
  await next();
  return {
    rate: () => {
      worker.postMessage("go");
      return next<Rate>();
    },
    end: () => worker.terminate(),
  };
}

function perSecond(batchMs: number): string {
  return ((1000 * RECORDS) / batchMs).toFixed(0);
}
