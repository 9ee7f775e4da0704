/** `npx flux …` in a process of its own, with a home of its own: keys and state lie in `home`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const FLUX = join(import.meta.dirname, "../../lib/client/cli/flux.js");

export interface FluxHome {
  /** Where files are named from. */
  readonly folder: string;
  readonly home: string;
  readonly url: string;
  readonly apiKey: string;
}

export interface FluxRun {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

/** Runs to its end. @throws Error with what it said where it ends with an error */
export async function runFlux(
  home: FluxHome,
  args: readonly string[],
): Promise<{ readonly out: string; readonly err: string }> {
  const { code, out, err } = await startFlux(home, args).ended;
  if (code !== 0) throw new Error(err);
  return { out, err };
}

export const keysOf = ({ home }: FluxHome): string => join(home, "config", "flux", "keys");
export const jobsOf = ({ home }: FluxHome): string => join(home, "state", "flux", "jobs");

export function startFlux({ folder, home, url, apiKey }: FluxHome, args: readonly string[]): FluxRun {
  const child = spawn(process.execPath, [FLUX, ...args], {
    cwd: folder,
    env: {
      NODE_ENV: "test",
      PATH: process.env.PATH ?? "",
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_STATE_HOME: join(home, "state"),
      FLUX_URL: url,
      FLUX_KEY: apiKey,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  return { child, ended: once(child, "close").then(() => ({ code: child.exitCode, out, err })) };
}
