/** Where this machine keeps a Chromium-family browser, and the flags to start it quietly and offline. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
const PLACES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Quiet, offline, and without the sandbox where a container runs everything as root. */
export const CHROMIUM_FLAGS: readonly string[] = [
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of a Chromium-family browser, or null. `FLUX_CHROMIUM` or `CHROME` names one explicitly. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | null {
  const candidates = [
    ...[environment.FLUX_CHROMIUM, environment.CHROME].filter((path) => path !== undefined && path !== ""),
    ...(environment.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name))),
    ...PLACES,
  ];
  return candidates.find((path): path is string => path !== undefined && isExecutable(path)) ?? null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
