/** The committed migrations are what drizzle-kit makes of the schema, and SQLite runs as promised. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openDatabase } from "#lib/storage/sqlite/database.ts";

const Journal = z.looseObject({ entries: z.array(z.unknown()) });

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

  it("that rebuild the table of jobs keep everything that refers to it", () => {
    const old = join(folder, "old-migrations");
    cpSync("drizzle/migrations", old, { recursive: true });
    const journal = join(old, "meta", "_journal.json");
    const { entries, ...rest } = Journal.parse(JSON.parse(readFileSync(journal, "utf8")));
    writeFileSync(journal, JSON.stringify({ ...rest, entries: entries.slice(0, 2) }));
    const path = join(folder, "old.db");
    const before = new BetterSqlite3(path);
    before.pragma("foreign_keys = ON");
    migrate(drizzle(before), { migrationsFolder: old });
    before.exec(`
      insert into tenants values ('ten_a', 'a', 1);
      insert into files values ('file_a', 'ten_a', 'f', 'dataset', 1, 'aa', 1);
      insert into datasets values ('dst_a', 'ten_a', 'file_a', 'd', 'npy', 1, 'datasets/a', '{}', 1);
      insert into jobs values ('job_a', 'ten_a', 'j', 'running', 'public', 'coordinator', 'dst_a', '{}', null, null, 1, 1, null);
      insert into stages values ('stg_a', 'job_a', 0, 'onnx', 'bb', 'open', 1, 1, '{}', 1);`);
    before.close();
    const { sqlite } = openDatabase(path);
    expect(sqlite.prepare("select job_id, dataset_id from stages join jobs on jobs.id = job_id").all()).toEqual([
      { job_id: "job_a", dataset_id: "dst_a" },
    ]);
    expect(sqlite.pragma("foreign_key_check")).toEqual([]);
    expect(() => sqlite.exec("delete from datasets")).toThrow(/FOREIGN KEY/);
    sqlite.close();
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
