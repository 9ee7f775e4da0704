/** Jobs as the REST interface shows them. */
import { z } from "zod";
import { ColumnMapping, SegmentSpec } from "../datasets.ts";
import { DatasetId, GroupId, JobId, ModelId } from "../ids.ts";
import { UPLOAD_LIMITS } from "../limits.ts";
import { AggregationTask, JobAggregation, Reducer } from "./aggregation.ts";
import { Timestamp } from "./common.ts";
import { SealedJob } from "./custody.ts";
import { Recipe } from "./recipe.ts";
import { ModelRuntime } from "./uploads.ts";
import { WebhookEvents, WebhookUrl } from "./webhooks.ts";

export const Privacy = z.enum(["encrypted", "public"]);
export type Privacy = z.infer<typeof Privacy>;
export const Custody = z.enum(["coordinator", "submitter"]);
export type Custody = z.infer<typeof Custody>;

/**
 * A job's life: planning → queued → running → aggregating → completed; failed from any state before completed; canceled
 * by its submitter from any state before completed. lib/coordinator/job-lifecycle.ts is its one writer.
 */
export const JobStatus = z.enum(["planning", "queued", "running", "aggregating", "completed", "failed", "canceled"]);
export type JobStatus = z.infer<typeof JobStatus>;

const Region = z.string().regex(/^[A-Z]{2,4}$/, "an ISO country code or a group like EU is wanted here");

export const CreateJob = z
  .object({
    model: ModelId.optional(),
    models: z.array(ModelId).min(1).max(64).optional(),
    /** Left out in the submitter's custody, where `sealed` stands instead. */
    dataset: DatasetId.optional(),
    sealed: SealedJob.optional(),
    /** Which array or columns feed which input of the model, where that is not obvious. */
    inputs: ColumnMapping.shape.inputs.default([]),
    name: z.string().trim().min(1).max(120).optional(),
    privacy: Privacy.default("encrypted"),
    custody: Custody.optional(),
    aggregation: Reducer.default("auto"),
    task: AggregationTask.optional(),
    /** Cuts every record into pieces that the models read one by one; their outputs are aggregated. */
    segments: SegmentSpec.optional(),
    /** Whether how this job's outputs were combined may improve later jobs' start; no record or output leaves the server. */
    contribute: z.boolean().default(true),
    regions: z
      .object({ allow: z.array(Region).max(250).optional(), prefer: z.array(Region).max(250).optional() })
      .optional(),
    priority: z.int().min(-10).max(10).default(0),
    deadline: Timestamp.optional(),
    /** Runs on the donors of this private group alone. */
    group: GroupId.optional(),
    /** Public jobs: with what donors run the model. `auto` takes the fastest that it has, measured on the first records. */
    runtime: z.enum(["auto", ...ModelRuntime.options]).default("auto"),
    min_fidelity: z.number().min(0).max(1).default(0.99),
    accept_fidelity: z.boolean().default(false),
    /** Where the job's end is told, signed with the account's secret (GET /webhook-secret). */
    webhook: WebhookUrl.optional(),
    webhook_events: WebhookEvents.optional(),
    metadata: z
      .record(z.string().max(64), z.string().max(UPLOAD_LIMITS.metadataChars))
      .refine((entries) => Object.keys(entries).length <= UPLOAD_LIMITS.metadataEntries, "at most 16 entries")
      .default({}),
    dry_run: z.boolean().default(false),
  })
  .refine((job) => (job.model === undefined) !== (job.models === undefined), {
    message: "give either model or models",
    path: ["model"],
  })
  .refine((job) => (job.dataset === undefined) !== (job.sealed === undefined), {
    message: "give a dataset, or in the submitter's custody what is sealed",
    path: ["dataset"],
  })
  .refine((job) => job.sealed === undefined || (job.custody === "submitter" && job.privacy === "encrypted"), {
    message: 'sealed goes with custody "submitter" and privacy "encrypted"',
    path: ["sealed"],
  })
  .refine((job) => job.sealed === undefined || job.segments === undefined, {
    message: "sealed records are cut by whoever holds the key: say in sealed.segments how many there are of each",
    path: ["segments"],
  });
export type CreateJob = z.infer<typeof CreateJob>;

/** How one model of a public job is run, and what was measured of the ways that it could be. */
export const RuntimePlan = z.object({
  model: ModelId,
  runtime: ModelRuntime,
  why: z.string(),
  /** On one thread of the coordinator, on WebAssembly; null where the model was not tried with it. */
  microseconds_per_record: z.object({ onnxruntime: z.number().nullable(), tfjs: z.number().nullable() }),
});
export type RuntimePlan = z.infer<typeof RuntimePlan>;

/** Measured or computed before the job runs; what is unknown is null, never a guess shown as a number. */
export const PublicPlan = z.object({
  privacy: z.literal("public"),
  records: z.int().nonnegative(),
  microtasks: z.int().nonnegative(),
  bytes_per_record_down: z.number(),
  bytes_per_record_up: z.number(),
  /** Plans are stored with their jobs: what joined later has a default. */
  runtimes: z.array(RuntimePlan).default([]),
  donor_seconds: z.number().nullable(),
  donors_online: z.int().nonnegative(),
  seconds_with_donors_online: z.number().nullable(),
  donors_see: z.string(),
});

export type PublicPlan = z.infer<typeof PublicPlan>;

export const EncryptedPlan = z.object({
  privacy: z.literal("encrypted"),
  custody: Custody,
  records: z.int().nonnegative(),
  records_per_batch: z.int().positive(),
  batches: z.int().nonnegative(),
  microtasks: z.int().nonnegative(),
  bytes_per_record_down: z.number(),
  bytes_per_record_up: z.number(),
  squares: z.int().nonnegative(),
  ring_degree: z.int().positive(),
  modulus_bits: z.number(),
  security_bits: z.int(),
  core_seconds_per_record: z.number(),
  key_holder_ms_per_record: z.number(),
  plain_model_ms_per_record: z.number(),
  fidelity: z.object({
    records: z.int().nonnegative(),
    same_answer_rate: z.number(),
    largest_error: z.number(),
    mean_error: z.number(),
    wanted: z.number(),
    accepted: z.boolean(),
  }),
  donors_online: z.int().nonnegative(),
  seconds_with_donors_online: z.number().nullable(),
  donors_see: z.string(),
  /** What earlier jobs with the same models showed; their costs stand in the plan then. Null: there was none. */
  experience: z
    .object({
      jobs: z.int().positive(),
      core_seconds_per_record: z.number().nullable(),
      key_holder_ms_per_record: z.number().nullable(),
      same_answer_rate: z.number().nullable(),
      largest_error: z.number().nullable(),
    })
    .nullable()
    .default(null),
});

export type EncryptedPlan = z.infer<typeof EncryptedPlan>;

export const Plan = z.discriminatedUnion("privacy", [PublicPlan, EncryptedPlan]).meta({ id: "Plan" });
export type Plan = z.infer<typeof Plan>;

/** Records that went through the plain model as well. */
export const MeasuredFidelity = z.object({
  records: z.int().nonnegative(),
  same_answer_rate: z.number().min(0).max(1),
  largest_error: z.number().nonnegative(),
});
export type MeasuredFidelity = z.infer<typeof MeasuredFidelity>;

/** What was measured while an encrypted job ran. */
export const JobReport = z
  .object({
    /** A sample of every batch against the plain model, by whoever holds the key; null where nothing was compared. */
    fidelity: MeasuredFidelity.nullable(),
    /** Batches that did not decrypt and were done anew under a new key. */
    alarms: z.int().nonnegative(),
    audits: z.object({
      /** Recomputed before their results were accepted. */
      lanes: z.int().nonnegative(),
      /** Processor time of the coordinator's audit thread. */
      cpu_seconds: z.number().nonnegative(),
      /** Time that donors computed, by their clocks. */
      donor_seconds: z.number().nonnegative(),
    }),
  })
  .meta({ id: "JobReport" });
export type JobReport = z.infer<typeof JobReport>;

export const JobResource = z
  .object({
    id: JobId,
    object: z.literal("job"),
    name: z.string(),
    status: JobStatus,
    privacy: Privacy,
    custody: Custody,
    models: z.array(ModelId),
    /** Null in the submitter's custody: its records never come here. */
    dataset: DatasetId.nullable(),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    completed_at: Timestamp.nullable(),
    counts: z.object({
      records: z.int().nonnegative(),
      units: z.int().nonnegative(),
      units_accepted: z.int().nonnegative(),
      microtasks: z.int().nonnegative(),
      microtasks_accepted: z.int().nonnegative(),
      microtasks_leased: z.int().nonnegative(),
      microtasks_quarantined: z.int().nonnegative(),
      results_refused: z.int().nonnegative(),
      audits: z.int().nonnegative(),
    }),
    eta_seconds: z.number().nullable(),
    /** Over the last seconds, while it runs. */
    units_per_second: z.number().nullable(),
    queue_position: z.int().nonnegative().nullable(),
    /** What the job is doing or waiting for, in words. */
    why: z.string(),
    error: z.object({ code: z.string(), detail: z.string() }).nullable(),
    plan: Plan.nullable(),
    /** Null in lists and in events, and in the submitter's custody, which keeps it at home. */
    recipe: Recipe.nullable(),
    /** Of completed encrypted jobs. */
    report: JobReport.nullable(),
    /** How the results came about; null before there are any, and in lists. */
    aggregation: JobAggregation.nullable(),
    metadata: z.record(z.string(), z.string()),
    urls: z.object({ self: z.string(), results: z.string(), events: z.string(), page: z.string() }),
  })
  .meta({ id: "Job" });
export type JobResource = z.infer<typeof JobResource>;

/** What `dry_run` answers; nothing is kept. */
export const DryRun = z
  .object({ object: z.literal("plan"), plan: Plan, recipe: Recipe.nullable() })
  .meta({ id: "DryRun" });
export type DryRun = z.infer<typeof DryRun>;

export const ResultFormat = z.enum(["json", "csv", "jsonl", "npy", "parquet"]);
export type ResultFormat = z.infer<typeof ResultFormat>;
