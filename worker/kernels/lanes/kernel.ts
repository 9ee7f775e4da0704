/**
 * The kernel of encrypted stages: lane programs on the fastest runtime that computes every bit right here.
 *
 * lane-simd runs in any browser and is the baseline. Where a GPU runtime is allowed, both compute the same sample first, and
 * the faster one stays; all runtimes return the same bits, so the choice changes nothing but time.
 */
import { laneBytes, limbCount } from "#lib/lanes/block.ts";
import { LANE_RUNTIMES, type LaneChunk, type LaneEvaluator, type LaneRuntimeName } from "#lib/lanes/evaluator.ts";
import { redrawWords } from "#lib/lanes/mask.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { LanesStageSpec } from "#lib/protocol/stage.ts";
import type { Kernel, KernelContext } from "../kernel.ts";
import { openLaneRuntime } from "./open-runtime.ts";
import { runLanes } from "./run-lanes.ts";
import { poolLanes } from "./threads/pool.ts";

/** Enough lanes for a GPU to show what it can, few enough to take well under a second anywhere. */
const SAMPLE_LANES = 64;
/** A lane of 3 KB in 60 µs is 400 Mbit/s: cheaper lanes wait for the link, and further threads would only take memory. */
const THREADS_FROM_US_PER_LANE = 60;
/** Half of what a donor may take in all. */
const POOL_BYTES = 256 * 1024 * 1024;
/** While a thread gets ready: the program, its digits, and weights twice as int16. */
const THREAD_BYTES_PER_PROGRAM_BYTE = 8;

interface Candidate {
  readonly runtime: LaneRuntimeName;
  readonly evaluator: LaneEvaluator;
}

export const lanesKernel: Kernel<LanesStageSpec> = {
  async prepare(_spec, artefact, context) {
    const program = decodeProgram(artefact);
    const { runtime, evaluator: one } = await fastest(program, context);
    const threads = Math.min(
      context.threads,
      Math.floor(POOL_BYTES / (THREAD_BYTES_PER_PROGRAM_BYTE * artefact.length)),
    );
    const manyThreads = runtime === "lane-simd" && threads > 1 && (await isHeavy(program, one));
    const evaluator = manyThreads ? await poolLanes(one, artefact, threads) : one;
    return {
      runtime,
      run: (task, breathe) => runLanes(program, evaluator, task.payload, breathe),
      dispose: async () => evaluator.dispose(),
    };
  },
};

async function fastest(program: LaneProgram, { allowed, threads }: KernelContext): Promise<Candidate> {
  const wanted = LANE_RUNTIMES.filter((name) => allowed.includes(name));
  const onCpu = wanted.filter((name) => !name.endsWith("webgpu"));
  const onGpu = wanted.filter((name) => name.endsWith("webgpu"));
  let best = await firstThatWorks(program, onCpu.length > 0 ? onCpu : ["lane-simd"], threads);
  if (onGpu.length === 0) return best;
  let bestMs = await sampleMs(program, best.evaluator);
  for (const name of onGpu) {
    const candidate = await firstThatWorks(program, [name], threads).catch(() => null);
    if (!candidate) continue;
    const ms = await sampleMs(program, candidate.evaluator);
    const loser = ms < bestMs ? best : candidate;
    if (ms < bestMs) [best, bestMs] = [candidate, ms];
    await loser.evaluator.dispose();
  }
  return best;
}

/** True where one thread computes lanes more slowly than a good link brings them. */
async function isHeavy(program: LaneProgram, evaluator: LaneEvaluator): Promise<boolean> {
  const lanes = 4;
  return (1000 * (await sampleMs(program, evaluator, lanes))) / lanes > THREADS_FROM_US_PER_LANE;
}

/** @throws FluxError unavailable where none starts and passes its self-test */
async function firstThatWorks(
  program: LaneProgram,
  names: readonly LaneRuntimeName[],
  threads: number,
): Promise<Candidate> {
  let failure: unknown;
  for (const runtime of names) {
    try {
      const opened = await openLaneRuntime(runtime, threads);
      return { runtime, evaluator: await opened.prepare(program) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? new FluxError("unavailable", "No runtime for encrypted work starts in this browser: update it.");
}

/** Milliseconds of one chunk of zeros, after a first one that compiles. */
async function sampleMs(program: LaneProgram, evaluator: LaneEvaluator, lanes = SAMPLE_LANES): Promise<number> {
  const laneCount = Math.min(lanes, evaluator.maxLanes);
  const chunk = (): LaneChunk => {
    const q = program.ring.primes[0] ?? 2;
    return {
      primeIndex: 0,
      laneCount,
      packed: new Uint8Array(laneCount * laneBytes(q, program.inputs)),
      mask: {
        planes: new Uint8Array(laneCount * limbCount(q) * program.inputs),
        redraws: new Uint8Array(4 * laneCount * redrawWords(q, program.inputs)),
      },
    };
  };
  await evaluator.evaluate(chunk());
  const startedMs = performance.now();
  await evaluator.evaluate(chunk());
  return performance.now() - startedMs;
}
