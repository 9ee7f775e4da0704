/** Opens the database file: pragmas that the promises rest on, and the migrations. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import BetterSqlite3 from "better-sqlite3";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";

export type Sqlite = BetterSqlite3.Database;
export type Drizzle = BetterSQLite3Database;

export interface OpenDatabase {
  readonly sqlite: Sqlite;
  readonly drizzle: Drizzle;
}

/** Read from the repository: the coordinator runs its TypeScript as it is. */
const MIGRATIONS = fileURLToPath(new URL("../../../drizzle/migrations", import.meta.url));

/** How long a statement waits for another process (a backup, a second coordinator by mistake) before it fails. */
const BUSY_TIMEOUT_MS = 5_000;

/** @param path a file, or ":memory:" in tests */
export function openDatabase(path: string): OpenDatabase {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  const sqlite = new BetterSqlite3(path);
  sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  sqlite.pragma("journal_mode = WAL");
  // Said explicitly: in WAL the driver's default is NORMAL, which may lose acknowledged commits when the power fails.
  sqlite.pragma("synchronous = FULL");
  // A migration that rebuilds a table drops the old one: with foreign keys on, all that refers to it would go with it.
  sqlite.pragma("foreign_keys = OFF");
  const database = drizzle(sqlite);
  migrate(database, { migrationsFolder: MIGRATIONS });
  sqlite.pragma("foreign_keys = ON");
  return { sqlite, drizzle: database };
}
