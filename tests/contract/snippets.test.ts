/** The docs' first job in curl, TypeScript and Python, run as they stand. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Language, QUICK_START } from "#lib/client/snippets/quick-start.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";

const INPUTS = 3;
const RECORDS = 40;
const ROOT = join(import.meta.dirname, "../..");

interface Runner {
  readonly language: Language;
  readonly program: string;
  readonly file: string;
  /** How the installed package's name is reached from a folder outside the project. */
  readonly adapt?: (source: string) => string;
}

const RUNNERS: readonly Runner[] = [
  { language: "curl", program: "bash", file: "first.sh" },
  {
    language: "TypeScript",
    program: process.execPath,
    file: "first.ts",
    adapt: (source) =>
      source.replace('from "flux"', `from "${pathToFileURL(join(ROOT, "lib/client/flux-client.ts")).href}"`),
  },
  { language: "Python", program: "python3", file: "first.py" },
];

describe("the docs' first job", () => {
  let coordinator: TestCoordinator;
  let donor: NodeDonor;
  let folder: string;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    donor = await startNodeDonor({ url: coordinator.url });
    folder = await mkdtemp(join(tmpdir(), "flux-snippets-"));
    await writeFile(join(folder, "model.onnx"), linearModel(new Float32Array(INPUTS * 2).fill(0.5), INPUTS));
    await writeFile(join(folder, "data.csv"), csvRecords(RECORDS, INPUTS));
  });
  afterAll(async () => {
    await donor.stop();
    await coordinator.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const { language, program, file, adapt = (source: string) => source } of RUNNERS) {
    const missing = spawnSync(program, ["--version"]).status !== 0;
    it.skipIf(missing)(`runs in ${language}${missing ? ` (skipped: no ${program} here)` : ""}`, async () => {
      const source = QUICK_START[language]({ url: coordinator.url, key: coordinator.key });
      await writeFile(join(folder, file), adapt(source));
      await rm(join(folder, "results.csv"), { force: true });
      await promisify(execFile)(program, [file], { cwd: folder });
      const rows = (await readFile(join(folder, "results.csv"), "utf8")).trimEnd().split("\r\n");
      expect(rows).toHaveLength(RECORDS + 1);
      expect(rows[0]).toBe("record,y_0,y_1");
    });
  }
});
