/**
 * The database of a coordinator. Times are milliseconds since 1970 (`*_at_ms`); JSON columns hold documents whose shapes
 * are in lib/storage/records.ts, which also parses every row that is read.
 *
 * Who owns what: a tenant owns people, keys, webhooks, files, models, datasets and jobs. A job has stages; a stage has batches (for public
 * data one batch that holds all records); a batch's units are covered by microtasks; a microtask has at most one result.
 */
import { sql } from "drizzle-orm";
import { blob, check, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

const createdAtMs = () => integer("created_at_ms").notNull();

// ---------------------------------------------------------------- tenants and what they bring

export const tenants = sqliteTable("tenants", {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAtMs: createdAtMs(),
  /** What the operator set apart from the defaults of lib/protocol/limits.ts; null: all defaults. */
  quotas: text({ mode: "json" }),
  suspendedAtMs: integer("suspended_at_ms"),
  /** whsec_…: signs the deliveries to jobs' own addresses; made when it is first asked for. */
  webhookSecret: text("webhook_secret"),
});

// ---------------------------------------------------------------- people

/*
 * The four tables of better-auth; property names are the library's, dates are its Date objects. A person belongs to one
 * tenant. Sessions and verifications are short-lived; a credential is a way of signing in (a password or a provider).
 */
const date = (name: string) => integer(name, { mode: "timestamp_ms" });

export const users = sqliteTable(
  "users",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    role: text().notNull().default("member"),
    name: text().notNull(),
    email: text().notNull(),
    emailVerified: integer("email_verified", { mode: "boolean" }).notNull().default(false),
    image: text(),
    createdAt: date("created_at_ms").notNull(),
    updatedAt: date("updated_at_ms").notNull(),
  },
  (table) => [
    uniqueIndex("users_email").on(table.email),
    index("users_tenant").on(table.tenantId),
    check("users_role", sql`${table.role} in ('member', 'admin')`),
  ],
);

export const sessions = sqliteTable(
  "sessions",
  {
    id: text().primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    token: text().notNull(),
    ipAddress: text("ip_address"),
    userAgent: text("user_agent"),
    expiresAt: date("expires_at_ms").notNull(),
    createdAt: date("created_at_ms").notNull(),
    updatedAt: date("updated_at_ms").notNull(),
  },
  (table) => [uniqueIndex("sessions_token").on(table.token), index("sessions_user").on(table.userId)],
);

export const credentials = sqliteTable(
  "credentials",
  {
    id: text().primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    providerId: text("provider_id").notNull(),
    accountId: text("account_id").notNull(),
    /** A slow salted hash (scrypt). */
    password: text(),
    accessToken: text("access_token"),
    refreshToken: text("refresh_token"),
    idToken: text("id_token"),
    accessTokenExpiresAt: date("access_token_expires_at_ms"),
    refreshTokenExpiresAt: date("refresh_token_expires_at_ms"),
    scope: text(),
    createdAt: date("created_at_ms").notNull(),
    updatedAt: date("updated_at_ms").notNull(),
  },
  (table) => [
    uniqueIndex("credentials_provider").on(table.providerId, table.accountId),
    index("credentials_user").on(table.userId),
  ],
);

export const verifications = sqliteTable(
  "verifications",
  {
    id: text().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: date("expires_at_ms").notNull(),
    createdAt: date("created_at_ms").notNull(),
    updatedAt: date("updated_at_ms").notNull(),
  },
  (table) => [index("verifications_identifier").on(table.identifier)],
);

/**
 * Who did what. Append only: triggers (in the migration) refuse to change or delete rows. Names nothing but ids, so that an
 * account can be deleted and its entries stay.
 */
export const auditLog = sqliteTable(
  "audit_log",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    atMs: integer("at_ms").notNull(),
    action: text().notNull(),
    /** usr_…, key_…, or "system". */
    actor: text().notNull(),
    tenantId: text("tenant_id"),
    /** What it was done to. */
    target: text(),
    detail: text({ mode: "json" }).notNull(),
    address: text(),
  },
  (table) => [index("audit_log_tenant").on(table.tenantId, table.id)],
);

// ---------------------------------------------------------------- webhooks

export const webhooks = sqliteTable(
  "webhooks",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    url: text().notNull(),
    description: text().notNull(),
    events: text({ mode: "json" }).notNull(),
    /** whsec_…: signs deliveries, so it cannot be kept as a hash. */
    secret: text().notNull(),
    /** The first failure since the last success. */
    failingSinceMs: integer("failing_since_ms"),
    disabledAtMs: integer("disabled_at_ms"),
    disabledWhy: text("disabled_why"),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("webhooks_tenant").on(table.tenantId, table.createdAtMs)],
);

export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    /** Null: the job's own address. */
    webhookId: text("webhook_id").references(() => webhooks.id, { onDelete: "cascade" }),
    jobId: text("job_id").notNull(),
    url: text().notNull(),
    event: text().notNull(),
    /** As it is sent, every time. */
    body: text().notNull(),
    state: text().notNull(),
    attempts: integer().notNull(),
    /** Null when nothing more will be tried. */
    nextAttemptAtMs: integer("next_attempt_at_ms"),
    lastStatus: integer("last_status"),
    lastError: text("last_error"),
    lastAttemptAtMs: integer("last_attempt_at_ms"),
    createdAtMs: createdAtMs(),
  },
  (table) => [
    index("webhook_deliveries_tenant").on(table.tenantId, table.createdAtMs),
    index("webhook_deliveries_webhook").on(table.webhookId, table.createdAtMs),
    index("webhook_deliveries_due").on(table.nextAttemptAtMs).where(sql`${table.nextAttemptAtMs} is not null`),
    check("webhook_deliveries_state", sql`${table.state} in ('pending', 'delivered', 'failed')`),
  ],
);

export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    name: text().notNull(),
    /** SHA-256 of the whole key, hex. The key itself is shown once and never stored. */
    hash: text().notNull(),
    /** Last four characters, so that a person recognises it. */
    hint: text().notNull(),
    scopes: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
    revokedAtMs: integer("revoked_at_ms"),
    lastUsedAtMs: integer("last_used_at_ms"),
  },
  (table) => [uniqueIndex("api_keys_hash").on(table.hash), index("api_keys_tenant").on(table.tenantId)],
);

export const files = sqliteTable(
  "files",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    filename: text().notNull(),
    purpose: text().notNull(),
    bytes: integer().notNull(),
    sha256: text().notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("files_tenant").on(table.tenantId, table.createdAtMs), index("files_sha256").on(table.sha256)],
);

export const models = sqliteTable(
  "models",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    fileId: text("file_id")
      .notNull()
      .references(() => files.id),
    name: text().notNull(),
    format: text().notNull(),
    sha256: text().notNull(),
    details: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("models_tenant").on(table.tenantId, table.createdAtMs)],
);

export const datasets = sqliteTable(
  "datasets",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    fileId: text("file_id")
      .notNull()
      .references(() => files.id),
    name: text().notNull(),
    format: text().notNull(),
    records: integer().notNull(),
    /** The normalised sections lie under this name in the object store. */
    objectName: text("object_name").notNull(),
    description: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("datasets_tenant").on(table.tenantId, table.createdAtMs)],
);

// ---------------------------------------------------------------- jobs

export const jobs = sqliteTable(
  "jobs",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    name: text().notNull(),
    status: text().notNull(),
    privacy: text().notNull(),
    custody: text().notNull(),
    /** Null in the submitter's custody: its records never come here. */
    datasetId: text("dataset_id").references(() => datasets.id),
    /** What was asked for, after defaults. */
    request: text({ mode: "json" }).notNull(),
    plan: text({ mode: "json" }),
    error: text({ mode: "json" }),
    /** What was measured while it ran, once it is completed. */
    report: text({ mode: "json" }),
    createdAtMs: createdAtMs(),
    startedAtMs: integer("started_at_ms"),
    completedAtMs: integer("completed_at_ms"),
  },
  (table) => [
    index("jobs_tenant").on(table.tenantId, table.createdAtMs),
    index("jobs_unfinished").on(table.status).where(sql`${table.status} not in ('completed', 'failed', 'canceled')`),
  ],
);

/** What a job's page streams; the id is SSE's Last-Event-ID. */
export const jobEvents = sqliteTable(
  "job_events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    jobId: text("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    type: text().notNull(),
    data: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("job_events_job").on(table.jobId, table.id)],
);

export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    key: text().notNull(),
    /** SHA-256 of the request's body: the same key with another body is a mistake that is reported. */
    requestHash: text("request_hash").notNull(),
    /** Null while the first request is still being answered. */
    status: integer(),
    response: text({ mode: "json" }),
    createdAtMs: createdAtMs(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);

// ---------------------------------------------------------------- work

export const stages = sqliteTable(
  "stages",
  {
    id: text().primaryKey(),
    jobId: text("job_id")
      .notNull()
      .references(() => jobs.id, { onDelete: "cascade" }),
    /** Which of the job's models; 0 where there is one. */
    member: integer().notNull(),
    kernel: text().notNull(),
    specDigest: text("spec_digest").notNull(),
    state: text().notNull(),
    unitBytesIn: integer("unit_bytes_in").notNull(),
    unitBytesOut: integer("unit_bytes_out").notNull(),
    /** What the scheduler must know besides: runtimes, multiply-adds per unit, artefacts, regions, … */
    definition: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [
    index("stages_job").on(table.jobId),
    index("stages_open").on(table.state).where(sql`${table.state} = 'open'`),
  ],
);

/** What donors may fetch by digest: nothing else in the blob store is served. */
export const artefacts = sqliteTable(
  "artefacts",
  {
    digest: text().notNull(),
    stageId: text("stage_id")
      .notNull()
      .references(() => stages.id, { onDelete: "cascade" }),
    bytes: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.digest, table.stageId] }), index("artefacts_stage").on(table.stageId)],
);

export const batches = sqliteTable(
  "batches",
  {
    stageId: text("stage_id")
      .notNull()
      .references(() => stages.id, { onDelete: "cascade" }),
    batch: integer().notNull(),
    /** 1 for records; the ring's primes for lanes. */
    primes: integer().notNull(),
    unitsPerPrime: integer("units_per_prime").notNull(),
    state: text().notNull(),
    /** Payload of the batch in the object store; null where the stage's source knows (a dataset). */
    objectName: text("object_name"),
    /** Encrypted batches: the public seed of their masks, and which of the job's keys they are under. */
    maskSeed: text("mask_seed").references(() => maskSeeds.seed),
    keyGeneration: integer("key_generation").notNull().default(0),
    /** Measured when it was decrypted: a sample against the plain model. */
    fidelity: text({ mode: "json" }),
    createdAtMs: createdAtMs(),
  },
  (table) => [primaryKey({ columns: [table.stageId, table.batch] })],
);

/**
 * Every mask seed that was ever used, and for which ciphertexts. Two batches under one mask would differ by their messages, so
 * a seed that is here is never taken for another object. Rows outlive their batches on purpose.
 */
export const maskSeeds = sqliteTable("mask_seeds", {
  seed: text().primaryKey(),
  /** The batch's object; the members of an ensemble share it. */
  objectName: text("object_name").notNull(),
  createdAtMs: createdAtMs(),
});

/** Ranges that were leased at least once. What no row covers was never leased. */
export const microtasks = sqliteTable(
  "microtasks",
  {
    id: text().primaryKey(),
    stageId: text("stage_id")
      .notNull()
      .references(() => stages.id, { onDelete: "cascade" }),
    batch: integer().notNull(),
    prime: integer().notNull(),
    unitStart: integer("unit_start").notNull(),
    unitCount: integer("unit_count").notNull(),
    state: text().notNull(),
    fence: integer().notNull(),
    /** Attempts that counted against it. */
    failures: integer().notNull(),
  },
  (table) => [
    uniqueIndex("microtasks_range").on(table.stageId, table.batch, table.prime, table.unitStart),
    check("microtasks_state", sql`${table.state} in ('pending', 'accepted', 'quarantined')`),
  ],
);

/** Attempts in flight. */
export const leases = sqliteTable(
  "leases",
  {
    id: text().primaryKey(),
    microtaskId: text("microtask_id")
      .notNull()
      .references(() => microtasks.id, { onDelete: "cascade" }),
    donorId: text("donor_id").notNull(),
    fence: integer().notNull(),
    grantedAtMs: integer("granted_at_ms").notNull(),
    expiresAtMs: integer("expires_at_ms").notNull(),
    predictedMs: real("predicted_ms").notNull(),
  },
  (table) => [index("leases_microtask").on(table.microtaskId)],
);

/** The primary key is the promise: a second result of one microtask cannot be stored. Its range is the microtask's. */
export const results = sqliteTable("results", {
  microtaskId: text("microtask_id")
    .primaryKey()
    .references(() => microtasks.id, { onDelete: "cascade" }),
  bytes: integer().notNull(),
  /** Small results are here, larger ones in the object store: exactly one of the two is set. */
  inline: blob({ mode: "buffer" }),
  objectName: text("object_name"),
  donorId: text("donor_id").notNull(),
  runtime: text().notNull(),
  computeMs: real("compute_ms").notNull(),
  /** Units of it that were recomputed before it was accepted. */
  checkedUnits: integer("checked_units").notNull(),
  /** Processor time of that, on the coordinator's audit thread. */
  checkCpuMs: real("check_cpu_ms").notNull().default(0),
  /** How far its checked units lie from what was recomputed: 0 the same bits, 1 all that is allowed. */
  drift: real().notNull().default(0),
  acceptedAtMs: integer("accepted_at_ms").notNull(),
});

/** Why attempts did not count: shown for quarantined microtasks and used when a restart rebuilds who may not try again. */
export const refusals = sqliteTable(
  "refusals",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** No reference: when a batch is done anew its microtasks go, what was refused stays counted. */
    microtaskId: text("microtask_id").notNull(),
    stageId: text("stage_id")
      .notNull()
      .references(() => stages.id, { onDelete: "cascade" }),
    donorId: text("donor_id").notNull(),
    code: text().notNull(),
    detail: text().notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("refusals_microtask").on(table.microtaskId), index("refusals_stage").on(table.stageId)],
);

// ---------------------------------------------------------------- partners, groups, volunteers

/** A partner's site: which origins may embed the widget under its key. */
export const sites = sqliteTable(
  "sites",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    name: text().notNull(),
    origins: text({ mode: "json" }).notNull(),
    /** Public: it stands in the partner's pages. */
    key: text().notNull(),
    /** The key before the last rotation, and until when it still counts. */
    previousKey: text("previous_key"),
    previousUntilMs: integer("previous_until_ms"),
    createdAtMs: createdAtMs(),
    revokedAtMs: integer("revoked_at_ms"),
  },
  (table) => [
    index("sites_tenant").on(table.tenantId, table.createdAtMs),
    uniqueIndex("sites_key").on(table.key),
    index("sites_previous_key").on(table.previousKey),
  ],
);

/** Donors of a school or a lab: jobs that name a group run on its donors alone. */
export const groups = sqliteTable(
  "groups",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id, { onDelete: "cascade" }),
    name: text().notNull(),
    joinToken: text("join_token").notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [
    index("groups_tenant").on(table.tenantId, table.createdAtMs),
    uniqueIndex("groups_join_token").on(table.joinToken),
  ],
);

export const teams = sqliteTable(
  "teams",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    joinToken: text("join_token").notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [uniqueIndex("teams_join_token").on(table.joinToken)],
);

/** People who donate under a key pair of their own. The id follows from the public key; name and team are theirs to give. */
export const volunteers = sqliteTable("volunteers", {
  id: text().primaryKey(),
  publicKey: text("public_key").notNull(),
  displayName: text("display_name"),
  teamId: text("team_id").references(() => teams.id),
  createdAtMs: createdAtMs(),
});

/** What a volunteer's donors did in an ISO week ("2026-W48"); written with the acceptances. */
export const volunteerWeeks = sqliteTable(
  "volunteer_weeks",
  {
    volunteerId: text("volunteer_id").notNull(),
    week: text().notNull(),
    accepted: integer().notNull(),
    units: integer().notNull(),
    computeMs: real("compute_ms").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.volunteerId, table.week] }),
    index("volunteer_weeks_week").on(table.week, table.accepted),
  ],
);

// ---------------------------------------------------------------- donors

export const donors = sqliteTable(
  "donors",
  {
    id: text().primaryKey(),
    displayName: text("display_name"),
    /** Where it came from: a partner's site, a private group, a volunteer; null where it said none. */
    siteId: text("site_id"),
    groupId: text("group_id"),
    volunteerId: text("volunteer_id"),
    /** ISO 3166-1 alpha-2 at its last hello; null when unknown or not used. */
    country: text(),
    firstSeenAtMs: integer("first_seen_at_ms").notNull(),
    lastSeenAtMs: integer("last_seen_at_ms").notNull(),
    accepted: integer().notNull(),
    refused: integer().notNull(),
    units: integer().notNull(),
    computeMs: real("compute_ms").notNull(),
    bannedAtMs: integer("banned_at_ms"),
  },
  (table) => [
    index("donors_computed").on(table.computeMs),
    index("donors_site").on(table.siteId).where(sql`${table.siteId} is not null`),
    index("donors_group").on(table.groupId).where(sql`${table.groupId} is not null`),
  ],
);

/** How long things took: the cost model's memory. Outlives the jobs that it was measured on; thinned by age. */
export const observations = sqliteTable(
  "observations",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    donorId: text("donor_id").notNull(),
    deviceClass: text("device_class").notNull().default(""),
    stageId: text("stage_id").notNull(),
    kernel: text().notNull(),
    runtime: text().notNull(),
    units: integer().notNull(),
    bytesIn: integer("bytes_in").notNull(),
    bytesOut: integer("bytes_out").notNull(),
    queueMs: real("queue_ms").notNull(),
    downloadMs: real("download_ms").notNull(),
    computeMs: real("compute_ms").notNull(),
    restMs: real("rest_ms").notNull().default(0),
    overheadMs: real("overhead_ms").notNull().default(0),
    uploadMs: real("upload_ms").notNull(),
    predictedMs: real("predicted_ms").notNull(),
    /** The promised 80 % interval of everything but the queue. */
    lowMs: real("low_ms").notNull().default(0),
    highMs: real("high_ms").notNull().default(0),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("observations_age").on(table.createdAtMs)],
);

/** What encrypted plans said, and what their jobs then showed: later plans for the same models are told by it. */
export const planOutcomes = sqliteTable(
  "plan_outcomes",
  {
    jobId: text("job_id").primaryKey(),
    /** SHA-256 of the models' digests, in order. */
    modelsDigest: text("models_digest").notNull(),
    records: integer().notNull(),
    ringDegree: integer("ring_degree").notNull(),
    modulusBits: real("modulus_bits").notNull(),
    recordsPerBatch: integer("records_per_batch").notNull(),
    planned: text({ mode: "json" }).notNull(),
    measured: text({ mode: "json" }).notNull(),
    createdAtMs: createdAtMs(),
  },
  (table) => [index("plan_outcomes_models").on(table.modelsDigest, table.createdAtMs)],
);

export const settings = sqliteTable("settings", {
  key: text().primaryKey(),
  value: text({ mode: "json" }).notNull(),
});
