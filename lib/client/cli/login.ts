/** `flux login`: tries a key and keeps it for this server. */
import { createInterface } from "node:readline/promises";
import { FluxError } from "#lib/protocol/errors.ts";
import { FluxClient } from "../flux-client.ts";
import { say } from "./output.ts";
import { DEFAULT_URL, type GlobalOptions, keep } from "./settings.ts";

export async function login(options: GlobalOptions): Promise<void> {
  const url = options.url ?? process.env.FLUX_URL ?? DEFAULT_URL;
  if (!URL.canParse(url)) throw new FluxError("invalid_request", `"${url}" is not an address like ${DEFAULT_URL}.`);
  const key = options.key ?? process.env.FLUX_KEY ?? (await ask(`API key for ${url}: `));
  await new FluxClient({ url, apiKey: key }).listJobs({ limit: 1 });
  say(`Signed in to ${url}; kept in ${await keep({ url, key })}`);
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new FluxError("unauthenticated", "Give the key with --key or FLUX_KEY.");
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await prompt.question(question)).trim();
  } finally {
    prompt.close();
  }
}
