/** Starts the key-holder's thread under Node. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { type Engine, engineOf } from "../engine-caller.ts";
import { jobsFolder } from "./stores.ts";
import { wireOf } from "./wire.ts";

/** SEAL's heap and lane blobs lie outside the JavaScript heap. */
const HEAP_MIB = 4096;

export async function openEngine(): Promise<Engine> {
  const folder = await recordsFolder();
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL("./engine.worker.ts", import.meta.url), {
    workerData: { port: port2, folder },
    transferList: [port2],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    env: {},
  });
  return engineOf({
    wire: wireOf(port1),
    onDeath(died) {
      worker.on("error", (error: Error) => died(error.stack ?? error.message));
      worker.on("exit", (code) => died(`it ended with code ${code}`));
    },
    async end() {
      port1.close();
      await worker.terminate();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

/** A private folder (0700) for this process's normalised records; those of processes that were killed are removed. */
async function recordsFolder(): Promise<string> {
  const parent = join(dirname(jobsFolder()), "records");
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    if (!isRunning(Number(name.split("-")[0]))) await rm(join(parent, name), { recursive: true, force: true });
  }
  return mkdtemp(join(parent, `${process.pid}-`));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's process answers EPERM: it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
