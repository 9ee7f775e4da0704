/** Jobs, as submitters ask for them: plan, submit, watch, cancel, download. */

import type { z } from "zod";
import { piecesOf } from "#lib/aggregation/pieces.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { type ResultChunk, type ResultFile, type ResultSource, resultFile } from "#lib/dataset/results/index.ts";
import { segmentDataset } from "#lib/dataset/segmented.ts";
import type { Feedback, FeedbackAnswer, Reducer } from "#lib/protocol/api/aggregation.ts";
import type { CreateJob, DryRun, JobReport, JobResource, JobStatus, ResultFormat } from "#lib/protocol/api/jobs.ts";
import type { Recipe } from "#lib/protocol/api/recipe.ts";
import { viewOf } from "#lib/protocol/decode.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { StageSpec } from "#lib/protocol/stage.ts";
import { bytesPerRecord } from "#lib/protocol/tensors.ts";
import type { LogEntry } from "#lib/scheduling/optimizer.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import type { DatasetRecord, JobEventRecord, JobRecord, ModelRecord, StageRecord } from "#lib/storage/records.ts";
import { type Caller, type Page, type PageRequest, type Store, SYSTEM } from "#lib/storage/store.ts";
import type { JobAggregation } from "../aggregation/job-aggregation.ts";
import { collectDecrypted, collectResults, type RawMember, writeRawOutputs } from "../aggregation/raw-outputs.ts";
import type { SubmittedJobs } from "../custody/submitted-jobs.ts";
import { objectSections } from "../dataset-sections.ts";
import type { EncryptedJobs } from "../encrypted/encrypted-jobs.ts";
import { writeJobFile } from "../encrypted/job-file.ts";
import type { Identity } from "../identity.ts";
import { isEnded, JobLifecycle } from "../jobs/lifecycle.ts";
import { type EncryptedPlanning, type Planned, planEncryptedJob } from "../jobs/plan-encrypted.ts";
import { corrected, experienceWith, recordOutcome } from "../jobs/plan-feedback.ts";
import { type PublicPlanning, planPublic } from "../jobs/plan-public.ts";
import { planSealedJob, type SealedPlanning } from "../jobs/plan-sealed.ts";
import type { ModelProbe } from "../jobs/probe.ts";
import { RecentPlans } from "../jobs/recent-plans.ts";
import { readRecipe, recipeOf, writeRecipe } from "../jobs/recipe.ts";
import { removeJob } from "../jobs/remove.ts";
import { jobReport } from "../jobs/report.ts";
import { newestVersion, partOf, readAggregation, readResults, readVersions } from "../jobs/results.ts";
import { jobResource } from "../jobs/view.ts";
import type { Log } from "../log.ts";
import { quotasOf } from "../quotas.ts";
import type { WorkQueue } from "../work.ts";

export interface JobServiceOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly queue: WorkQueue;
  readonly probe: ModelProbe;
  readonly encrypted: EncryptedJobs;
  readonly submitted: SubmittedJobs;
  readonly aggregation: JobAggregation;
  /** The disk object store's folder. */
  readonly objectsFolder: string;
  /** @throws FluxError invalid_request where the job's webhook cannot be sent to */
  readonly checkWebhook: (url: string) => void;
  /** Some job's status is another one now. */
  readonly jobChanged: () => void;
  /** A plan was far from what its job showed. */
  readonly learnt: (entry: LogEntry) => void;
  readonly log: Log;
  readonly now: () => number;
}

interface Ingredients {
  readonly models: readonly ModelRecord[];
  /** Null in the submitter's custody. */
  readonly dataset: DatasetRecord | null;
}

/** Records in one chunk of a download. */
const CHUNK_RECORDS = 4096;
/** Planning that takes longer goes on without the request. */
const PLANNING_MS = 60_000;

type Planning =
  | ({ readonly kind: "public" } & PublicPlanning)
  | ({ readonly kind: "encrypted" } & EncryptedPlanning)
  | ({ readonly kind: "sealed" } & SealedPlanning);

export class JobService {
  readonly lifecycle: JobLifecycle;
  readonly #options: JobServiceOptions;
  readonly #recentPlans = new RecentPlans<Planned>();

  constructor(options: JobServiceOptions) {
    this.#options = options;
    this.lifecycle = new JobLifecycle({
      store: options.store,
      queue: options.queue,
      aggregate: (job) => this.#aggregate(job),
      replan: (job) => this.#plan(job),
      restart: async (job) => {
        await this.#keeperOf(job)?.start(job.id);
      },
      ended: async (job) => {
        await this.#keeperOf(job)?.forget(job.id);
      },
      changed: () => options.jobChanged(),
      log: options.log,
      now: options.now,
    });
  }

  /**
   * Plans and queues a job. Planning an encrypted one compiles and rehearses its model, which takes seconds; where it takes longer
   * than a request should, the job is answered as `planning` and goes on by itself.
   * @throws FluxError naming what does not fit; nothing is kept then
   */
  async create(caller: Identity, request: CreateJob): Promise<JobResource | DryRun> {
    const ingredients = await this.#ingredients(caller.tenantId, request);
    refuseWhatIsNotOffered(request);
    if (request.webhook !== undefined) this.#options.checkWebhook(request.webhook);
    const { models, dataset } = ingredients;
    const { store, objects } = this.#options;
    const recipe = dataset && (await recipeOf(store, request, models, dataset));
    const planning = this.#planFor(caller.tenantId, request, ingredients);
    const planned = request.dry_run ? await planning : await atMost(PLANNING_MS, planning);
    if (request.dry_run && planned) return { object: "plan", plan: planned.plan, recipe };
    const job = await this.#insert(caller, request, ingredients);
    if (recipe) await writeRecipe(objects, job.id, recipe);
    if (planned) await this.#queue(job, planned);
    else this.lifecycle.background(job.id, async () => this.#queue(job, await planning));
    return this.get(caller, job.id);
  }

  /** Who sees an encrypted job's batches through. */
  #keeperOf({ privacy, custody }: JobRecord): EncryptedJobs | SubmittedJobs | null {
    if (privacy === "public") return null;
    return custody === "submitter" ? this.#options.submitted : this.#options.encrypted;
  }

  /** @throws FluxError not_found where it is not the caller's; conflict where its key is not with its submitter, or it has ended */
  async checkSealed(caller: Identity, id: JobId): Promise<void> {
    const job = await this.#options.store.jobs.get(caller.tenantId, id);
    if (job.custody !== "submitter") {
      throw new FluxError("conflict", "This job's key is with the coordinator: there is nothing to upload or decrypt.");
    }
    if (isEnded(job.status))
      throw new FluxError("conflict", `The job is ${job.status}: it takes and gives no batches.`);
  }

  async #insert(caller: Identity, request: CreateJob, { models, dataset }: Ingredients): Promise<JobRecord> {
    const { store, now } = this.#options;
    const job: JobRecord = {
      id: freshId("job"),
      tenantId: caller.tenantId,
      name: request.name ?? `${models[0]?.name ?? "model"} on ${dataset?.name ?? "sealed records"}`.slice(0, 120),
      status: "planning",
      privacy: request.privacy,
      custody: request.custody ?? "coordinator",
      datasetId: dataset?.id ?? null,
      request,
      plan: null,
      error: null,
      report: null,
      createdAtMs: now(),
      startedAtMs: null,
      completedAtMs: null,
    };
    await store.jobs.insertWithin(job, await quotasOf(store, caller.tenantId));
    return job;
  }

  async #queue(job: JobRecord, planning: Planning): Promise<void> {
    const { objects, now } = this.#options;
    try {
      if (planning.kind !== "public" && planning.unfaithful && !job.request.accept_fidelity) {
        await this.lifecycle.refuse(job.id, planning.plan, planning.unfaithful);
        return;
      }
      if (planning.kind === "encrypted") await writeJobFile(objects, job.id, planning.file);
      await this.lifecycle.queue(job.id, planning.plan, await planning.stages(job.id, now()));
      await this.#keeperOf(job)?.start(job.id);
    } catch (error) {
      await this.lifecycle.fail(job.id, error);
      throw error;
    }
  }

  /** As its submitter sees it. */
  show(job: JobRecord): Promise<JobResource> {
    return this.#resource(job);
  }

  async get(caller: Identity, id: JobId): Promise<JobResource> {
    const job = await this.#options.store.jobs.get(caller.tenantId, id);
    const resource = await this.#resource(job, await readRecipe(this.#options.objects, id));
    return { ...resource, aggregation: await this.#aggregationOf(job) };
  }

  /** As events say it, some times a second: without the recipe, which never changes. */
  async current(caller: Identity, id: JobId): Promise<JobResource> {
    const job = await this.#options.store.jobs.get(caller.tenantId, id);
    return { ...(await this.#resource(job)), aggregation: await this.#aggregationOf(job) };
  }

  async #aggregationOf(job: JobRecord): Promise<JobResource["aggregation"]> {
    if (job.status !== "completed" || job.custody !== "coordinator") return null;
    return readAggregation(this.#options.objects, job.id);
  }

  /**
   * Aggregates anew where labels or the reducer changed since the newest results.
   * @throws FluxError conflict before there are results
   */
  async aggregate(caller: Identity, id: JobId, reducer?: Reducer): Promise<JobResource> {
    const job = await this.#openTo(caller, id);
    if (job.status !== "completed") {
      throw new FluxError(
        "conflict",
        `The job is ${job.status}: it is aggregated by itself when its microtasks are done.`,
      );
    }
    await this.#aggregateAgain(job, reducer);
    return this.get(caller, id);
  }

  /** Keeps labels and ratings; labels of a completed job are fitted at once, behind the answer. */
  async feedback(caller: Identity, id: JobId, sent: Feedback): Promise<z.input<typeof FeedbackAnswer>> {
    const job = await this.#openTo(caller, id);
    if (job.status === "failed" || job.status === "canceled") {
      throw new FluxError("conflict", `The job is ${job.status}: there are no results to give feedback on.`);
    }
    if (sent.labels.length + sent.ratings.length === 0) {
      throw new FluxError("invalid_request", 'Send at least one entry in "labels" or "ratings".', { param: "labels" });
    }
    const answer = await this.#options.aggregation.feedback(job, sent);
    if (answer.refit) this.lifecycle.apart(id, () => this.#aggregateAgain(job));
    return answer;
  }

  /** What the job's dataset calls its records, for feedback that names them so. */
  async idColumn(caller: Identity, id: JobId): Promise<string | undefined> {
    return (await this.#datasetOf(await this.#openTo(caller, id))).description.id?.name;
  }

  async #aggregateAgain(job: JobRecord, reducer?: Reducer): Promise<void> {
    const { store, aggregation, now } = this.#options;
    const before = (await readVersions(this.#options.objects, job.id)).at(-1)?.version;
    const version = await aggregation.again(job, reducer);
    if (version === before) return;
    await store.jobEvents.append(job.id, "results", { version }, now());
    this.lifecycle.touch(job.id);
  }

  /** @throws FluxError conflict where the outputs are with the submitter */
  async #openTo(caller: Identity, id: JobId): Promise<JobRecord> {
    const job = await this.#options.store.jobs.get(caller.tenantId, id);
    if (job.custody === "coordinator") return job;
    throw new FluxError(
      "conflict",
      `The outputs of ${id} are where its key is: run \`flux feedback ${id} labels.csv\` there.`,
    );
  }

  async list(caller: Identity, page: PageRequest<JobId>, status?: JobStatus): Promise<Page<JobResource>> {
    const { store } = this.#options;
    const found = status
      ? await store.jobs.listByStatus(caller.tenantId, status, page)
      : await store.jobs.list(caller.tenantId, page);
    const items: JobResource[] = [];
    for (const job of found.items) items.push(await this.#resource(job));
    return { items, hasMore: found.hasMore };
  }

  async cancel(caller: Identity, id: JobId): Promise<JobResource> {
    return this.#resource(await this.lifecycle.cancel(await this.#options.store.jobs.get(caller.tenantId, id)));
  }

  /** With its results. @throws FluxError conflict while it has not ended */
  async remove(caller: Identity, id: JobId): Promise<void> {
    await removeJob(this.#options, await this.#options.store.jobs.get(caller.tenantId, id));
  }

  /** @throws FluxError conflict while there are none */
  async results(
    caller: Identity,
    id: JobId,
    format: ResultFormat,
    version?: number,
  ): Promise<{ readonly file: ResultFile; readonly name: string; readonly version: number }> {
    const job = await this.#options.store.jobs.get(caller.tenantId, id);
    if (job.custody === "submitter") {
      throw new FluxError(
        "conflict",
        `The results of ${id} are read where its key is: run \`flux results ${id}\` there.`,
      );
    }
    if (job.status !== "completed") {
      throw new FluxError("conflict", `The job is ${job.status}: its results come when it is completed. Watch ${id}.`);
    }
    const wanted = version ?? (await newestVersion(this.#options.objects, id));
    const file = resultFile(format, await this.#resultSource(job, wanted));
    return { file, name: `${id}-v${wanted}${file.extension}`, version: wanted };
  }

  /** Durable events after `afterId`, oldest first. */
  async events(caller: Identity, id: JobId, afterId: number): Promise<readonly JobEventRecord[]> {
    const { store } = this.#options;
    await store.jobs.get(caller.tenantId, id);
    return store.jobEvents.after(id, afterId, 1000);
  }

  async #resource(job: JobRecord, recipe: Recipe | null = null): Promise<JobResource> {
    const { store, queue } = this.#options;
    const live = isEnded(job.status) ? undefined : queue.progress(job.id);
    return jobResource({
      job,
      recipe,
      live: live ?? null,
      progress: live ?? (await store.jobs.progress(job.id)),
      records: job.request.sealed?.records ?? (await this.#datasetOf(job)).records,
      donorsOnline: queue.donorsOnline,
      queuePosition: job.status === "queued" ? await this.#queuePosition(job) : null,
    });
  }

  async #queuePosition(job: JobRecord): Promise<number> {
    const unfinished = await this.#options.store.jobs.unfinished();
    return unfinished.filter((other) => other.status === "queued" && other.createdAtMs < job.createdAtMs).length;
  }

  async #ingredients(caller: Caller, request: CreateJob): Promise<Ingredients> {
    const { store } = this.#options;
    const models: ModelRecord[] = [];
    for (const id of request.models ?? (request.model ? [request.model] : [])) {
      models.push(await this.#named(() => store.models.get(caller, id), `the model ${id}`, "model"));
    }
    const { dataset: id } = request;
    const dataset =
      id === undefined ? null : await this.#named(() => store.datasets.get(caller, id), `the dataset ${id}`, "dataset");
    const { group } = request;
    if (group) await this.#named(() => store.groups.get(caller, group), `the group ${group}`, "group");
    return { models, dataset };
  }

  /** A body that names a thing which is not there is a wrong body, not a wrong address; the fix is to name another. */
  async #named<Thing>(find: () => Promise<Thing>, what: string, param: string): Promise<Thing> {
    try {
      return await find();
    } catch (error) {
      if (error instanceof FluxError && error.code === "not_found") {
        throw new FluxError("not_found", `There is no such thing as ${what} for this API key.`, { param });
      }
      throw error;
    }
  }

  async #datasetOf({ id, datasetId }: JobRecord): Promise<DatasetRecord> {
    if (datasetId === null) throw new Error(`${id} has no dataset here`);
    return this.#options.store.datasets.get(SYSTEM, datasetId);
  }

  async #planFor(caller: Caller, request: CreateJob, { models, dataset }: Ingredients): Promise<Planning> {
    const { store, blobs, objects, objectsFolder, probe, queue } = this.#options;
    const donorsOnline = () => queue.donorsOnline;
    if (dataset === null) {
      return { kind: "sealed", ...(await planSealedJob({ store, blobs, donorsOnline }, caller, request, models)) };
    }
    if (request.privacy === "encrypted") {
      const planner = { blobs, objectsFolder, donorsOnline, recent: this.#recentPlans };
      const planning = await planEncryptedJob(planner, request, models, dataset);
      const experience = await experienceWith(
        store,
        models.map(({ sha256 }) => sha256),
      );
      return { kind: "encrypted", ...planning, plan: corrected(planning.plan, experience) };
    }
    return {
      kind: "public",
      ...(await planPublic({ blobs, objects, probe, donorsOnline }, request, models, dataset)),
    };
  }

  async #plan(job: JobRecord): Promise<void> {
    await this.#queue(job, await this.#planFor(SYSTEM, job.request, await this.#ingredients(SYSTEM, job.request)));
  }

  async #aggregate(job: JobRecord): Promise<JobReport | null> {
    const { store, objects, encrypted, submitted, aggregation, now } = this.#options;
    if (job.custody === "submitter") {
      await submitted.finish(job.id);
      return jobReport(store, job.id);
    }
    if (job.privacy === "encrypted") {
      const { file, keyHolderMs } = await encrypted.finish(job.id);
      await this.#collect(job, (member, units) => collectDecrypted(objects, job.id, file, member, units));
      await aggregation.first(job);
      const report = await jobReport(store, job.id);
      const told = await recordOutcome(store, job, { report, keyHolderMs }, now());
      if (told) this.#options.learnt(told);
      return report;
    }
    const stages = await store.stages.ofJob(job.id);
    await this.#collect(job, (member, units) => this.#collectStage(stages, member, units));
    await aggregation.first(job);
    return null;
  }

  /** Brings every member's outputs into one form, in the order of records. */
  async #collect(
    job: JobRecord,
    collect: (member: number, units: number) => Promise<Pick<RawMember, "outputs" | "missing">>,
  ): Promise<void> {
    const { objects } = this.#options;
    const dataset = await this.#datasetOf(job);
    const { models } = await this.#ingredients(SYSTEM, job.request);
    const { plan, description } = segmentDataset(dataset.description, job.request.segments);
    const members: RawMember[] = [];
    for (const [member, { name }] of models.entries()) {
      members.push({ name, ...(await collect(member, description.records)) });
    }
    await writeRawOutputs(objects, job.id, {
      version: 1,
      records: dataset.records,
      members,
      pieces: piecesOf(plan?.segments ?? null),
    });
  }

  async #collectStage(stages: readonly StageRecord[], member: number, units: number) {
    const { store, objects, blobs } = this.#options;
    const stage = stages.find((candidate) => candidate.member === member);
    if (!stage) throw new Error(`there is no stage of member ${member}`);
    const spec = StageSpec.parse(JSON.parse(new TextDecoder().decode(await blobs.read(stage.specDigest))));
    if (spec.kernel === "lanes") throw new Error("encrypted stages are put together by their key-holder");
    return collectResults({ store, objects }, stage, spec.outputs, units);
  }

  async #resultSource(job: JobRecord, version: number): Promise<ResultSource> {
    const { objects } = this.#options;
    const description = await readResults(objects, job.id, version);
    const dataset = await this.#datasetOf(job);
    const reader = openDataset(dataset.description, objectSections(objects, dataset.objectName));
    const { outputs, records } = description;
    const chunks = async function* (): AsyncGenerator<ResultChunk> {
      for (let start = 0; start < records; start += CHUNK_RECORDS) {
        const count = Math.min(CHUNK_RECORDS, records - start);
        const tensors: Float32Array[] = [];
        for (const [index, output] of outputs.entries()) {
          const stride = bytesPerRecord({ ...output, dtype: "FP32" });
          const range = { offset: start * stride, bytes: count * stride };
          tensors.push(viewOf("FP32", await objects.read(partOf(job.id, description, index), range)));
        }
        yield {
          start,
          ids: dataset.description.id ? await reader.readIds(start, count) : null,
          outputs: tensors,
        };
      }
    };
    const recipe = await readRecipe(objects, job.id);
    return { records, outputs, idName: dataset.description.id?.name ?? null, ...(recipe ? { recipe } : {}), chunks };
  }
}

/** Parts of the request that later versions serve; said at once rather than after an upload was computed. */
function refuseWhatIsNotOffered(request: CreateJob): void {
  if (request.custody === "submitter" && request.privacy === "public") {
    throw new FluxError(
      "invalid_request",
      "Submitter custody is for encrypted jobs: public data is visible to everyone.",
      { param: "custody" },
    );
  }
  if (request.custody === "submitter" && !request.sealed) {
    throw new FluxError(
      "invalid_request",
      "In the submitter's custody no dataset is uploaded: run `npx flux submit`, which plans and encrypts on your machine, or leave custody out.",
      { param: "custody" },
    );
  }
  if (request.privacy === "encrypted" && request.runtime !== "auto") {
    throw new FluxError(
      "invalid_request",
      'Encrypted jobs have a runtime of their own: leave "runtime" out, or state "privacy": "public" if the data is.',
      { param: "runtime" },
    );
  }
}

/** The promise's value, or undefined when it takes longer; it goes on then. */
async function atMost<Value>(ms: number, promise: Promise<Value>): Promise<Value | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
