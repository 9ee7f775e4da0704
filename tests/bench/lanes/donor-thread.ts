/** A donor's worker, as a thread: evaluates a payload again and again for a while and says how many lanes it did. */
import { parentPort, workerData } from "node:worker_threads";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { cryptoNetsProgram } from "./cryptonets.ts";
import { randomPayload } from "./payload.ts";

const LANES = 512;
const N = 8192;
const { forMs }: { forMs: number } = workerData;

const program = cryptoNetsProgram(N, nttPrimes(N, 31, 4));
const evaluator = await laneSimdRuntime.prepare(program);
const payload = await randomPayload(program, { primeIndex: 0, firstLane: 0, laneCount: LANES });
await runLanes(program, evaluator, payload);
parentPort!.postMessage("ready");
parentPort!.on("message", async () => {
  const started = performance.now();
  const usage = process.threadCpuUsage();
  let lanes = 0;
  while (performance.now() - started < forMs) {
    await runLanes(program, evaluator, payload);
    lanes += LANES;
  }
  const { user, system } = process.threadCpuUsage(usage);
  parentPort!.postMessage({
    perWallMs: lanes / (performance.now() - started),
    perCpuMs: (1000 * lanes) / (user + system),
  });
});
