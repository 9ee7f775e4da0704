/** A page's script for browser tests and benchmarks: the lane runtimes, callable from outside. Bundled by serve-lane-page.ts. */

import type { LaneRuntime, LaneRuntimeName } from "#lib/lanes/evaluator.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { encodeProgram } from "#lib/lanes/program-codec.ts";
import { cryptoNetsProgram } from "#tests/bench/lanes/cryptonets.ts";
import { randomPayload } from "#tests/bench/lanes/payload.ts";
import { type ContractReport, checkLaneRuntime } from "#tests/contract/lane-runtime.ts";
import { openLaneRuntime } from "#worker/kernels/lanes/open-runtime.ts";
import { runLanes } from "#worker/kernels/lanes/run-lanes.ts";
import { poolLanes } from "#worker/kernels/lanes/threads/pool.ts";

export interface LanePage {
  checkLanes(name: LaneRuntimeName, programs: number): Promise<ContractReport>;
  /** The contract for lane-simd on several threads. */
  checkPool(threads: number, programs: number): Promise<ContractReport>;
  /** Microseconds per lane of the CryptoNets shape, payload bytes to result bytes: the least of some runs. */
  microsecondsPerLane(name: LaneRuntimeName): Promise<number>;
}

const RING_DEGREE = 8192;
const LANES = 128;
const RUNS = 150;

const page: LanePage = {
  async checkLanes(name, programs) {
    return checkLaneRuntime(await openLaneRuntime(name), programs);
  },
  async checkPool(threads, programs) {
    const runtime = await openLaneRuntime("lane-simd");
    const pooled: LaneRuntime = {
      name: "lane-simd",
      async prepare(program) {
        const evaluator = await poolLanes(await runtime.prepare(program), encodeProgram(program), threads);
        if (evaluator.concurrency !== threads) throw new Error(`only ${evaluator.concurrency} threads started`);
        return evaluator;
      },
    };
    return checkLaneRuntime(pooled, programs);
  },
  async microsecondsPerLane(name) {
    const program = cryptoNetsProgram(RING_DEGREE, nttPrimes(RING_DEGREE, 31, 4));
    const evaluator = await (await openLaneRuntime(name)).prepare(program);
    const payload = await randomPayload(program, { primeIndex: 0, firstLane: 0, laneCount: LANES });
    let leastMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const started = performance.now();
      await runLanes(program, evaluator, payload);
      leastMs = Math.min(leastMs, performance.now() - started);
    }
    return (1000 * leastMs) / LANES;
  },
};
Object.assign(globalThis, { lanePage: page });
