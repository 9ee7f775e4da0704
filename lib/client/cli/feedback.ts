/** `flux feedback` and `flux aggregate`: what is right is sent back, and how the answers came about is said. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import type { AggregationReport, JobAggregation, Reducer } from "#lib/protocol/api/aggregation.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { jobIdOf } from "./arguments.ts";
import { print, printJson, say } from "./output.ts";
import { connect, type GlobalOptions } from "./settings.ts";

export async function feedback(
  id: string,
  path: string,
  options: GlobalOptions & { readonly replace?: boolean },
): Promise<void> {
  const connection = await connect(options);
  const job = await connection.client.job(jobIdOf(id));
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  const kept = await connection.client.giveFeedback(job.id, await openAsBlob(path, { type: "text/csv" }), {
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
  options: GlobalOptions & { readonly aggregation?: Reducer },
): Promise<void> {
  const { client } = await connect(options);
  show(await client.aggregate(jobIdOf(id), options.aggregation ? { reducer: options.aggregation } : {}), options);
}

function show(job: JobResource, options: GlobalOptions): void {
  if (options.json) printJson(job.aggregation);
  else if (job.aggregation) for (const line of describeAggregation(job.aggregation)) print(line);
}

/** The report in some lines: what was used, why, and how good each candidate was on records it had not seen. */
export function describeAggregation({ version, report }: Pick<JobAggregation, "version" | "report">): string[] {
  return [
    `Results version ${version}: ${report.reducer} (${report.because})`,
    ...report.candidates.map(candidateLine),
    ...report.trust,
    ...report.notes.map((note) => `note: ${note}`),
  ];
}

function candidateLine(candidate: AggregationReport["candidates"][number]): string {
  const name = candidate.reducer.padEnd(11);
  const loss = `loss ${candidate.loss.toFixed(4)} ± ${candidate.loss_standard_error.toFixed(4)}`;
  if (candidate.accuracy === null || candidate.accuracy_interval === null) return `  ${name} ${loss}`;
  const [low, high] = candidate.accuracy_interval.map((share) => (100 * share).toFixed(1));
  const calibration = (100 * (candidate.calibration_error ?? 0)).toFixed(1);
  return `  ${name} ${(100 * candidate.accuracy).toFixed(1)} % right (${low}–${high}), ${loss}, ${calibration} points off in stated certainty`;
}
