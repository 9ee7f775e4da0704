/**
 * What the store keeps, as plain records. Rows and JSON columns are parsed by these schemas when they are read, so the
 * rest of the coordinator never casts. Times are milliseconds since 1970.
 */
import { z } from "zod";
import { Role, Scope } from "#lib/protocol/api/access.ts";
import { CreateJob, Custody, JobReport, JobStatus, MeasuredFidelity, Plan, Privacy } from "#lib/protocol/api/jobs.ts";
import { FilePurpose, ModelFormat, ModelResource } from "#lib/protocol/api/uploads.ts";
import { DeliveryState, WebhookEvent } from "#lib/protocol/api/webhooks.ts";
import { DatasetDescription, DatasetFormat } from "#lib/protocol/datasets.ts";
import { ERROR_CODES, type ErrorCode } from "#lib/protocol/errors.ts";
import {
  ApiKeyId,
  DatasetId,
  DeliveryId,
  Digest,
  DonorId,
  FileId,
  GroupId,
  JobId,
  JoinToken,
  type LeaseId,
  type MicrotaskId,
  ModelId,
  SessionId,
  SiteId,
  SiteKey,
  StageId,
  TeamId,
  TenantId,
  UserId,
  VolunteerId,
  WebhookId,
} from "#lib/protocol/ids.ts";
import { Artefact, KernelKind, RuntimeId } from "#lib/protocol/stage.ts";
import { ObjectName } from "./objects.ts";

const atMs = z.number();
const count = z.int().nonnegative();
const AnyErrorCode = z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]);

// ---------------------------------------------------------------- tenants and what they bring

/** What one tenant may hold; what is left out is as in lib/protocol/limits.ts. */
export const TenantQuotas = z.object({
  jobs: count.optional(),
  concurrentJobs: count.optional(),
  files: count.optional(),
  bytes: count.optional(),
});
export type TenantQuotas = z.infer<typeof TenantQuotas>;

export const TenantRecord = z.object({
  id: TenantId,
  name: z.string(),
  createdAtMs: atMs,
  quotas: TenantQuotas.nullable().transform((quotas) => quotas ?? {}),
  suspendedAtMs: atMs.nullable(),
});
export type TenantRecord = z.infer<typeof TenantRecord>;
export type NewTenant = Pick<TenantRecord, "id" | "name" | "createdAtMs">;

export const UserRecord = z.object({
  id: UserId,
  tenantId: TenantId,
  role: Role,
  name: z.string(),
  email: z.string(),
  emailVerified: z.boolean(),
  createdAt: z.date(),
});
export type UserRecord = z.infer<typeof UserRecord>;

/** Its token, which signs a browser in, is read by better-auth alone. */
export const SessionRecord = z.object({
  id: SessionId,
  userId: UserId,
  ipAddress: z.string().nullable(),
  userAgent: z.string().nullable(),
  createdAt: z.date(),
  expiresAt: z.date(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** One line of the audit log. `detail` holds ids, names of things and numbers; no secrets, nothing of a person. */
export const AuditRecord = z.object({
  id: z.int(),
  atMs,
  action: z.string(),
  actor: z.string(),
  tenantId: TenantId.nullable(),
  target: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  address: z.string().nullable(),
});
export type AuditRecord = z.infer<typeof AuditRecord>;

export const WebhookRecord = z.object({
  id: WebhookId,
  tenantId: TenantId,
  url: z.string(),
  description: z.string(),
  events: z.array(WebhookEvent),
  secret: z.string(),
  failingSinceMs: atMs.nullable(),
  disabledAtMs: atMs.nullable(),
  disabledWhy: z.string().nullable(),
  createdAtMs: atMs,
});
export type WebhookRecord = z.infer<typeof WebhookRecord>;

/** One event for one address, until it was taken or given up. */
export const DeliveryRecord = z.object({
  id: DeliveryId,
  tenantId: TenantId,
  /** Null: the job's own address. */
  webhookId: WebhookId.nullable(),
  jobId: JobId,
  url: z.string(),
  event: WebhookEvent,
  body: z.string(),
  state: DeliveryState,
  attempts: count,
  nextAttemptAtMs: atMs.nullable(),
  lastStatus: z.int().nullable(),
  lastError: z.string().nullable(),
  lastAttemptAtMs: atMs.nullable(),
  createdAtMs: atMs,
});
export type DeliveryRecord = z.infer<typeof DeliveryRecord>;

export const ApiKeyRecord = z.object({
  id: ApiKeyId,
  tenantId: TenantId,
  name: z.string(),
  /** SHA-256 of the key, hex. */
  hash: Digest,
  hint: z.string(),
  scopes: z.array(Scope),
  createdAtMs: atMs,
  revokedAtMs: atMs.nullable(),
  lastUsedAtMs: atMs.nullable(),
});
export type ApiKeyRecord = z.infer<typeof ApiKeyRecord>;

export const FileRecord = z.object({
  id: FileId,
  tenantId: TenantId,
  filename: z.string(),
  purpose: FilePurpose,
  bytes: count,
  /** Where the content lies in the blob store. */
  sha256: Digest,
  createdAtMs: atMs,
});
export type FileRecord = z.infer<typeof FileRecord>;

export const ModelDetails = ModelResource.pick({
  opset: true,
  inputs: true,
  outputs: true,
  operators: true,
  weights_bytes: true,
  encrypted: true,
}).extend({
  /** The one file that TensorFlow.js opens; null where the model is none of its own. */
  tfjs: z
    .object({ digest: Digest, format: z.enum(["layers", "graph"]) })
    .nullable()
    .default(null),
});
export const ModelRecord = z.object({
  id: ModelId,
  tenantId: TenantId,
  fileId: FileId,
  name: z.string(),
  format: ModelFormat,
  /** What donors run: an ONNX file, or `details.tfjs` for a model that only TensorFlow.js knows. */
  sha256: Digest,
  details: ModelDetails,
  createdAtMs: atMs,
});
export type ModelRecord = z.infer<typeof ModelRecord>;

export const DatasetRecord = z.object({
  id: DatasetId,
  tenantId: TenantId,
  fileId: FileId,
  name: z.string(),
  format: DatasetFormat,
  records: count,
  /** The normalised dataset: its sections lie under this name in the object store (names.ts). */
  objectName: ObjectName,
  description: DatasetDescription,
  createdAtMs: atMs,
});
export type DatasetRecord = z.infer<typeof DatasetRecord>;

// ---------------------------------------------------------------- jobs

export const JobError = z.object({ code: AnyErrorCode, detail: z.string() });
export const JobRecord = z.object({
  id: JobId,
  tenantId: TenantId,
  name: z.string(),
  status: JobStatus,
  privacy: Privacy,
  custody: Custody,
  /** Null in the submitter's custody. */
  datasetId: DatasetId.nullable(),
  request: CreateJob,
  plan: Plan.nullable(),
  error: JobError.nullable(),
  report: JobReport.nullable(),
  createdAtMs: atMs,
  startedAtMs: atMs.nullable(),
  completedAtMs: atMs.nullable(),
});
export type JobRecord = z.infer<typeof JobRecord>;

export const JobEventRecord = z.object({
  id: z.int(),
  jobId: JobId,
  type: z.string(),
  data: z.unknown(),
  createdAtMs: atMs,
});
export type JobEventRecord = z.infer<typeof JobEventRecord>;

export const IdempotencyRecord = z.object({
  tenantId: TenantId,
  key: z.string(),
  requestHash: z.string(),
  /** Null while the first request is still being answered. */
  status: z.int().nullable(),
  response: z.unknown(),
  createdAtMs: atMs,
});
export type IdempotencyRecord = z.infer<typeof IdempotencyRecord>;

// ---------------------------------------------------------------- work

/** open: leasable. completed: every unit has an accepted result or is quarantined. closed: cancelled or failed. */
export const StageState = z.enum(["open", "completed", "closed"]);
export type StageState = z.infer<typeof StageState>;

/** What dispatcher, scheduler and payload source must know of a stage; fixed for its life. */
export const StagePlan = z.object({
  /** What the donor's page may say of the job. */
  title: z.string().max(120),
  runtimes: z.array(RuntimeId).min(1),
  artefacts: z.array(Artefact),
  unitMacs: z.number().nonnegative(),
  residentBytes: z.number().nonnegative(),
  /** Share against other submitters, and order among one submitter's own jobs. */
  weight: z.number().positive().default(1),
  priority: z.int().min(-10).max(10).default(0),
  deadlineAtMs: z.number().nullable().default(null),
  regions: z
    .object({ allow: z.array(z.string()), prefer: z.array(z.string()) })
    .nullable()
    .default(null),
  groupId: z.string().nullable().default(null),
  minReliability: z.number().min(0).max(1).default(0),
  /** How many batches the stage will have; it is complete when all of them are here and done. */
  batches: z.int().positive().default(1),
  /** How many stages its job has: the job is done when all of them are here and done. */
  stages: z.int().positive().default(1),
  /** What the kernel's payload source and checker need (parsed by them). */
  source: z.record(z.string(), z.unknown()).default({}),
});
export type StagePlan = z.infer<typeof StagePlan>;

export const StageRecord = z.object({
  id: StageId,
  jobId: JobId,
  tenantId: TenantId,
  privacy: Privacy,
  /** Which of the job's stages: one for each model of a public job, one for each lane program of an encrypted one. */
  member: z.int().nonnegative(),
  kernel: KernelKind,
  specDigest: Digest,
  state: StageState,
  unitBytesIn: count,
  unitBytesOut: count,
  definition: StagePlan,
  createdAtMs: atMs,
});
export type StageRecord = z.infer<typeof StageRecord>;

/**
 * open: its units can be leased. completed: all have results. rejected: it decrypted to noise, and its key-holder has to send
 * it anew. deleted: it is decrypted and its payload is gone.
 */
export const BatchState = z.enum(["open", "completed", "rejected", "deleted"]);
export const BatchRecord = z.object({
  stageId: StageId,
  batch: count,
  primes: z.int().positive(),
  unitsPerPrime: z.int().positive(),
  state: BatchState,
  objectName: ObjectName.nullable(),
  /** Encrypted batches: 16 bytes, hex; public, and never used for a second batch. */
  maskSeed: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .nullable(),
  /** Which of the job's keys it is encrypted under: a batch that did not decrypt is done anew under a new one. */
  keyGeneration: count,
  /** Measured when it was decrypted. */
  fidelity: MeasuredFidelity.nullable(),
  createdAtMs: atMs,
});
export type BatchRecord = z.infer<typeof BatchRecord>;

/** A contiguous run of units of one prime of one batch (both 0 for records of one dataset). */
export interface UnitRange {
  readonly batch: number;
  readonly prime: number;
  readonly unitStart: number;
  readonly unitCount: number;
}

export type MicrotaskState = "pending" | "accepted" | "quarantined";
export interface MicrotaskRecord extends UnitRange {
  readonly id: MicrotaskId;
  readonly stageId: StageId;
  readonly state: MicrotaskState;
  readonly fence: number;
  readonly failures: number;
}

export interface LeaseRecord {
  readonly id: LeaseId;
  readonly microtaskId: MicrotaskId;
  readonly donorId: DonorId;
  readonly fence: number;
  readonly grantedAtMs: number;
  readonly expiresAtMs: number;
  readonly predictedMs: number;
}

export interface RefusalRecord {
  readonly microtaskId: MicrotaskId;
  readonly stageId: StageId;
  readonly donorId: DonorId;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly createdAtMs: number;
}

/** The bytes of an accepted result: beside the row when small, else an object. */
export type ResultBody =
  | { readonly kind: "inline"; readonly data: Uint8Array }
  | { readonly kind: "object"; readonly name: ObjectName; readonly bytes: number };

export interface ResultRecord extends UnitRange {
  readonly microtaskId: MicrotaskId;
  readonly body: ResultBody;
  readonly donorId: DonorId;
  readonly runtime: RuntimeId;
  readonly computeMs: number;
  readonly checkedUnits: number;
  /** Of its checked units: how far they lie from what was recomputed, 0 to 1 of what is allowed. */
  readonly drift: number;
  readonly acceptedAtMs: number;
}

// ---------------------------------------------------------------- partners, groups, volunteers

/** A partner's site. Its key counts until the site is revoked; the one before the last rotation until `previousUntilMs`. */
export const SiteRecord = z.object({
  id: SiteId,
  tenantId: TenantId,
  name: z.string(),
  /** Scheme, host and port of the pages that may embed the widget. */
  origins: z.array(z.string()).min(1),
  key: SiteKey,
  previousKey: SiteKey.nullable(),
  previousUntilMs: atMs.nullable(),
  createdAtMs: atMs,
  revokedAtMs: atMs.nullable(),
});
export type SiteRecord = z.infer<typeof SiteRecord>;

export const GroupRecord = z.object({
  id: GroupId,
  tenantId: TenantId,
  name: z.string(),
  joinToken: JoinToken,
  createdAtMs: atMs,
});
export type GroupRecord = z.infer<typeof GroupRecord>;

export const TeamRecord = z.object({ id: TeamId, name: z.string(), joinToken: JoinToken, createdAtMs: atMs });
export type TeamRecord = z.infer<typeof TeamRecord>;

export const VolunteerRecord = z.object({
  id: VolunteerId,
  /** Raw P-256 point, base64url. */
  publicKey: z.string(),
  displayName: z.string().nullable(),
  teamId: TeamId.nullable(),
  createdAtMs: atMs,
});
export type VolunteerRecord = z.infer<typeof VolunteerRecord>;

/** What the donors of a site, group, volunteer or team did together. */
export const Contribution = z.object({ donors: count, accepted: count, units: count, computeMs: z.number() });
export type Contribution = z.infer<typeof Contribution>;

// ---------------------------------------------------------------- donors

export const DonorRecord = z.object({
  id: DonorId,
  displayName: z.string().nullable(),
  siteId: SiteId.nullable(),
  groupId: GroupId.nullable(),
  volunteerId: VolunteerId.nullable(),
  /** ISO 3166-1 alpha-2 at its last hello; null when unknown or not used. */
  country: z.string().nullable(),
  firstSeenAtMs: atMs,
  lastSeenAtMs: atMs,
  accepted: count,
  refused: count,
  units: count,
  computeMs: z.number(),
  bannedAtMs: atMs.nullable(),
});
export type DonorRecord = z.infer<typeof DonorRecord>;

/** One microtask as it was timed: the parts of Timings (lib/protocol/donor.ts), and what had been promised of their sum. */
export const ObservationRecord = z.object({
  donorId: DonorId,
  deviceClass: z.string(),
  stageId: StageId,
  kernel: KernelKind,
  runtime: RuntimeId,
  units: count,
  bytesIn: count,
  bytesOut: count,
  queueMs: z.number(),
  downloadMs: z.number(),
  computeMs: z.number(),
  restMs: z.number(),
  overheadMs: z.number(),
  uploadMs: z.number(),
  predictedMs: z.number(),
  /** The promised 80 % interval of everything but the queue. */
  lowMs: z.number(),
  highMs: z.number(),
  createdAtMs: atMs,
});
export type ObservationRecord = z.infer<typeof ObservationRecord>;

/** Of an encrypted job, by its plan or as measured; null: not known. */
export const PlanCost = z.object({
  coreSecondsPerRecord: z.number().nullable(),
  keyHolderMsPerRecord: z.number().nullable(),
  bytesDownPerRecord: z.number().nullable(),
  bytesUpPerRecord: z.number().nullable(),
  sameAnswerRate: z.number().nullable(),
  largestError: z.number().nullable(),
});
export type PlanCost = z.infer<typeof PlanCost>;
export const PlanOutcomeRecord = z.object({
  jobId: JobId,
  modelsDigest: Digest,
  records: count,
  ringDegree: count,
  modulusBits: z.number(),
  recordsPerBatch: count,
  planned: PlanCost,
  measured: PlanCost,
  createdAtMs: atMs,
});
export type PlanOutcomeRecord = z.infer<typeof PlanOutcomeRecord>;
