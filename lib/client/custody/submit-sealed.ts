/** Plans a job at home, uploads the model and the lane programs, and submits. Nothing of the records leaves; no key exists yet. */
import type { z } from "zod";
import type { CreateJob, JobResource, Plan } from "#lib/protocol/api/jobs.ts";
import type { SegmentSpec } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { Digest, type FileId, type ModelId } from "#lib/protocol/ids.ts";
import type { FluxClient } from "../flux-client.ts";
import type { Engine } from "./engine-caller.ts";
import { type IngestSettings, type LocalPlan, type NamedFile, type OpenedInputs, sentFile } from "./engine-calls.ts";
import { type JobStore, knownFile, programBlob, type SealedState, saveState } from "./stores.ts";

export interface SealedRequest {
  readonly models: readonly NamedFile[];
  /** The same models where the coordinator has them already, in their order; else they are uploaded. */
  readonly modelIds?: readonly ModelId[];
  readonly dataset: NamedFile;
  readonly ingest: IngestSettings;
  /** Cuts every record here; the coordinator learns only into how many pieces. */
  readonly segments?: SegmentSpec | undefined;
  /** What POST /jobs takes besides. */
  readonly options: Omit<
    z.input<typeof CreateJob>,
    "model" | "models" | "dataset" | "segments" | "sealed" | "privacy" | "custody" | "dry_run"
  >;
}

export interface LocallyPlanned {
  readonly request: SealedRequest;
  readonly opened: OpenedInputs;
  readonly local: LocalPlan;
}

/**
 * Reads, compiles and rehearses, all in the engine.
 * @throws FluxError dataset_…, model_…, plan_… as the coordinator would
 */
export async function planSealed(
  engine: Engine,
  request: SealedRequest,
  onOpened: (opened: OpenedInputs) => void = () => {},
): Promise<LocallyPlanned> {
  const opened = await engine.call("open", {
    models: request.models.map(sentFile),
    dataset: sentFile(request.dataset),
    ingest: request.ingest,
    inputs: request.options.inputs ?? [],
    ...(request.segments ? { segments: request.segments } : {}),
  });
  onOpened(opened);
  const local = await engine.call("plan", { minFidelity: request.options.min_fidelity ?? 0.99 });
  return { request, opened, local };
}

/** What it would cost and what donors would see, with the donors that are online now; nothing is kept but the uploaded files. */
export async function sealedPlan(client: FluxClient, planned: LocallyPlanned): Promise<Plan> {
  const { job } = await uploadAll(client, planned);
  return (await client.planJob(job)).plan;
}

/** @throws FluxError plan_fidelity where the rehearsal was less faithful than wanted and that is not accepted */
export async function submitSealed(
  client: FluxClient,
  store: JobStore,
  url: string,
  planned: LocallyPlanned,
): Promise<{ readonly job: JobResource; readonly state: SealedState }> {
  const { request, opened, local } = planned;
  if (local.refusal !== null && !request.options.accept_fidelity) throw new FluxError("plan_fidelity", local.refusal);
  const { job: body, programs } = await uploadAll(client, planned);
  const job = await client.createJob(body, { idempotencyKey: crypto.randomUUID() });
  if (job.error) throw new FluxError("plan_fidelity", job.error.detail);
  const { records } = opened.description;
  const state: SealedState = {
    version: 1,
    job: job.id,
    url,
    plan: local.plan as SealedState["plan"],
    programs: local.programs.map(({ digest, members }) => ({ digest: Digest.parse(digest), members: [...members] })),
    members: local.members.map((outputs) => [...outputs]),
    records,
    recordsPerBatch: local.recordsPerBatch,
    batches: Math.ceil((records * opened.pieces.length) / local.recordsPerBatch),
    pieces: opened.pieces.map(({ position, coverage }) => ({ position: [...position], coverage })),
    ...(request.segments ? { segments: request.segments } : {}),
    idName: opened.description.id?.name ?? null,
    label: opened.description.label,
    aggregation: request.options.aggregation ?? "auto",
    models: await Promise.all(request.models.map(({ name, content, path }) => knownFile(name, content, path ?? null))),
    dataset: await knownFile(request.dataset.name, request.dataset.content, request.dataset.path ?? null),
    ingest: ingestState(request.ingest),
    inputs: request.options.inputs ?? [],
  };
  for (const [index, { bytes }] of local.programs.entries()) {
    await store.put(job.id, programBlob(index), new Blob([bytes]));
  }
  await saveState(store, state);
  // The stages hold the programs now.
  uploads.delete(local);
  for (const file of programs) await client.request("DELETE", `/files/${file}`);
  return { job, state };
}

/** What is on the server of a plan: one that is shown and then submitted is uploaded once. */
const uploads = new WeakMap<LocalPlan, ReturnType<typeof upload>>();

async function uploadAll(client: FluxClient, planned: LocallyPlanned) {
  const { local, request, opened } = planned;
  let uploading = uploads.get(local);
  if (!uploading) {
    uploading = upload(client, planned);
    uploads.set(local, uploading);
    uploading.catch(() => uploads.delete(local));
  }
  const { models, programs } = await uploading;
  const [first, ...others] = models;
  if (!first) throw new FluxError("invalid_request", "A job needs at least one model.");
  const job = {
    ...request.options,
    ...(others.length > 0 ? { models } : { model: first }),
    privacy: "encrypted" as const,
    custody: "submitter" as const,
    sealed: {
      records: opened.description.records,
      segments: opened.pieces.length,
      programs,
      fidelity: local.fidelity,
      key_holder_ms_per_record: local.keyHolderMsPerRecord,
      plain_model_ms_per_record: local.plainModelMsPerRecord,
    },
  };
  return { job, programs };
}

async function upload(client: FluxClient, { request, local }: LocallyPlanned) {
  const models: ModelId[] = [...(request.modelIds ?? [])];
  for (const { name, content } of request.modelIds ? [] : request.models) {
    const file = await client.uploadFile(content, name, "model");
    models.push((await client.createModel({ file_id: file.id })).id);
  }
  const programs: FileId[] = [];
  for (const [index, { bytes }] of local.programs.entries()) {
    programs.push((await client.uploadFile(new Blob([bytes]), `program${index}.lanes`, "program")).id);
  }
  return { models, programs };
}

function ingestState({ columns, ...rest }: IngestSettings): SealedState["ingest"] {
  return { ...rest, ...(columns ? { columns: [...columns] } : {}) };
}
