/** Starts a thread of the coordinator: it shares no environment, and its modules come from the compile cache. */
import { Worker, type WorkerOptions } from "node:worker_threads";

const PRELOAD = new URL("./compile-cache.ts", import.meta.url).href;

/** @param module URL of the thread's module */
export function startThread(module: URL, options: Omit<WorkerOptions, "env" | "execArgv"> = {}): Worker {
  return new Worker(module, { ...options, env: {}, execArgv: ["--import", PRELOAD] });
}
