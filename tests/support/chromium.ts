/** Finds a Chromium on this machine, and installs one where that can be done. For tests, demo and benchmarks. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findChromium, isExecutable } from "#lib/client/chromium.ts";

export { findChromium };

/** Finds a Chromium or installs Debian's package (as root) or Playwright's own build. Throws when neither works. */
export function ensureChromium(): string {
  const found = findChromium();
  if (found) return found;
  if (!installDebianPackage("chromium")) {
    run(process.execPath, [join("node_modules", "playwright-core", "cli.js"), "install", "chromium"]);
  }
  const installed = findChromium() ?? playwrightsOwn();
  if (!installed) throw new Error("No Chromium found or installed: install Chromium or set FLUX_CHROMIUM to its path");
  return installed;
}

/** False where this is no Debian, or not for us to change. */
export function installDebianPackage(name: string): boolean {
  if (!isDebian() || process.getuid?.() !== 0) return false;
  run("apt-get", ["update", "-qq"]);
  run("apt-get", ["install", "-y", "-qq", name]);
  return true;
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
