/** `flux forget JOB`: deletes what this machine keeps of a job whose key is here, once it has ended, after asking. */
import { createInterface } from "node:readline/promises";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { forgetJob } from "../custody/node/stores.ts";
import { say } from "./output.ts";
import { connect, type GlobalOptions } from "./settings.ts";

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "canceled"]);

export async function forget(id: JobId, options: GlobalOptions & { readonly yes?: boolean }): Promise<void> {
  const { client } = await connect(options);
  // A job that the coordinator does not have any more is over, too.
  const status = await client.job(id).then(
    (job) => job.status,
    (error: unknown) => {
      if (isFluxError(error) && error.code === "not_found") return "completed";
      throw error;
    },
  );
  if (!ENDED.has(status)) {
    throw new FluxError("conflict", `${id} is ${status}: \`flux cancel ${id}\` first, or wait for its end.`);
  }
  if (!options.yes && !(await agreed(id))) {
    throw new FluxError("invalid_request", "Nothing was deleted: answer yes, or give --yes.");
  }
  if (!(await forgetJob(id))) throw new FluxError("not_found", `Nothing of ${id} is on this machine.`);
  say(
    `Keys, answers and labels of ${id} are deleted from this machine. Its ciphertexts cannot be read by anybody now.`,
  );
}

/** False where nobody can be asked. */
async function agreed(id: JobId): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Delete the keys and answers of ${id} for ever? Type yes: `);
    return answer.trim().toLowerCase() === "yes";
  } finally {
    terminal.close();
  }
}
