/** Encrypted jobs whose keys stay on this machine: submit, see through, take up again, write results. */
import { createWriteStream, openAsBlob } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { resultFile } from "#lib/dataset/results/index.ts";
import type { Feedback, Reducer } from "#lib/protocol/api/aggregation.ts";
import type { JobResource, ResultFormat } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { addSealedFeedback, aggregateSealed } from "../custody/aggregate-sealed.ts";
import type { Engine } from "../custody/engine-caller.ts";
import type { NamedFile } from "../custody/engine-calls.ts";
import { openEngine } from "../custody/node/open-engine.ts";
import { folderJobs, folderKeys, keysFolder } from "../custody/node/stores.ts";
import { reopenSealed } from "../custody/reopen.ts";
import { decryptedOutputs } from "../custody/results.ts";
import { type CustodyProgress, runSealed, type SealedOutcome } from "../custody/run-sealed.ts";
import { loadState, type SealedState } from "../custody/stores.ts";
import { planSealed, sealedPlan, submitSealed } from "../custody/submit-sealed.ts";
import type { FluxClient } from "../flux-client.ts";
import { combining, formatOf, placing, type SubmitOptions } from "./arguments.ts";
import { readDatasetOptions } from "./dataset-options.ts";
import { describeReport } from "./describe-aggregation.ts";
import { describePlan, print, printJson, say } from "./output.ts";
import { bar, progressLine, whileWaiting } from "./progress.ts";
import { type Connection, connect, type GlobalOptions } from "./settings.ts";

export async function submitFromHere(
  modelPaths: readonly string[],
  datasetPath: string,
  options: SubmitOptions,
): Promise<void> {
  const { segments, ...combined } = combining(options);
  const { ingest, inputs } = await readDatasetOptions(options);
  const { client, url } = await connect(options);
  const format = formatOf(options.format, options.output);
  await using engine = closing(await openEngine());
  const line = progressLine(process.stderr);
  const planning = planSealed(
    engine.engine,
    {
      models: await Promise.all(modelPaths.map(sourceFile)),
      dataset: await sourceFile(datasetPath),
      ingest,
      segments,
      options: {
        inputs: [...inputs],
        ...combined,
        ...placing(options),
      },
    },
    ({ description }) => {
      line.end();
      say(`${basename(datasetPath)}: ${description.records} records; they stay on this machine`);
      for (const warning of description.warnings) say(`note: ${warning}`);
    },
  );
  const words = "Planning on this machine: compiling the model and rehearsing it on encrypted records…";
  const planned = await whileWaiting(line, words, planning);
  if (options.dryRun) {
    const plan = await sealedPlan(client, planned);
    if (options.json) printJson(plan);
    else for (const text of describePlan(plan)) print(text);
    return;
  }
  const { job, state } = await submitSealed(client, folderJobs(), url, planned);
  if (job.plan) for (const text of describePlan(job.plan)) say(text);
  say(`${url}${job.urls.page}`);
  say(`Keys of this job: ${keysFolder()}; without them nobody can read its results.`);
  if (!options.watch) {
    say(`Nothing is encrypted yet: \`flux resume ${job.id}\` encrypts, uploads and decrypts.`);
    if (options.json) printJson(job);
    else print(job.id);
    return;
  }
  const outcome = await seeThrough(client, engine.engine, state, line);
  await writeSealed(state, format, options.output ?? `${job.id}.${format}`);
  report(outcome, options);
}

/** Takes up a job of this machine where it was left, and writes its results. */
export async function resume(
  id: JobId,
  options: GlobalOptions & { readonly output?: string; readonly format?: ResultFormat },
): Promise<void> {
  const { client, url } = await connect(options);
  const format = formatOf(options.format, options.output);
  const state = await loadState(folderJobs(), id);
  const job = await client.job(id);
  if (job.custody !== "submitter") {
    throw new FluxError("invalid_request", `The key of ${id} is with the coordinator: \`flux results ${id}\`.`);
  }
  const path = options.output ?? `${id}.${format}`;
  if (await allDecrypted(state)) {
    await writeSealed(state, format, path);
    if (options.json) printJson(job);
    return;
  }
  await using engine = closing(await openEngine());
  await reopen(engine.engine, state, url);
  const outcome = await seeThrough(client, engine.engine, state, progressLine(process.stderr));
  await writeSealed(state, format, path);
  report(outcome, options);
}

/** Results of a job whose key is here; decrypts what is not decrypted yet. */
export async function sealedResults(
  { client, url }: Connection,
  job: JobResource,
  format: ResultFormat,
  output: string | undefined,
): Promise<void> {
  const state = await loadState(folderJobs(), job.id);
  if (!(await allDecrypted(state))) {
    await using engine = closing(await openEngine());
    await reopen(engine.engine, state, url);
    await seeThrough(client, engine.engine, state, progressLine(process.stderr));
  }
  if (output !== undefined) return writeSealed(state, format, output);
  const { source } = await aggregateSealed(folderJobs(), state);
  const { bytes } = resultFile(format, source);
  await pipeline(bytes, process.stdout, { end: false });
}

/** Labels and ratings stay here; the results are fitted and written anew, here. */
export async function sealedFeedback(job: JobResource, feedback: Feedback, output: string | undefined): Promise<void> {
  const state = await loadState(folderJobs(), job.id);
  if (!(await allDecrypted(state))) {
    throw new FluxError("conflict", `Not everything is decrypted yet: run \`flux resume ${job.id}\` first.`);
  }
  const kept = await addSealedFeedback(folderJobs(), state, feedback, Date.now());
  say(`${kept.labels} labels and ${kept.ratings} ratings kept, on this machine.`);
  await writeSealed(state, formatOf(undefined, output), output ?? `${job.id}.csv`);
}

/** What the dataset calls its records; undefined where they are numbered. */
export async function sealedIdName(job: JobResource): Promise<string | undefined> {
  return (await loadState(folderJobs(), job.id)).idName ?? undefined;
}

/** Results written anew, with another reducer if one is named. */
export async function aggregateHere(job: JobResource, reducer: Reducer | undefined, output: string | undefined) {
  const state = await loadState(folderJobs(), job.id);
  await writeSealed(state, formatOf(undefined, output), output ?? `${job.id}.csv`, reducer);
}

async function allDecrypted(state: SealedState): Promise<boolean> {
  const decrypted = decryptedOutputs(folderJobs(), state);
  for (let batch = 0; batch < state.batches; batch++) if (!(await decrypted.has(batch))) return false;
  return true;
}

async function seeThrough(
  client: FluxClient,
  engine: Engine,
  state: SealedState,
  line: ReturnType<typeof progressLine>,
): Promise<SealedOutcome> {
  const stop = new AbortController();
  const interrupt = () =>
    stop.abort(
      new FluxError("conflict", `Stopped. What is done is kept: \`flux resume ${state.job}\` goes on, at any time.`),
    );
  process.once("SIGINT", interrupt);
  try {
    return await runSealed({
      client,
      engine,
      keys: folderKeys(),
      store: folderJobs(),
      state,
      signal: stop.signal,
      onProgress: (progress) => line.show(progressWords(progress)),
    });
  } finally {
    process.off("SIGINT", interrupt);
    line.end();
  }
}

/** Four bars, one for each thing that goes on. */
function progressWords({ batches, encrypted, uploadedBytes, uploadBytes, ...rest }: CustodyProgress): string {
  const part = (name: string, share: number) =>
    `${name} ${bar(share, 6)} ${String(Math.floor(100 * share)).padStart(3)} %`;
  return [
    part("encrypt", encrypted / batches),
    part("upload", uploadedBytes / Math.max(1, uploadBytes)),
    part("compute", rest.lanesDone / Math.max(1, rest.lanes)),
    part("decrypt", rest.decrypted / batches),
  ].join(" ");
}

/** Reads model and dataset again, from where they were. */
async function reopen(engine: Engine, state: SealedState, url: string): Promise<void> {
  const models = [];
  for (const { path, name } of state.models) models.push(await sourceFile(path ?? name));
  const dataset = await sourceFile(state.dataset.path ?? state.dataset.name);
  await reopenSealed(engine, folderJobs(), state, { models, dataset }, async (digest) => {
    const response = await fetch(new URL(`/artefacts/${digest}`, url));
    if (response.ok) return response.blob();
    throw new FluxError("not_found", "The job's program is not on the server any more: the job was deleted.");
  });
}

async function sourceFile(path: string): Promise<NamedFile> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new FluxError("invalid_request", `There is no file ${path}: check the path.`);
  return { name: basename(path), content: await openAsBlob(path), path: resolve(path) };
}

/** Whole or not at all. */
async function writeSealed(state: SealedState, format: ResultFormat, path: string, reducer?: Reducer): Promise<void> {
  const { source, report } = await aggregateSealed(folderJobs(), state, reducer);
  if (state.members.length * state.pieces.length > 1 || report.candidates.length > 0) {
    for (const line of describeReport(report)) say(line);
  }
  const { bytes } = resultFile(format, source);
  const partial = `${path}.part`;
  try {
    await pipeline(bytes, createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  say(`Results: ${path}`);
}

function report({ job, fidelity, clippedValues }: SealedOutcome, options: GlobalOptions): void {
  if (fidelity) {
    say(
      `Measured here on ${fidelity.records} records: ${(100 * fidelity.same_answer_rate).toFixed(2)} % same answers as the plain model, largest error ${Number(fidelity.largest_error.toPrecision(2))}`,
    );
  }
  if (clippedValues > 0) say(`note: ${clippedValues} values were outside the planned range and were clipped to it`);
  if (options.json) printJson(job);
}

function closing(engine: Engine): AsyncDisposable & { readonly engine: Engine } {
  return { engine, [Symbol.asyncDispose]: () => engine.close() };
}
