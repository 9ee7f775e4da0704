/** `flux feedback` and `flux aggregate`: what is right is sent back, and how the answers came about is said. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { readFeedbackCsv } from "#lib/dataset/feedback-csv.ts";
import { Feedback, type Reducer } from "#lib/protocol/api/aggregation.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { jobIdOf } from "./arguments.ts";
import { describeAggregation } from "./describe-aggregation.ts";
import { print, printJson, say } from "./output.ts";
import { connect, type GlobalOptions } from "./settings.ts";

export async function feedback(
  id: string,
  path: string,
  options: GlobalOptions & { readonly replace?: boolean; readonly output?: string },
): Promise<void> {
  const connection = await connect(options);
  const job = await connection.client.job(jobIdOf(id));
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  const content = await openAsBlob(path, { type: "text/csv" });
  if (job.custody === "submitter") {
    const { sealedFeedback, sealedIdName } = await import("./sealed.ts");
    const rows = await readFeedbackCsv(new Uint8Array(await content.arrayBuffer()), await sealedIdName(job));
    const sent = Feedback.parse({ ...rows, replace: options.replace ?? false });
    return sealedFeedback(job, sent, options.output);
  }
  const kept = await connection.client.giveFeedback(job.id, content, {
    replace: options.replace ?? false,
  });
  say(`${kept.labels} labels and ${kept.ratings} ratings kept; ${kept.labels_total} labels in all.`);
  if (!kept.refit) {
    if (options.json) printJson(kept);
    return;
  }
  show(await connection.client.aggregate(job.id), options);
}

export async function aggregate(
  id: string,
  options: GlobalOptions & { readonly aggregation?: Reducer; readonly output?: string },
): Promise<void> {
  const { client } = await connect(options);
  const job = await client.job(jobIdOf(id));
  if (job.custody === "submitter") {
    return (await import("./sealed.ts")).aggregateHere(job, options.aggregation, options.output);
  }
  show(await client.aggregate(job.id, options.aggregation ? { reducer: options.aggregation } : {}), options);
}

function show(job: JobResource, options: GlobalOptions): void {
  if (options.json) printJson(job.aggregation);
  else if (job.aggregation) for (const line of describeAggregation(job.aggregation)) print(line);
}
