/** Finds a Firefox on this machine, and installs Debian's where that can be done: the second engine of the browser tests. */
import { delimiter, join } from "node:path";
import { isExecutable } from "#lib/client/chromium.ts";
import { installDebianPackage } from "./chromium.ts";

const NAMES = ["firefox-esr", "firefox"];

export function findFirefox(): string | null {
  if (process.env.FLUX_FIREFOX) return process.env.FLUX_FIREFOX;
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const name of NAMES) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found) return found;
  }
  return null;
}

/** Null where there is none and none can be installed: its tests are skipped then, and say so. */
export function ensureFirefox(): string | null {
  return findFirefox() ?? (installDebianPackage("firefox-esr") ? findFirefox() : null);
}
