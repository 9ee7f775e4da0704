/** `flux doctor`: what works from here and what does not, each with what to do about it. */
import { isFluxError } from "#lib/protocol/errors.ts";
import { findChromium } from "../chromium.ts";
import { print, printJson } from "./output.ts";
import { connect, DEFAULT_URL, type GlobalOptions } from "./settings.ts";

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

const ANSWER_MS = 5_000;

export async function doctor(options: GlobalOptions): Promise<void> {
  const url = options.url ?? process.env.FLUX_URL ?? DEFAULT_URL;
  const findings = [nodeVersion(), await reachable(url), await signedIn(options), browser()];
  if (options.json) printJson(findings);
  else for (const { what, ok, detail } of findings) print(`${ok ? "ok  " : "FIX "} ${what.padEnd(12)} ${detail}`);
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
}

function nodeVersion(): Finding {
  const ok = Number(process.versions.node.split(".")[0]) >= 24;
  return { what: "Node", ok, detail: ok ? process.versions.node : `${process.versions.node}: 24 or newer is needed` };
}

async function reachable(url: string): Promise<Finding> {
  const what = "coordinator";
  try {
    const response = await fetch(new URL("/readyz", url), { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = (await response.text()).trim();
    return { what, ok: response.ok, detail: `${url} is ${text}` };
  } catch {
    return { what, ok: false, detail: `no answer from ${url}: start it with \`npm start\`, or give --url` };
  }
}

async function signedIn(options: GlobalOptions): Promise<Finding> {
  const what = "API key";
  try {
    const { client, url } = await connect(options);
    await client.listJobs({ limit: 1 });
    return { what, ok: true, detail: `accepted by ${url}` };
  } catch (error) {
    return { what, ok: false, detail: isFluxError(error) ? error.detail : String(error) };
  }
}

function browser(): Finding {
  const path = findChromium();
  const missing = "none found: install Chromium or set CHROME for `flux donate`";
  return { what: "browser", ok: path !== null, detail: path ?? missing };
}
