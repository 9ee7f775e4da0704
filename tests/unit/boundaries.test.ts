/** The import rules bite: for each rule a planted violation is reported, and the clean tree is not. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
let sandbox = "";

const violations = [
  { rule: "lib-protocol-imports", from: "lib/protocol/a.ts", imports: "../model/b.ts" },
  { rule: "lib-scheduling-imports", from: "lib/scheduling/a.ts", imports: "../aggregation/b.ts" },
  { rule: "lib-integrity-imports", from: "lib/integrity/a.ts", imports: "../scheduling/b.ts" },
  { rule: "lib-coordinator-imports", from: "lib/coordinator/a.ts", imports: "../client/b.ts" },
  { rule: "worker-imports", from: "worker/a.ts", imports: "../lib/keyholder/b.ts" },
  { rule: "app-imports", from: "app/a.ts", imports: "../lib/storage/b.ts" },
  { rule: "app-imports", from: "app/a.ts", imports: "../worker/kernels/b.ts" },
  { rule: "nothing-imports-tests", from: "lib/model/a.ts", imports: "../../tests/b.ts" },
  { rule: "keys-stay-with-the-key-holder", from: "lib/lanes/a.ts", imports: "node-seal" },
  { rule: "resolvable", from: "lib/lanes/a.ts", imports: "./nowhere.ts" },
];

beforeAll(() => {
  sandbox = mkdtempSync(join(root, "test-results-boundaries-"));
  for (const file of [".dependency-cruiser.cjs", "tsconfig.json", "package.json"])
    cpSync(join(root, file), join(sandbox, file));
  symlinkSync(join(root, "node_modules"), join(sandbox, "node_modules"));
});
afterAll(() => rmSync(sandbox, { recursive: true, force: true }));

function cruise(files: Record<string, string>): { status: number | null; output: string } {
  const folders = ["app", "lib", "worker", "drizzle", "tests"];
  for (const folder of folders) {
    rmSync(join(sandbox, folder), { recursive: true, force: true });
    mkdirSync(join(sandbox, folder), { recursive: true });
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(sandbox, path)), { recursive: true });
    writeFileSync(join(sandbox, path), text);
  }
  const cli = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const ran = spawnSync(
    process.execPath,
    [cli, "--config", ".dependency-cruiser.cjs", "--output-type", "err-long", ...folders],
    { cwd: sandbox, encoding: "utf8" },
  );
  return { status: ran.status, output: ran.stdout + ran.stderr };
}

describe("import rules", () => {
  it("let an allowed import pass", () => {
    const { status, output } = cruise({
      "lib/lanes/a.ts": 'import { b } from "../model/b.ts";\nexport const a = b;\n',
      "lib/model/b.ts": "export const b = 1;\n",
    });
    expect(output).toContain("2 modules");
    expect(status).toBe(0);
  });

  it.each(violations)("$rule reports $from importing $imports", ({ rule, from, imports }) => {
    const target = join(dirname(from), imports);
    const { status, output } = cruise({
      [from]: `import { b } from "${imports}";\nexport const a = b;\n`,
      ...(imports.endsWith("b.ts") ? { [target]: "export const b = 1;\n" } : {}),
    });
    expect(output).toContain(rule);
    expect(status).not.toBe(0);
  });

  it("report a cycle", () => {
    const { status, output } = cruise({
      "lib/model/a.ts": 'import { b } from "./b.ts";\nexport const a = () => b;\n',
      "lib/model/b.ts": 'import { a } from "./a.ts";\nexport const b = () => a;\n',
    });
    expect(output).toContain("no-cycles");
    expect(status).not.toBe(0);
  });
});
