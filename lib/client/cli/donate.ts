/** `flux donate --headless N [--group LINK]`: donor tabs without a window, until Ctrl-C. */
import { FluxError } from "#lib/protocol/errors.ts";
import { launchHeadlessDonors } from "../headless-donors.ts";
import { joinTokenOf } from "./arguments.ts";
import { say } from "./output.ts";
import { DEFAULT_URL, type GlobalOptions } from "./settings.ts";

const MOST_DONORS = 64;

export async function donate(
  options: GlobalOptions & { readonly headless: number; readonly group?: string },
): Promise<void> {
  const url = options.url ?? process.env.FLUX_URL ?? DEFAULT_URL;
  const { headless: count } = options;
  if (!Number.isInteger(count) || count < 1 || count > MOST_DONORS) {
    throw new FluxError("invalid_request", `--headless takes a whole number from 1 to ${MOST_DONORS}.`);
  }
  const group = options.group === undefined ? undefined : joinTokenOf(options.group);
  const donors = await launchHeadlessDonors({ url, count, onLog: say, ...(group ? { group } : {}) });
  process.once("SIGINT", () => void donors.close());
  process.once("SIGTERM", () => void donors.close());
  say("Donating; Ctrl-C stops and gives leases back.");
  await donors.closed;
}
