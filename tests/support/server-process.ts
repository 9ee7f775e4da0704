/** The coordinator as people run it: its own process, its own data folder, the built pages. Needs `npm run build`. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

export interface ServerProcess {
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

const root = resolve(import.meta.dirname, "../..");

export async function startServerProcess(): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "flux-server-"));
  const child = spawn(process.execPath, ["lib/coordinator/main.ts"], {
    cwd: root,
    env: { ...process.env, NODE_ENV: "production", FLUX_DATA: folder, FLUX_LOG_LEVEL: "error", PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { url, apiKey } = await readAnnouncement(child);
  return {
    url,
    apiKey,
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What main.ts prints when it is ready. */
async function readAnnouncement(child: ChildProcess): Promise<{ url: string; apiKey: string }> {
  let url = "";
  if (!child.stdout) throw new Error("The server's output is not piped");
  for await (const line of createInterface({ input: child.stdout })) {
    url = /runs at (\S+)/.exec(line)?.[1] ?? url;
    const apiKey = /API key\s+(\S+)/.exec(line)?.[1];
    if (apiKey) return { url, apiKey };
  }
  throw new Error("The server ended before it was ready: run `npm run build` first");
}
