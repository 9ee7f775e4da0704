/**
 * Runs one task on untrusted input in a fresh thread with a time and a heap limit: what a stranger's file can do to the
 * event loop is nothing. A task is a module that calls `serveTask` (task.ts).
 */
import { ERROR_CODES, type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import { startThread } from "../thread.ts";

export interface Isolation {
  readonly timeMs: number;
  /** Of the thread's processor time once the task runs: a busy machine refuses no honest file. @default no limit */
  readonly cpuMs?: number;
  /** Of the thread's JavaScript heap; buffers are bounded by the readers' own limits. */
  readonly heapMiB: number;
  /** What the user is told when a limit is hit. */
  readonly onLimit: { readonly code: ErrorCode; readonly detail: string };
}

/** Said before the task begins, when its modules are loaded. */
export const TASK_STARTED = "started";

/** How often the processor time is looked at: also when a library loops without end, which no timer inside would see. */
const CPU_CHECK_MS = 50;

/** What crosses back: a value, or a FluxError taken apart. */
export type TaskReply =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly error: {
        readonly code: ErrorCode | null;
        readonly message: string;
        readonly param?: string;
        readonly errors?: FluxError["errors"];
      };
    };

/**
 * @param task URL of the task's module
 * @param input structured-cloneable
 * @returns what the task returned; parse it
 */
export function runIsolated(
  task: URL,
  input: unknown,
  limits: Isolation,
  transfer: readonly ArrayBuffer[] = [],
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // The thread shares nothing that its input could name.
    const worker = startThread(task, {
      workerData: input,
      transferList: [...transfer],
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMiB, maxYoungGenerationSizeMb: 64 },
      stdin: false,
      // Libraries complain at length about damaged files; what a stranger sent is no news for the operator's log.
      stdout: true,
      stderr: true,
    });
    worker.stdout.resume();
    worker.stderr.resume();
    const limit = () => new FluxError(limits.onLimit.code, limits.onLimit.detail);
    const timer = setTimeout(() => settle(() => reject(limit())), limits.timeMs);
    let watch: NodeJS.Timeout | undefined;
    let settled = false;
    function settle(how: () => void): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      clearInterval(watch);
      void worker.terminate();
      how();
    }
    async function watchCpu(cpuMs: number): Promise<void> {
      const loading = await worker.cpuUsage();
      if (settled) return;
      watch = setInterval(async () => {
        const { user } = await worker.cpuUsage(loading).catch(() => ({ user: 0 }));
        if (user / 1000 > cpuMs) settle(() => reject(limit()));
      }, CPU_CHECK_MS);
    }
    worker.on("message", (reply: TaskReply | typeof TASK_STARTED) => {
      if (reply !== TASK_STARTED) settle(() => (reply.ok ? resolve(reply.value) : reject(rebuilt(reply.error))));
      else if (limits.cpuMs !== undefined) watchCpu(limits.cpuMs).catch((error: Error) => settle(() => reject(error)));
    });
    worker.on("error", (error: Error) => {
      const outOfMemory = "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
      settle(() => reject(outOfMemory ? limit() : error));
    });
    worker.on("exit", (code) => settle(() => reject(new Error(`the task's thread ended with code ${code}`))));
  });
}

function rebuilt(error: Extract<TaskReply, { ok: false }>["error"]): Error {
  if (error.code === null || !(error.code in ERROR_CODES)) return new Error(error.message);
  return new FluxError(error.code, error.message, {
    ...(error.param === undefined ? {} : { param: error.param }),
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  });
}
