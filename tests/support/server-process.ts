/** The coordinator as people run it: its own process, its own data folder, the built pages. Needs `npm run build`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCoordinatorProcess } from "#lib/client/demo/coordinator-process.ts";

export interface ServerProcess {
  readonly url: string;
  readonly apiKey: string;
  /** Where the first admin signs up. */
  readonly adminLink: string;
  readonly pid: number;
  close(): Promise<void>;
}

const root = resolve(import.meta.dirname, "../..");

export async function startServerProcess(): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "flux-server-"));
  let adminLink = "";
  const { url, apiKey, child, stop } = await startCoordinatorProcess({
    script: ["lib/coordinator/main.ts"],
    projectFolder: root,
    dataFolder: folder,
    port: 0,
    onLog: (line) => {
      if (line.includes('"level":50')) console.error(line);
      adminLink = /^Admin link (\S+)$/.exec(line)?.[1] ?? adminLink;
    },
  });
  if (!apiKey) throw new Error("a fresh data folder must give a first key");
  return {
    url,
    apiKey,
    adminLink,
    pid: child.pid ?? 0,
    async close() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
