/** Which stages the present compute worker has loaded. A few stay, the least recently used goes; a fresh worker has none. */
import type { RuntimeId } from "#lib/protocol/stage.ts";
import type { ComputeTask } from "../messages.ts";
import type { ComputeHost } from "./compute-host.ts";
import type { HeldLease, Ingredients } from "./leases.ts";

export interface Stages {
  prepare(
    ingredients: Ingredients,
    allowed: RuntimeId[],
    shares: { cpuShare: number; gpuShare: number },
    signal: AbortSignal,
  ): Promise<{ runtime: RuntimeId }>;
  task(held: HeldLease, ingredients: Ingredients): ComputeTask;
}

/** Sessions hold weights and arenas; the members of an ensemble take turns, so more than one is worth keeping. */
const STAGES_KEPT = 4;
/** Loading a runtime and a model over a slow link and on a slow device. */
const PREPARE_LIMIT_MS = 60_000;

export function createStages(host: ComputeHost): Stages {
  const prepared = new Map<string, { generation: number; runtime: RuntimeId }>();
  return {
    async prepare({ spec, artefact }, allowed, shares, signal) {
      const there = prepared.get(spec.stageId);
      prepared.delete(spec.stageId);
      if (there && there.generation === host.generation) {
        prepared.set(spec.stageId, there);
        return there;
      }
      const { generation } = host;
      const { runtime } = await host.call(
        "prepare",
        { spec, artefact, allowed, shares },
        {
          timeoutMs: PREPARE_LIMIT_MS,
          signal,
        },
      );
      const fresh = { generation, runtime };
      prepared.set(spec.stageId, fresh);
      for (const stageId of prepared.keys()) {
        if (prepared.size <= STAGES_KEPT) break;
        prepared.delete(stageId);
        await host.call("release", { stageId }, { timeoutMs: PREPARE_LIMIT_MS });
      }
      return fresh;
    },
    task: ({ lease }, { payload }) => ({
      taskId: lease.leaseId,
      stageId: lease.stageId,
      unitStart: lease.unitStart,
      unitCount: lease.unitCount,
      batch: lease.batch,
      prime: lease.prime,
      payload,
    }),
  };
}
