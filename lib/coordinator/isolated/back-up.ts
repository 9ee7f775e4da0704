/** Task: a whole, consistent copy of the database, by SQLite's own VACUUM INTO, beside the running one. */
import BetterSqlite3 from "better-sqlite3";
import { z } from "zod";
import { serveTask } from "./task.ts";

const Input = z.object({ database: z.string(), target: z.string() });

await serveTask(async (input) => {
  const { database, target } = Input.parse(input);
  const sqlite = new BetterSqlite3(database, { readonly: true, fileMustExist: true });
  try {
    sqlite.prepare("vacuum into ?").run(target);
  } finally {
    sqlite.close();
  }
  return null;
});
