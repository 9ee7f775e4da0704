/** The compute worker: kernels and nothing else. It may block for seconds; the loop worker watches it and may end it. */
import { isFluxError } from "#lib/protocol/errors.ts";
import type { RuntimeId } from "#lib/protocol/stage.ts";
import { benchmark } from "../benchmark/benchmark.ts";
import { systemClock } from "../clock.ts";
import { readEnvironment, wasmThreads } from "../environment.ts";
import type { PreparedStage } from "../kernels/kernel.ts";
import { prepareStage } from "../kernels/kernels.ts";
import type { ComputeCalls, ComputeNotice } from "../messages.ts";
import { serveCalls } from "../peer.ts";
import { createDutyCycle, createYield } from "./duty-cycle.ts";

/** The page draws twice a second; a batch may take a fraction of a millisecond. */
const PROGRESS_EVERY_MS = 400;

const environment = readEnvironment();
const threads = wasmThreads(environment);
const duty = createDutyCycle(systemClock, createYield());
const stages = new Map<string, PreparedStage>();
let shares = { cpuShare: 1, gpuShare: 1 };
/** The runtime of the task that runs, or that ran last. */
let runtime: RuntimeId = "ort-wasm";

const tell = serveCalls<ComputeCalls, ComputeNotice>(
  {
    postMessage: (message, transfer) => postMessage(message, { transfer }),
    addEventListener: (type, listener) => addEventListener(type, listener),
  },
  {
    async prepare({ spec, artefact, allowed, shares: wanted }) {
      shares = wanted;
      await stages.get(spec.stageId)?.dispose();
      const stage = await prepareStage(spec, artefact, { allowed, threads });
      stages.set(spec.stageId, stage);
      return { value: { runtime: stage.runtime } };
    },

    async run(task, signal) {
      const stage = stages.get(task.stageId);
      if (!stage) throw new Error(`The stage ${task.stageId} is not prepared here`);
      runtime = stage.runtime;
      const startedMs = performance.now();
      duty.setShare(shareInForce());
      await duty.begin(signal);
      let toldMs = performance.now();
      const breathe = async (unitsDone: number): Promise<void> => {
        await duty.breathe(signal);
        signal.throwIfAborted();
        if (performance.now() - toldMs < PROGRESS_EVERY_MS) return;
        toldMs = performance.now();
        tell({ kind: "progress", taskId: task.taskId, unitsDone });
      };
      const result = await stage.run(task, breathe).finally(() => free(task.payload.buffer));
      const computeMs = duty.end();
      const restMs = Math.max(0, performance.now() - startedMs - computeMs);
      return { value: { result, runtime: stage.runtime, computeMs, restMs }, transfer: [result.buffer] };
    },

    async release({ stageId }) {
      await stages.get(stageId)?.dispose();
      stages.delete(stageId);
      return { value: null };
    },

    async share(wanted) {
      shares = wanted;
      duty.setShare(shareInForce());
      return { value: null };
    },

    async ping() {
      return { value: null };
    },

    async benchmark({ downloadBytesPerSecond }) {
      return { value: await benchmark({ environment, threads, downloadBytesPerSecond }) };
    },
  },
  (error) =>
    isFluxError(error)
      ? { code: error.code, detail: error.detail }
      : { code: "internal", detail: error instanceof Error ? error.message : String(error) },
);

/** Gives the memory back at once: left to the collector, payloads of some megabytes make it run all the time. */
function free(buffer: ArrayBuffer): void {
  // Browsers before 2024 have no `transfer`; there the collector does it.
  if ("transfer" in buffer && !buffer.detached) buffer.transfer(0);
}

function shareInForce(): number {
  return runtime === "ort-webgpu" || runtime === "tfjs-webgpu" ? shares.gpuShare : shares.cpuShare;
}
