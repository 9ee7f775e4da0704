/**
 * Secret keys of jobs in the coordinator's custody: one file per job and generation, readable by the coordinator's user
 * only, deleted when the job has ended. A batch that did not decrypt is done anew under the next generation.
 */
import { chmod, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";

export interface KeyVault {
  /** Durable before it resolves: nothing may be encrypted under a key that a crash could lose. */
  write(jobId: JobId, generation: number, secret: Uint8Array): Promise<void>;
  /** @throws FluxError key_lost */
  read(jobId: JobId, generation: number): Promise<Uint8Array<ArrayBuffer>>;
  has(jobId: JobId, generation: number): Promise<boolean>;
  /** Deletes all of a job's keys. */
  forget(jobId: JobId): Promise<void>;
}

export async function openKeyVault(dataFolder: string): Promise<KeyVault> {
  const folder = join(dataFolder, "keys");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const fileOf = (jobId: JobId, generation: number) => join(folder, `${jobId}.${generation}.key`);

  async function read(jobId: JobId, generation: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return Uint8Array.from(await readFile(fileOf(jobId, generation)));
    } catch (cause) {
      throw new FluxError(
        "key_lost",
        `The secret key of ${jobId} is not in this coordinator's data folder: its results cannot be read. Submit the job again.`,
        { cause },
      );
    }
  }

  return {
    async write(jobId, generation, secret) {
      const file = await open(fileOf(jobId, generation), "wx", 0o600);
      try {
        await file.writeFile(secret);
        await file.sync();
      } finally {
        await file.close();
      }
      const directory = await open(folder, "r");
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
    read,
    has: (jobId, generation) =>
      read(jobId, generation).then(
        () => true,
        () => false,
      ),
    async forget(jobId) {
      for (const file of await readdir(folder)) {
        if (file.startsWith(`${jobId}.`)) await rm(join(folder, file), { force: true });
      }
    },
  };
}
