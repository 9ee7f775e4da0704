/**
 * Several threads for one program: an evaluator that hands each chunk to a free thread. Lanes are independent, so threads share
 * nothing and no shared memory is needed.
 *
 * A thread that dies costs nothing but itself: its chunk is computed here instead.
 */
import type { LaneChunk, LaneEvaluator } from "#lib/lanes/evaluator.ts";
import { type Caller, createCaller } from "#worker/peer.ts";
import type { LaneThread, LaneThreadCalls } from "./calls.ts";

/** Starts the script that `npm run assets` bundles beside the compute worker's. Throws where workers cannot start workers. */
export function spawnLaneThread(): LaneThread {
  const worker = new Worker(new URL("./lane-thread.js", import.meta.url), { type: "module", name: "flux-lanes" });
  return {
    postMessage: (message, transfer) => worker.postMessage(message, { transfer }),
    addEventListener: (type, listener) => worker.addEventListener(type, listener),
    onCrash(listener) {
      worker.addEventListener("error", (event) => listener(event.message || "A lane thread could not start"));
    },
    terminate: () => worker.terminate(),
  };
}

interface Member {
  readonly thread: LaneThread;
  readonly caller: Caller<LaneThreadCalls>;
}

/**
 * @param local computes where no thread is free or left; disposed with the pool
 * @param program the same program's bytes
 */
export async function poolLanes(
  local: LaneEvaluator,
  program: Uint8Array,
  threads: number,
  spawn: () => LaneThread = spawnLaneThread,
): Promise<LaneEvaluator> {
  const started = await Promise.all(Array.from({ length: threads }, () => start(program, spawn)));
  const members = started.filter((member) => member !== undefined);
  const free = [...members];

  return {
    maxLanes: local.maxLanes,
    concurrency: Math.max(1, members.length),
    async evaluate(chunk) {
      const member = free.pop();
      if (member === undefined) return local.evaluate(chunk);
      try {
        const residues = await member.caller.call("evaluate", posted(chunk));
        free.push(member);
        return residues;
      } catch {
        member.thread.terminate();
        return local.evaluate(chunk);
      }
    },
    async dispose() {
      for (const { thread } of members) thread.terminate();
      await local.dispose();
    },
  };
}

/** A thread with the program ready, or undefined if it does not get there. */
async function start(program: Uint8Array, spawn: () => LaneThread): Promise<Member | undefined> {
  let thread: LaneThread | undefined;
  try {
    thread = spawn();
    const caller = createCaller<LaneThreadCalls>(thread);
    thread.onCrash((detail) => caller.die(detail));
    await caller.call("prepare", { program });
    return { thread, caller };
  } catch {
    thread?.terminate();
    return undefined;
  }
}

/** A view is posted with its whole buffer: the payload's, here. */
function posted(chunk: LaneChunk): LaneChunk {
  return { ...chunk, packed: chunk.packed.slice() };
}
