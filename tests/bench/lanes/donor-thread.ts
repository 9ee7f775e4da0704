/** A donor's worker, as a thread: evaluates a payload again and again for a while and says how many lanes it did. */
import { parentPort, workerData } from "node:worker_threads";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { laneSimdRuntime } from "#worker/kernels/lanes/simd-evaluator.ts";
import { cryptoNetsProgram } from "./cryptonets.ts";
import { randomPayload } from "./payload.ts";

const LANES = 512;
const { n, bits, count, forMs }: { n: number; bits: number; count: number; forMs: number } = workerData;

const program = cryptoNetsProgram(n, nttPrimes(n, bits, count));
const evaluator = await laneSimdRuntime.prepare(program);
const payload = await randomPayload(program, { primeIndex: 0, firstLane: 0, laneCount: LANES });
await runLanes(program, evaluator, payload);
parentPort!.postMessage("ready");
parentPort!.on("message", async () => {
  const started = performance.now();
  let lanes = 0;
  while (performance.now() - started < forMs) {
    await runLanes(program, evaluator, payload);
    lanes += LANES;
  }
  parentPort!.postMessage(lanes / (performance.now() - started));
});
