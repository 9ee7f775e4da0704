/** The committed migrations are what drizzle-kit makes of the schema, and SQLite runs as promised. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDatabase } from "#lib/storage/sqlite/database.ts";

const folder = mkdtempSync(join(tmpdir(), "flux-migrations-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("migrations", () => {
  it("say all that the schema says: generating again adds nothing", () => {
    const copy = join(folder, "migrations");
    cpSync("drizzle/migrations", copy, { recursive: true });
    const kit = join("node_modules", "drizzle-kit", "bin.cjs");
    execFileSync(
      process.execPath,
      [kit, "generate", "--dialect=sqlite", "--schema=./drizzle/schema.ts", `--out=${copy}`],
      {
        stdio: "pipe",
      },
    );
    expect(readdirSync(copy).sort()).toEqual(readdirSync("drizzle/migrations").sort());
  });

  it("apply to an empty file, and again to the same file", () => {
    const path = join(folder, "a", "flux.db");
    openDatabase(path).sqlite.close();
    const { sqlite } = openDatabase(path);
    expect(sqlite.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(sqlite.pragma("synchronous", { simple: true })).toBe(2);
    expect(sqlite.pragma("foreign_keys", { simple: true })).toBe(1);
    expect(sqlite.pragma("busy_timeout", { simple: true })).toBeGreaterThan(0);
    sqlite.close();
  });
});
