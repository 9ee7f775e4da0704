/** What commands are given, read the same everywhere. */
import { stat } from "node:fs/promises";
import type { Reducer } from "#lib/protocol/api/aggregation.ts";
import { type CreateJob, ResultFormat } from "#lib/protocol/api/jobs.ts";
import type { SegmentSpec } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { type GroupId, JobId, JoinToken } from "#lib/protocol/ids.ts";
import type { DatasetOptions } from "./dataset-options.ts";
import type { GlobalOptions } from "./settings.ts";

export interface SubmitOptions extends GlobalOptions, DatasetOptions {
  readonly privacy: "encrypted" | "public";
  readonly custody: "submitter" | "coordinator";
  readonly runtime?: CreateJob["runtime"];
  readonly models?: readonly string[];
  readonly window?: SegmentSpec;
  readonly tile?: SegmentSpec;
  readonly aggregation?: Reducer;
  /** Commander's --no-contribute. */
  readonly contribute: boolean;
  readonly name?: string;
  readonly group?: GroupId;
  readonly regions?: readonly string[];
  readonly minFidelity?: number;
  readonly acceptFidelity?: boolean;
  readonly dryRun?: boolean;
  /** Commander's --no-watch. */
  readonly watch: boolean;
  readonly output?: string;
  readonly format?: ResultFormat;
}

/** MODEL… DATASET, or DATASET with --models. */
export function modelsAndDataset(
  files: readonly string[],
  models: readonly string[] = [],
): { readonly models: readonly string[]; readonly dataset: string } {
  const dataset = files.at(-1);
  const all = [...files.slice(0, -1), ...models];
  if (dataset !== undefined && all.length > 0) return { models: all, dataset };
  throw new FluxError("invalid_request", "Name a model and a dataset: `flux submit model.onnx records.csv`.");
}

/** What is named wrong is said before anything is read, compiled or sent. @throws FluxError invalid_request */
export async function mustBeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  }
}

/** Whose donors, where, and what the job is called: the same in both custodies. */
export function placing({ name, group, regions, minFidelity, acceptFidelity }: SubmitOptions) {
  return {
    ...(name === undefined ? {} : { name }),
    ...(group === undefined ? {} : { group }),
    ...(regions === undefined ? {} : { regions: { allow: [...regions] } }),
    ...(minFidelity === undefined ? {} : { min_fidelity: minFidelity }),
    ...(acceptFidelity ? { accept_fidelity: true } : {}),
  };
}

/** A private group's join token, alone or in its link. @throws FluxError invalid_request */
export function joinTokenOf(text: string): JoinToken {
  const inLink = URL.canParse(text) ? new URL(text).searchParams.get("group") : null;
  const token = JoinToken.safeParse(inLink ?? text);
  if (token.success) return token.data;
  throw new FluxError("invalid_request", `"${text}" is not a group's link: they end in ?group=join_…`);
}

/** What POST /jobs takes of how outputs are combined. */
export function combining({ window, tile, aggregation, contribute }: SubmitOptions) {
  if (window && tile) throw new FluxError("invalid_request", "Give either --window or --tile.");
  const segments = window ?? tile;
  return {
    ...(segments ? { segments } : {}),
    ...(aggregation ? { aggregation } : {}),
    ...(contribute ? {} : { contribute: false }),
  };
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
