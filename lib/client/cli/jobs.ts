/** `flux jobs`, `flux job ID`, `flux cancel ID`. */

import { jobIdOf } from "./arguments.ts";
import { describeJob, jobRow, print, printJson, say } from "./output.ts";
import { connect, type GlobalOptions } from "./settings.ts";
import { watchJob } from "./submit.ts";

export async function listJobs(options: GlobalOptions & { readonly limit: number }): Promise<void> {
  const { client } = await connect(options);
  const { data } = await client.listJobs({ limit: options.limit });
  if (options.json) return printJson(data);
  if (data.length === 0) say("No jobs yet: flux submit MODEL DATASET");
  for (const job of data) print(jobRow(job));
}

export async function showJob(id: string, options: GlobalOptions & { readonly watch?: boolean }): Promise<void> {
  const { client, url } = await connect(options);
  const found = await client.job(jobIdOf(id));
  const job = options.watch ? await watchJob(client, found) : found;
  if (options.json) return printJson(job);
  for (const line of describeJob(job)) print(line);
  print(`  page     ${url}${job.urls.page}`);
}

export async function cancelJob(id: string, options: GlobalOptions): Promise<void> {
  const { client } = await connect(options);
  const job = await client.cancelJob(jobIdOf(id));
  if (options.json) return printJson(job);
  say(`${job.id} is cancelled.`);
}
