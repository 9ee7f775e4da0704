/**
 * Keeps one compute worker alive and asks it. The loop never waits on it for ever: every call has a time limit, and a
 * worker that crashed, hung or did not stop when told is ended and replaced by a fresh one at the next call.
 */
import type { Clock } from "../clock.ts";
import type { ComputeCalls, ComputeNotice } from "../messages.ts";
import { type Caller, CallFailure, createCaller, type Wire } from "../peer.ts";

/** A compute worker as the loop sees it: the wire, and two ways to end. */
export interface ComputeWorker extends Wire {
  terminate(): void;
  /** The worker's script or an unhandled error in it failed. */
  onCrash(listener: (detail: string) => void): void;
}

export interface ComputeHostOptions {
  clock: Clock;
  spawn(): ComputeWorker;
  onNotice(notice: ComputeNotice): void;
  /** A worker was ended because of this; the next call starts another. */
  onReplaced(detail: string, because: "crash" | "timeout" | "abort"): void;
}

export interface ComputeHost {
  call<Name extends keyof ComputeCalls>(
    name: Name,
    request: ComputeCalls[Name]["request"],
    limits: { timeoutMs: number; signal?: AbortSignal; transfer?: Transferable[] },
  ): Promise<ComputeCalls[Name]["answer"]>;
  /** Grows by one when a worker ends: what was prepared in it is gone. */
  readonly generation: number;
  /** There is a worker now. */
  readonly running: boolean;
  /** Starts the worker, so that its script is loaded by the time of the first call. */
  warm(): void;
  /** Ends the worker at once. */
  close(): void;
}

interface Live {
  worker: ComputeWorker;
  caller: Caller<ComputeCalls>;
}

/** A run that was aborted must let go of the machine within this time, else the worker is ended. */
const ABORT_GRACE_MS = 500;

export function createComputeHost({ clock, spawn, onNotice, onReplaced }: ComputeHostOptions): ComputeHost {
  let current: Live | null = null;
  let generation = 0;
  let closed = false;

  function ensure(): Live {
    if (current) return current;
    const worker = spawn();
    const caller = createCaller<ComputeCalls, ComputeNotice>(worker, onNotice);
    const mine = { worker, caller };
    worker.onCrash((detail) => end(mine, detail, "crash"));
    current = mine;
    return mine;
  }

  function end(which: Live, detail: string, because: "crash" | "timeout" | "abort"): void {
    if (current !== which) return;
    current = null;
    generation++;
    which.worker.terminate();
    which.caller.die(detail);
    if (!closed) onReplaced(detail, because);
  }

  return {
    get generation() {
      return generation;
    },
    get running() {
      return current !== null;
    },
    async call(name, request, { timeoutMs, signal, transfer = [] }) {
      if (closed) throw new CallFailure({ kind: "aborted" });
      const mine = ensure();
      const cancelTimeout = clock.after(timeoutMs, () =>
        end(mine, `The compute worker did not finish ${name} within ${Math.round(timeoutMs)} ms`, "timeout"),
      );
      try {
        return await mine.caller.call(name, request, { transfer, ...(signal && { signal }) });
      } catch (failure) {
        if (failure instanceof CallFailure && failure.ending.kind === "aborted") await letGo(mine);
        throw failure;
      } finally {
        cancelTimeout();
      }
    },
    warm() {
      if (!closed) ensure();
    },
    close() {
      closed = true;
      if (current) end(current, "The donor was stopped", "abort");
    },
  };

  /** After an abort: a worker that answers a trivial call has let go; one that does not is ended. */
  async function letGo(mine: Live): Promise<void> {
    if (current !== mine) return;
    const cancelTimeout = clock.after(ABORT_GRACE_MS, () => end(mine, "The compute worker did not let go", "abort"));
    try {
      await mine.caller.call("ping", null);
    } catch {
      // It was ended: just as good.
    } finally {
      cancelTimeout();
    }
  }
}
