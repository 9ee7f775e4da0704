/** Finds a Chromium or Chrome on this machine, and installs one where that can be done. For tests, demo and benchmarks. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];
const PLACES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Path of a Chromium-family browser, or null. `FLUX_CHROMIUM` names one explicitly. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | null {
  const candidates = [
    ...(environment.FLUX_CHROMIUM ? [environment.FLUX_CHROMIUM] : []),
    ...(environment.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name))),
    ...PLACES,
  ];
  return candidates.find(isExecutable) ?? null;
}

/** Finds a Chromium or installs Debian's package (as root) or Playwright's own build. Throws when neither works. */
export function ensureChromium(): string {
  const found = findChromium();
  if (found) return found;
  if (isDebian() && process.getuid?.() === 0) {
    run("apt-get", ["update", "-qq"]);
    run("apt-get", ["install", "-y", "-qq", "chromium"]);
  } else {
    run(process.execPath, [join("node_modules", "playwright-core", "cli.js"), "install", "chromium"]);
  }
  const installed = findChromium() ?? playwrightsOwn();
  if (!installed) throw new Error("No Chromium found or installed: install Chromium or set FLUX_CHROMIUM to its path");
  return installed;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isDebian(): boolean {
  try {
    return /^(ID|ID_LIKE)=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

function run(command: string, args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) console.error(`${command} ${args.join(" ")} ended with ${status}`);
}

function playwrightsOwn(): string | null {
  const asked = spawnSync(
    process.execPath,
    ["-e", 'console.log(require("playwright-core").chromium.executablePath())'],
    {
      encoding: "utf8",
    },
  );
  const path = asked.stdout.trim();
  return path && isExecutable(path) ? path : null;
}
