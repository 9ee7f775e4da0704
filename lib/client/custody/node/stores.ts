/**
 * A key-holder's stores on a machine with a file system. Keys: `~/.config/flux/keys/JOB.GENERATION.key` (XDG_CONFIG_HOME), mode 0600 in
 * a folder of 0700. Everything else: `~/.local/state/flux/jobs/JOB/` (XDG_STATE_HOME), the same modes: it holds decrypted outputs.
 */
import { openAsBlob } from "node:fs";
import { chmod, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { JobStore, KeyStore } from "../stores.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export function keysFolder(environment: Environment = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "flux", "keys");
}

export function jobsFolder(environment: Environment = process.env): string {
  return join(environment.XDG_STATE_HOME || join(homedir(), ".local", "state"), "flux", "jobs");
}

export function folderKeys(folder = keysFolder()): KeyStore {
  const pathOf = (job: JobId, generation: number) => join(folder, `${job}.${generation}.key`);
  return {
    async write(job, generation, secret) {
      await privateFolder(folder);
      // Never over another key: what was encrypted under that one would be lost.
      await writeDurably(await open(pathOf(job, generation), "wx", 0o600), secret);
      await syncFolder(folder);
    },
    async read(job, generation) {
      try {
        return Uint8Array.from(await readFile(pathOf(job, generation)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw unreadable(pathOf(job, generation), error);
      }
    },
  };
}

export function folderJobs(folder = jobsFolder()): JobStore {
  const pathOf = (job: JobId, name: string) => join(folder, job, name);
  return {
    async put(job, name, content) {
      const path = pathOf(job, name);
      await privateFolder(dirname(path));
      const part = `${path}.part`;
      await writeDurably(await open(part, "w", 0o600), new Uint8Array(await content.arrayBuffer()));
      await rename(part, path);
      await syncFolder(dirname(path));
    },
    async get(job, name) {
      const path = pathOf(job, name);
      const found = await stat(path).catch(() => undefined);
      return found?.isFile() ? openAsBlob(path) : undefined;
    },
    async remove(job, name) {
      await rm(pathOf(job, name), { force: true });
    },
  };
}

/** Everything that this machine keeps of a job: keys of all generations, state, answers. @returns whether there was anything */
export async function forgetJob(job: JobId, keys = keysFolder(), jobs = jobsFolder()): Promise<boolean> {
  const names = (await readdir(keys).catch(() => [])).filter((name) => name.startsWith(`${job}.`));
  const kept = await stat(join(jobs, job)).catch(() => undefined);
  // Keys last: should this break off, what is left can still be read.
  await rm(join(jobs, job), { recursive: true, force: true });
  for (const name of names) await rm(join(keys, name), { force: true });
  return names.length > 0 || kept !== undefined;
}

async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}

async function writeDurably(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function unreadable(path: string, cause: unknown): FluxError {
  return new FluxError("key_lost", `The key file ${path} cannot be read: check who owns it and its mode (0600).`, {
    cause,
  });
}
