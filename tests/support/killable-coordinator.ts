/** A coordinator in a process that tests kill, and donors that come back to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { type NodeDonorOptions, startNodeDonor } from "./node-donor.ts";

const RECONNECT_MS = 100;
const Started = z.object({ url: z.string(), firstKey: z.string().nullable() });

export interface KillableCoordinator {
  readonly child: ChildProcess;
  readonly started: z.infer<typeof Started>;
}

export async function startKillable(folder: string, port: number): Promise<KillableCoordinator> {
  const script = join(import.meta.dirname, "serve-coordinator.ts");
  const child: ChildProcess = spawn(process.execPath, [script, folder, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    return { child, started: Started.parse(JSON.parse(line)) };
  }
  throw new Error("the coordinator ended before it was ready");
}

/** SIGKILL, and a new process on the same folder and port. */
export async function killAndRestart(
  server: KillableCoordinator,
  folder: string,
  port: number,
): Promise<KillableCoordinator> {
  server.child.kill("SIGKILL");
  await once(server.child, "exit");
  return startKillable(folder, port);
}

/** A donor that comes back as long as there is work, as a tab does. */
export async function keepDonating(options: NodeDonorOptions, working: () => boolean): Promise<void> {
  while (working()) {
    try {
      const donor = await startNodeDonor(options);
      await donor.ended;
      await donor.stop();
    } catch {
      // The coordinator is down; a tab waits before it asks again, too.
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (typeof address === "string" || !address) throw new Error("no port");
  return address.port;
}
