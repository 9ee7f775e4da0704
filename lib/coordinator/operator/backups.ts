/**
 * Backups of the database: `backups/flux-<time>.sqlite` in the data folder. They hold every row, webhook secrets and hashed
 * passwords too, so they are readable by the server's user only. Blobs, results and key files lie beside the database and are
 * copied as files. To restore: stop the server, put the copy in place of flux.sqlite, and start it.
 */
import { createReadStream } from "node:fs";
import { chmod, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BackupName, type BackupResource } from "#lib/protocol/api/operator.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";

const TASK = new URL("../isolated/back-up.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 600_000,
  heapMiB: 256,
  onLimit: { code: "unavailable", detail: "The backup took longer than ten minutes: use sqlite3's .backup instead." },
};
/** Older ones are deleted: download what is to be kept. */
const KEPT = 5;

export class Backups {
  readonly #database: string;
  readonly #folder: string;
  #making = false;

  constructor(dataFolder: string) {
    this.#database = join(dataFolder, "flux.sqlite");
    this.#folder = join(dataFolder, "backups");
  }

  /** Newest first. */
  async list(): Promise<BackupResource[]> {
    const names = (await readdir(this.#folder).catch(() => [])).filter((name) => BackupName.safeParse(name).success);
    return Promise.all(
      names
        .sort()
        .reverse()
        .map((name) => this.#resource(name)),
    );
  }

  /** @throws FluxError conflict while another one is made */
  async make(nowMs: number): Promise<BackupResource> {
    if (this.#making) throw new FluxError("conflict", "A backup is being made: wait for it.");
    this.#making = true;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const digits = new Date(nowMs).toISOString().replace(/\D/g, "");
      const name = `flux-${digits.slice(0, 8)}-${digits.slice(8, 14)}.sqlite`;
      const target = join(this.#folder, name);
      // Of this very second: VACUUM INTO writes to no file that is there.
      await rm(target, { force: true });
      await runIsolated(TASK, { database: this.#database, target }, LIMITS);
      await chmod(target, 0o600);
      for (const old of (await this.list()).slice(KEPT)) await rm(join(this.#folder, old.name), { force: true });
      return this.#resource(name);
    } finally {
      this.#making = false;
    }
  }

  /** @throws FluxError not_found */
  async read(name: string): Promise<{ readonly bytes: number; readonly stream: AsyncIterable<Uint8Array> }> {
    const { bytes } = await this.#resource(BackupName.parse(name));
    return { bytes, stream: createReadStream(join(this.#folder, name)) };
  }

  async #resource(name: string): Promise<BackupResource> {
    const found = await stat(join(this.#folder, name)).catch(() => undefined);
    if (!found) throw new FluxError("not_found", "There is no such backup: the last five are kept.");
    return { name, object: "backup", bytes: found.size, created_at: found.mtime.toISOString() };
  }
}
