/** Starts the key-holder's thread under Node. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { type Engine, engineOf } from "../engine-caller.ts";
import { wireOf } from "./wire.ts";

/** SEAL's heap and lane blobs lie outside the JavaScript heap. */
const HEAP_MIB = 4096;

export async function openEngine(): Promise<Engine> {
  // mkdtemp makes it for this user only (0700).
  const folder = await mkdtemp(join(tmpdir(), "flux-records-"));
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
