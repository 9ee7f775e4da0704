/**
 * Threads that recompute samples of results, so that the event loop never waits for a model. A thread that takes too long or
 * dies is replaced; its task fails and the others go on.
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../thread.ts";
import type { CheckReply, CheckTask, Found } from "./messages.ts";

export interface CheckingPool {
  /** Rejects when the check could not be made. */
  check(task: Omit<CheckTask, "id">): Promise<Found>;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

export interface CheckingPoolOptions {
  readonly threads: number;
  /** What one check may take, the opening of its model included. */
  readonly timeMs?: number;
}

interface Job {
  readonly task: CheckTask;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  worker: Worker;
  job: Job | undefined;
  timer: NodeJS.Timeout | undefined;
  /** The model that it ran last: opening one costs more than waiting a little. */
  model: string | undefined;
}

const TASK_MS = 30_000;
const HEAP_MIB = 512;

export function openCheckingPool({ threads: count, timeMs = TASK_MS }: CheckingPoolOptions): CheckingPool {
  const queue: Job[] = [];
  const threads: Thread[] = [];
  let nextId = 0;
  let closed = false;

  function spawn(): Worker {
    const worker = startThread(new URL("./thread.ts", import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    worker.unref();
    worker.on("message", (reply: CheckReply) => finish(worker, reply));
    worker.on("error", (error) => replace(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", () => replace(worker, new Error("the checking thread ended")));
    return worker;
  }

  function finish(worker: Worker, reply: CheckReply): void {
    const thread = threadOf(worker);
    if (thread?.job?.task.id !== reply.id) return;
    const job = take(thread);
    if (!job) return;
    if (reply.ok) job.resolve(reply.found);
    else job.reject(new Error(reply.error));
    next(thread);
  }

  function replace(worker: Worker, error: Error): void {
    const thread = threadOf(worker);
    if (!thread || closed) return;
    const job = take(thread);
    thread.worker = spawn();
    thread.model = undefined;
    job?.reject(error);
    next(thread);
  }

  /** Undefined for a worker that was replaced. */
  const threadOf = (worker: Worker) => threads.find((thread) => thread.worker === worker);

  function take(thread: Thread): Job | undefined {
    const { job } = thread;
    clearTimeout(thread.timer);
    thread.job = undefined;
    return job;
  }

  function next(thread: Thread): void {
    if (thread.job || queue.length === 0) return;
    const same = queue.findIndex(({ task }) => task.modelPath === thread.model);
    const [job] = queue.splice(Math.max(0, same), 1);
    if (!job) return;
    thread.job = job;
    thread.model = job.task.modelPath;
    thread.timer = setTimeout(() => {
      const { worker } = thread;
      void worker.terminate();
      replace(worker, new Error(`the check took longer than ${timeMs} ms`));
    }, timeMs);
    thread.worker.postMessage(job.task, [job.task.payload.buffer, job.task.result.buffer]);
  }

  return {
    check: (task) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error("the checking pool is closed"));
        queue.push({ task: { ...task, id: nextId++ }, resolve, reject });
        if (threads.length < count && threads.every(({ job }) => job)) {
          threads.push({ worker: spawn(), job: undefined, timer: undefined, model: undefined });
        }
        for (const thread of threads) next(thread);
      }),
    waiting: () => queue.length,
    close: async () => {
      closed = true;
      for (const { reject } of queue.splice(0)) reject(new Error("the checking pool is closed"));
      for (const thread of threads) take(thread)?.reject(new Error("the checking pool is closed"));
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}
