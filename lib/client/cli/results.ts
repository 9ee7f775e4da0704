/** `flux results ID`: downloads, streamed to a file or to standard output. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { ResultFormat } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { FluxClient } from "../flux-client.ts";
import { formatOf, jobIdOf } from "./arguments.ts";
import { say } from "./output.ts";
import { connect, type GlobalOptions } from "./settings.ts";

export interface ResultsOptions extends GlobalOptions {
  readonly output?: string;
  readonly format?: ResultFormat;
}

export async function results(id: string, options: ResultsOptions): Promise<void> {
  const connection = await connect(options);
  const { client } = connection;
  const format = formatOf(options.format, options.output);
  const job = await client.job(jobIdOf(id));
  if (job.custody === "submitter") {
    return (await import("./sealed.ts")).sealedResults(connection, job, format, options.output);
  }
  if (options.output === undefined) {
    const response = await client.results(jobIdOf(id), format);
    if (response.body) await pipeline(response.body, process.stdout, { end: false });
    return;
  }
  await writeResults(client, jobIdOf(id), format, options.output);
  say(`Results: ${options.output}`);
}

/** Whole or not at all: written beside the wanted file and renamed. */
export async function writeResults(client: FluxClient, id: JobId, format: ResultFormat, path: string): Promise<void> {
  const response = await client.results(id, format);
  if (!response.body) throw new FluxError("internal", "The server answered without results: try again.");
  const partial = `${path}.part`;
  try {
    await pipeline(response.body, createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
