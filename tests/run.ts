/**
 * `npm test`: everything a change must pass, in one run — static checks, build, Node tests, browser tests — and at its
 * end the tests that failed and one closing line that sums all up. Exits non-zero when anything failed.
 *
 * `npm test -- --only=check,unit,e2e` runs some of the parts.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import { ensureChromium } from "./support/chromium.ts";
import { failedInPlaywright, failedInVitest, PlaywrightReport, VitestReport } from "./support/failed-tests.ts";
import { ensureFirefox } from "./support/firefox.ts";

const PARTS = ["check", "build", "unit", "e2e"] as const;
type Part = (typeof PARTS)[number];

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const REPORTS = "test-results";
const total: Tally = { passed: 0, failed: 0, skipped: 0 };
const failedParts: Part[] = [];
const failedTests: string[] = [];

const parts = partsAskedFor(process.argv.slice(2));
rmSync(REPORTS, { recursive: true, force: true });
mkdirSync(REPORTS, { recursive: true });
process.env.FLUX_CHROMIUM = ensureChromium();
const firefox = ensureFirefox();
if (firefox) process.env.FLUX_FIREFOX = firefox;
else console.log("There is no Firefox here: its tests are skipped. Install firefox-esr or set FLUX_FIREFOX.");

for (const part of parts) {
  console.log(`\n── ${part} ${"─".repeat(60 - part.length)}`);
  if (!runPart(part)) failedParts.push(part);
}

if (failedParts.length > 0) console.log(`\nFailed: ${failedParts.join(", ")}`);
for (const test of failedTests) console.log(`  ${test}`);
const failed = Math.max(total.failed, failedParts.length);
console.log(`\n${total.passed} passed, ${failed} failed, ${total.skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);

function partsAskedFor(args: string[]): Part[] {
  const only = args.find((arg) => arg.startsWith("--only="))?.slice("--only=".length);
  return only ? z.array(z.enum(PARTS)).parse(only.split(",")) : [...PARTS];
}

function runPart(part: Part): boolean {
  switch (part) {
    case "check":
      return run(["npm", "run", "check"]);
    case "build":
      return run(["npm", "run", "build"]);
    case "unit": {
      const report = `${REPORTS}/vitest.json`;
      const ok = run(["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
      const counts = readReport(report, VitestReport);
      list(part, ok, counts && failedInVitest(counts));
      add({
        passed: counts?.numPassedTests ?? 0,
        failed: counts?.numFailedTests ?? 1,
        skipped: (counts?.numPendingTests ?? 0) + (counts?.numTodoTests ?? 0),
      });
      return ok;
    }
    case "e2e": {
      const report = `${REPORTS}/playwright.json`;
      const ok = run(["playwright", "test", "--reporter=list,json"], { PLAYWRIGHT_JSON_OUTPUT_NAME: report });
      const outcome = readReport(report, PlaywrightReport);
      const stats = outcome?.stats;
      list(part, ok, outcome && failedInPlaywright(outcome, "tests/e2e"));
      add({
        passed: (stats?.expected ?? 0) + (stats?.flaky ?? 0),
        failed: stats?.unexpected ?? 1,
        skipped: stats?.skipped ?? 0,
      });
      return ok;
    }
  }
}

function run([command = "", ...args]: string[], extra: Record<string, string> = {}): boolean {
  return spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...extra } }).status === 0;
}

function readReport<Report>(path: string, schema: z.ZodType<Report>): Report | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

/** A part may also fail without a failed test: an error that nobody caught, a report that was not written. */
function list(part: Part, ok: boolean, failed: string[] | null): void {
  if (failed && failed.length > 0) failedTests.push(...failed);
  else if (!ok) failedTests.push(`${part}: failed outside its tests, see its output`);
}

function add(tally: Tally): void {
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
}
