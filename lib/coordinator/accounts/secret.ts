/** The secret that signs session cookies: a file in the data folder, made at the first start, readable by its user only. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const FILE = "auth-secret";

/** Deleting the file signs everybody out. Backups of the database do not hold it. */
export async function authSecret(dataFolder: string): Promise<string> {
  const path = join(dataFolder, FILE);
  const fresh = randomBytes(32).toString("base64url");
  try {
    await writeFile(path, `${fresh}\n`, { flag: "wx", mode: 0o600 });
    return fresh;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const kept = (await readFile(path, "utf8")).trim();
  if (kept.length >= 32) return kept;
  throw new Error(`${path} is damaged: delete it. Everybody signs in anew then.`);
}
