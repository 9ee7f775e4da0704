/** `flux submit MODEL DATASET`: uploads, shows the plan, submits, watches, and writes the results. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { CreateJob, JobResource } from "#lib/protocol/api/jobs.ts";
import type { FilePurpose } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { ModelId } from "#lib/protocol/ids.ts";
import type { FluxClient } from "../flux-client.ts";
import { combining, formatOf, modelsAndDataset, mustBeFiles, placing, type SubmitOptions } from "./arguments.ts";
import { readDatasetOptions } from "./dataset-options.ts";
import { describeAggregation } from "./describe-aggregation.ts";
import { describeDataset, describeModel, describePlan, describeRecipe, print, printJson, say } from "./output.ts";
import { bar, jobLine, progressLine, whileWaiting } from "./progress.ts";
import { writeResults } from "./results.ts";
import { connect } from "./settings.ts";

const ENCRYPTED_PLANNING = "Planning: compiling the model and rehearsing it on encrypted records…";
const PUBLIC_PLANNING = "Planning: trying the model on the first records…";

export async function submit(files: readonly string[], options: SubmitOptions): Promise<void> {
  const { models: modelPaths, dataset: datasetPath } = modelsAndDataset(files, options.models);
  await mustBeFiles([...modelPaths, datasetPath]);
  if (options.privacy === "encrypted" && options.custody === "submitter") {
    return (await import("./sealed.ts")).submitFromHere(modelPaths, datasetPath, options);
  }
  const { ingest, inputs } = await readDatasetOptions(options);
  const { labelColumn, idColumn, columns, ...rest } = ingest;
  const { client, url } = await connect(options);
  const format = formatOf(options.format, options.output);
  const models: ModelId[] = [];
  for (const path of modelPaths) {
    const modelFile = await upload(client, path, "model");
    const model = await client.createModel({ file_id: modelFile.id });
    say(describeModel(model));
    models.push(model.id);
  }
  const dataFile = await upload(client, datasetPath, "dataset");
  const dataset = await client.createDataset({
    file_id: dataFile.id,
    ...(models[0] ? { model: models[0] } : {}),
    ...(labelColumn === undefined ? {} : { label_column: labelColumn }),
    ...(idColumn === undefined ? {} : { id_column: idColumn }),
    ...(columns === undefined ? {} : { columns: [...columns] }),
    ...rest,
  });
  say(describeDataset(dataset));
  for (const warning of dataset.warnings) say(`note: ${warning}`);

  const request = {
    models,
    dataset: dataset.id,
    privacy: options.privacy,
    inputs: [...inputs],
    ...combining(options),
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    ...placing(options),
  } satisfies Partial<CreateJob>;
  if (options.dryRun) {
    const { plan, recipe } = await client.planJob(request);
    if (options.json) printJson(plan);
    else for (const line of [...(recipe ? describeRecipe(recipe) : []), ...describePlan(plan)]) print(line);
    return;
  }
  const job = await whileWaiting(
    progressLine(process.stderr),
    options.privacy === "encrypted" ? ENCRYPTED_PLANNING : PUBLIC_PLANNING,
    client.createJob(request, { idempotencyKey: crypto.randomUUID() }),
  );
  if (job.recipe) for (const line of describeRecipe(job.recipe)) say(line);
  if (job.plan) for (const line of describePlan(job.plan)) say(line);
  say(`${url}${job.urls.page}`);
  if (!options.watch) {
    if (options.json) printJson(job);
    else print(job.id);
    return;
  }
  const done = await watchJob(client, job);
  const path = options.output ?? `${job.id}.${format}`;
  await writeResults(client, done.id, format, path);
  if (done.aggregation) for (const text of describeAggregation(done.aggregation)) say(text);
  say(`Results: ${path}`);
  if (options.json) printJson(done);
}

/** Follows a job to its end. Throws the job's error when it failed. */
export async function watchJob(client: FluxClient, job: JobResource): Promise<JobResource> {
  const line = progressLine(process.stderr);
  const done = await client
    .waitForJob(job.id, { onProgress: (now) => line.show(jobLine(now)) })
    .finally(() => line.end());
  if (done.status === "completed") return done;
  if (done.status === "canceled") throw new FluxError("conflict", `${done.id} was cancelled.`);
  const { detail } = done.error ?? { detail: "It failed without saying why; look at the server's log." };
  throw new FluxError("conflict", `${done.id} failed: ${detail}`);
}

async function upload(client: FluxClient, path: string, purpose: FilePurpose) {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  const line = progressLine(process.stderr);
  line.show(`Uploading ${basename(path)} (${(found.size / 1e6).toFixed(1)} MB)…`);
  try {
    return await client.uploadFile(await openAsBlob(path), basename(path), purpose, {
      onProgress: (bytes) => line.show(`${bar(bytes / found.size)} ${basename(path)} ${(bytes / 1e6).toFixed(1)} MB`),
    });
  } finally {
    line.end();
  }
}
