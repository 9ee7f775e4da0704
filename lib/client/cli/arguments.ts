/** What commands are given, read the same everywhere. */
import { type CreateJob, ResultFormat } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { JobId } from "#lib/protocol/ids.ts";
import type { DatasetOptions } from "./dataset-options.ts";
import type { GlobalOptions } from "./settings.ts";

export interface SubmitOptions extends GlobalOptions, DatasetOptions {
  readonly privacy: "encrypted" | "public";
  readonly custody: "submitter" | "coordinator";
  readonly runtime?: CreateJob["runtime"];
  readonly name?: string;
  readonly minFidelity?: number;
  readonly acceptFidelity?: boolean;
  readonly dryRun?: boolean;
  /** Commander's --no-watch. */
  readonly watch: boolean;
  readonly output?: string;
  readonly format?: ResultFormat;
}

/** As stated, else by the file's ending, else CSV. */
export function formatOf(stated: ResultFormat | undefined, path: string | undefined): ResultFormat {
  if (stated !== undefined) return stated;
  const ending = path?.split(".").at(-1);
  const known = ResultFormat.safeParse(ending === "npz" ? "npy" : ending);
  return known.success ? known.data : "csv";
}

export function jobIdOf(text: string): JobId {
  const id = JobId.safeParse(text);
  if (id.success) return id.data;
  throw new FluxError("invalid_request", `"${text}" is not a job's id: they look like job_… (see \`flux jobs\`).`);
}
