/** Which coordinator, and with which key: from options, the environment, or what `flux login` kept (mode 0600). */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import { FluxClient } from "../flux-client.ts";

const Kept = z.object({ url: z.url(), key: z.string().min(1) });
type Kept = z.infer<typeof Kept>;

export const DEFAULT_URL = "http://localhost:3000";

export interface GlobalOptions {
  readonly url?: string;
  readonly key?: string;
  /** Machine-readable answers on standard output, nothing else there. */
  readonly json?: boolean;
}

export interface Connection {
  readonly url: string;
  readonly client: FluxClient;
}

export function settingsPath(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "flux", "login.json");
}

/** @throws FluxError unauthenticated where no key is known, saying how to give one */
export async function connect(options: GlobalOptions): Promise<Connection> {
  const kept = await readKept();
  const url = options.url ?? process.env.FLUX_URL ?? kept?.url ?? DEFAULT_URL;
  // A kept key belongs to its own server: it is never sent to another.
  const key = options.key ?? process.env.FLUX_KEY ?? (kept && sameOrigin(kept.url, url) ? kept.key : undefined);
  if (!key) {
    throw new FluxError(
      "unauthenticated",
      `No API key for ${url}: run \`flux login\`, set FLUX_KEY, or give --key. The first key is printed when the coordinator starts for the first time.`,
    );
  }
  return { url, client: new FluxClient({ url, apiKey: key }) };
}

export async function keep(kept: Kept): Promise<string> {
  const path = settingsPath();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  // The mode of writeFile counts only where the file is new.
  await chmod(path, 0o600);
  return path;
}

async function readKept(): Promise<Kept | undefined> {
  let text: string;
  try {
    text = await readFile(settingsPath(), "utf8");
  } catch {
    return undefined;
  }
  const parsed = Kept.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new FluxError("invalid_request", `${settingsPath()} cannot be read: run \`flux login\` again.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sameOrigin(a: string, b: string): boolean {
  return URL.canParse(b) && new URL(a).origin === new URL(b).origin;
}
