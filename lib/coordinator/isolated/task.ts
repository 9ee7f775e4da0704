/** The thread's side of run.ts: runs the module's one task and posts what came of it. */
import { parentPort, workerData } from "node:worker_threads";
import { isFluxError } from "#lib/protocol/errors.ts";
import { TASK_STARTED, type TaskReply } from "./run.ts";

export async function serveTask(task: (input: unknown) => Promise<unknown>): Promise<void> {
  if (!parentPort) throw new Error("this module is the entry of a worker thread");
  parentPort.postMessage(TASK_STARTED);
  parentPort.postMessage(await replyOf(task));
}

async function replyOf(task: (input: unknown) => Promise<unknown>): Promise<TaskReply> {
  try {
    return { ok: true, value: await task(workerData) };
  } catch (error) {
    if (!isFluxError(error)) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { ok: false, error: { code: null, message } };
    }
    return {
      ok: false,
      error: {
        code: error.code,
        message: error.detail,
        ...(error.param === undefined ? {} : { param: error.param }),
        ...(error.errors === undefined ? {} : { errors: error.errors }),
      },
    };
  }
}
