/**
 * The store port: everything durable that is not a blob, grouped by noun. `sqlite/` implements it;
 * tests/contract/store.contract.ts says what every implementation must do.
 *
 * Identity. Reads of a tenant's things take the caller: a tenant's id, or SYSTEM for the coordinator itself. What belongs
 * to another tenant is `not_found`, exactly like what does not exist. Lists are newest first.
 *
 * Durability. A promise resolves after the commit of what it stands for. `store.work` gathers the hot path's writes into
 * group commits; its methods that return nothing are written behind in call order: a crash may lose the last
 * milliseconds of them, never one that an awaited later write followed.
 */
import type { BetterAuthOptions } from "better-auth";
import type { JobStatus } from "#lib/protocol/api/jobs.ts";
import type { ErrorCode } from "#lib/protocol/errors.ts";
import type {
  ApiKeyId,
  DatasetId,
  DeliveryId,
  Digest,
  DonorId,
  FileId,
  GroupId,
  JobId,
  JoinToken,
  LeaseId,
  MicrotaskId,
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
import type { Artefact, RuntimeId } from "#lib/protocol/stage.ts";
import type {
  ApiKeyRecord,
  AuditRecord,
  BatchRecord,
  Contribution,
  DatasetRecord,
  DeliveryRecord,
  DonorRecord,
  FileRecord,
  GroupRecord,
  IdempotencyRecord,
  JobEventRecord,
  JobRecord,
  LeaseRecord,
  MicrotaskRecord,
  ModelRecord,
  NewTenant,
  ObservationRecord,
  PlanOutcomeRecord,
  RefusalRecord,
  ResultBody,
  ResultRecord,
  SessionRecord,
  SiteRecord,
  StageRecord,
  StageState,
  TeamRecord,
  TenantQuotas,
  TenantRecord,
  UnitRange,
  UserRecord,
  VolunteerRecord,
  WebhookRecord,
} from "./records.ts";

/** The coordinator itself, which may see every tenant's things. */
export const SYSTEM = Symbol("system");
export type Caller = TenantId | typeof SYSTEM;

export interface PageRequest<Id extends string> {
  readonly limit: number;
  /** Id of the last item of the page before. */
  readonly after?: Id | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/** What each noun of a tenant has in common. */
export interface OwnedNoun<Record, Id extends string> {
  insert(record: Record): Promise<void>;
  /** @throws FluxError not_found, also when it is another tenant's */
  get(caller: Caller, id: Id): Promise<Record>;
  list(caller: Caller, page: PageRequest<Id>): Promise<Page<Record>>;
  /** @throws FluxError not_found; conflict while something else refers to it */
  remove(caller: Caller, id: Id): Promise<void>;
}

export interface JobChange {
  readonly status?: JobStatus;
  readonly plan?: JobRecord["plan"];
  readonly error?: JobRecord["error"];
  readonly report?: JobRecord["report"];
  readonly startedAtMs?: number;
  readonly completedAtMs?: number;
}

/** An attempt that starts: creates or updates its microtask, and the lease. */
export interface Grant {
  readonly microtask: MicrotaskRecord;
  readonly lease: LeaseRecord;
}

/** A result that passed its checks. */
export interface Acceptance {
  readonly leaseId: LeaseId;
  readonly microtask: MicrotaskRecord;
  readonly donorId: DonorId;
  readonly runtime: RuntimeId;
  readonly computeMs: number;
  readonly checkedUnits: number;
  /** Processor time of the check. */
  readonly checkCpuMs: number;
  /** Of its checked units: how far they lie from what was recomputed, 0 to 1 of what is allowed. */
  readonly drift: number;
  readonly acceptedAtMs: number;
  /** Milliseconds of computing that the donor is credited with, and whose week they count for. */
  readonly creditedMs: number;
  readonly volunteerId: VolunteerId | null;
  readonly body: ResultBody;
}

/** An attempt that ended without a result. */
export interface EndedLease {
  readonly leaseId: LeaseId;
  readonly microtaskId: MicrotaskId;
  readonly failures: number;
  readonly state: "pending" | "quarantined";
  /** Set where the attempt counts against the microtask. */
  readonly refusal?: { readonly donorId: DonorId; readonly code: ErrorCode; readonly detail: string };
  readonly atMs: number;
}

/** What a restart needs to go on with a stage. */
export interface OpenStage {
  readonly stage: StageRecord;
  readonly batches: readonly BatchRecord[];
  /** Accepted ones carry nothing but their range. */
  readonly accepted: readonly UnitRange[];
  readonly microtasks: readonly MicrotaskRecord[];
  readonly leases: readonly LeaseRecord[];
  /** Donors whose attempts at a microtask were refused. */
  readonly refusedTo: ReadonlyMap<MicrotaskId, readonly DonorId[]>;
}

export interface JobProgress {
  readonly units: number;
  readonly unitsAccepted: number;
  readonly microtasksAccepted: number;
  readonly microtasksQuarantined: number;
  readonly resultsRefused: number;
  readonly unitsChecked: number;
}

/** What became of a job's microtasks, summed. */
export interface JobInsight {
  /** Of its first stage, in no order. */
  readonly accepted: readonly UnitRange[];
  readonly leased: readonly UnitRange[];
  readonly runtimes: readonly {
    readonly runtime: RuntimeId;
    readonly microtasks: number;
    readonly units: number;
    readonly computeMs: number;
    readonly unitsChecked: number;
    readonly resultsChecked: number;
  }[];
  /** Who has an accepted result. */
  readonly donorIds: readonly DonorId[];
  /** Accepted units in equal steps from the first computing to the last result; empty before that. */
  readonly timeline: {
    readonly fromMs: number | null;
    readonly stepMs: number;
    readonly unitsPerStep: readonly number[];
  };
  readonly refused: readonly { readonly code: ErrorCode; readonly results: number }[];
}
/** What one attempt at a delivery came to. */
export type DeliveryOutcome = Pick<
  DeliveryRecord,
  "state" | "nextAttemptAtMs" | "lastStatus" | "lastError" | "lastAttemptAtMs"
>;

export interface Store {
  readonly tenants: {
    insert(record: NewTenant): Promise<void>;
    /** @throws FluxError not_found */
    get(id: TenantId): Promise<TenantRecord>;
    count(): Promise<number>;
    /** The operator's own: the one that the first start made. */
    oldest(): Promise<TenantRecord | undefined>;
    /** By id. */
    list(page: PageRequest<TenantId>): Promise<Page<TenantRecord>>;
    setQuotas(id: TenantId, quotas: TenantQuotas): Promise<void>;
    setSuspended(id: TenantId, atMs: number | null): Promise<void>;
    /** With all of its rows; bytes outside the database are the caller's to delete before. */
    remove(id: TenantId): Promise<void>;
    /** The secret that signs deliveries to jobs' own addresses; `fresh` becomes it where there is none. */
    webhookSecret(id: TenantId, fresh: string): Promise<string>;
  };
  readonly people: {
    /** Users, sessions, credentials and verifications, as better-auth reads and writes them. */
    readonly authDatabase: BetterAuthOptions["database"];
    get(id: UserId): Promise<UserRecord | undefined>;
    ofTenant(tenantId: TenantId): Promise<readonly UserRecord[]>;
    /** How many there are. */
    admins(): Promise<number>;
    becomeAdmin(id: UserId, tenantId: TenantId): Promise<void>;
    hasPassword(id: UserId): Promise<boolean>;
    /** Those that are valid, newest first. */
    sessions(userId: UserId, nowMs: number): Promise<readonly SessionRecord[]>;
    /** @throws FluxError not_found, also when it is another person's */
    removeSession(userId: UserId, id: SessionId): Promise<void>;
    removeExpired(nowMs: number): Promise<void>;
  };
  readonly audit: {
    /** Written behind; never changed or deleted afterwards. */
    add(record: Omit<AuditRecord, "id">): void;
    /** Newest first. */
    list(page: {
      readonly limit: number;
      readonly before?: number | undefined;
      readonly tenantId?: TenantId | undefined;
    }): Promise<Page<AuditRecord>>;
  };
  readonly apiKeys: {
    insert(record: ApiKeyRecord): Promise<void>;
    /** The key with that hash, revoked or not. */
    byHash(hash: Digest): Promise<ApiKeyRecord | undefined>;
    list(tenantId: TenantId): Promise<readonly ApiKeyRecord[]>;
    revoke(tenantId: TenantId, id: ApiKeyId, atMs: number): Promise<void>;
    /** Written behind. */
    touch(id: ApiKeyId, atMs: number): void;
  };
  readonly webhooks: OwnedNoun<WebhookRecord, WebhookId> & {
    count(tenantId: TenantId): Promise<number>;
    enabled(tenantId: TenantId): Promise<readonly WebhookRecord[]>;
    mark(
      id: WebhookId,
      marks: Partial<Pick<WebhookRecord, "failingSinceMs" | "disabledAtMs" | "disabledWhy">>,
    ): Promise<void>;
  };
  readonly deliveries: {
    get(caller: Caller, id: DeliveryId): Promise<DeliveryRecord>;
    list(
      caller: Caller,
      page: PageRequest<DeliveryId>,
      filter: { readonly webhookId?: WebhookId | undefined; readonly jobId?: JobId | undefined },
    ): Promise<Page<DeliveryRecord>>;
    /** The last job event that deliveries were made of; undefined before the first. */
    cursor(): Promise<number | undefined>;
    /** In one transaction: the deliveries, and the cursor after the event that they come from. */
    enqueue(records: readonly DeliveryRecord[], cursor: number): Promise<void>;
    /**
     * The one that is due for longest, without those of some tenants. It is due again at `untilMs`, should its outcome not be
     * written by then.
     */
    claim(nowMs: number, untilMs: number, notOf: readonly TenantId[]): Promise<DeliveryRecord | undefined>;
    nextDueAtMs(): Promise<number | undefined>;
    attempted(id: DeliveryId, outcome: DeliveryOutcome): Promise<void>;
    /** @throws FluxError not_found; conflict while it is pending */
    again(caller: Caller, id: DeliveryId, atMs: number): Promise<DeliveryRecord>;
    /** Its webhook was switched off. */
    dropPending(webhookId: WebhookId, why: string): Promise<void>;
    removeOlderThan(atMs: number): Promise<void>;
  };
  readonly files: OwnedNoun<FileRecord, FileId> & {
    usage(tenantId: TenantId): Promise<{ readonly files: number; readonly bytes: number }>;
    /** @throws FluxError quota_exceeded where the tenant would hold more than that */
    insertWithin(record: FileRecord, quota: { readonly files: number; readonly bytes: number }): Promise<void>;
    /** Does anything still point at this blob? (files, models, artefacts of stages) */
    refersTo(digest: Digest): Promise<boolean>;
  };
  readonly models: OwnedNoun<ModelRecord, ModelId>;
  readonly datasets: OwnedNoun<DatasetRecord, DatasetId>;
  readonly jobs: OwnedNoun<JobRecord, JobId> & {
    listByStatus(caller: Caller, status: JobStatus, page: PageRequest<JobId>): Promise<Page<JobRecord>>;
    /** Every job that is not completed, failed or canceled, oldest first. */
    unfinished(): Promise<readonly JobRecord[]>;
    usage(tenantId: TenantId): Promise<{ readonly jobs: number; readonly concurrentJobs: number }>;
    /** @throws FluxError quota_exceeded where the tenant would hold more than that */
    insertWithin(record: JobRecord, quota: { readonly jobs: number; readonly concurrentJobs: number }): Promise<void>;
    /**
     * Changes a job, but only when its status is one of `from`. A change of status is a durable event too, in the same
     * transaction.
     * @returns the changed job, or undefined where its status was another
     */
    change(id: JobId, from: readonly JobStatus[], change: JobChange, atMs: number): Promise<JobRecord | undefined>;
    progress(id: JobId): Promise<JobProgress>;
    /** Reads every row of the job's microtasks: not for the hot path. */
    insight(id: JobId, mostSteps: number): Promise<JobInsight>;
  };
  readonly jobEvents: {
    append(jobId: JobId, type: string, data: unknown, atMs: number): Promise<JobEventRecord>;
    /** Events of a job after an id, oldest first. */
    after(jobId: JobId, afterId: number, limit: number): Promise<readonly JobEventRecord[]>;
    /** Events of all jobs after an id, oldest first. */
    afterOfAll(afterId: number, limit: number): Promise<readonly JobEventRecord[]>;
    /** The id of the newest; 0 where there is none. */
    newest(): Promise<number>;
  };
  readonly idempotency: {
    /** Claims the key, or answers what holds it. */
    claim(record: IdempotencyRecord): Promise<IdempotencyRecord | "claimed">;
    complete(tenantId: TenantId, key: string, status: number, response: unknown): Promise<void>;
    /** The request failed before it had an effect: the key is free again. */
    release(tenantId: TenantId, key: string): Promise<void>;
    removeOlderThan(atMs: number): Promise<void>;
  };
  readonly stages: {
    /** A stage with its first batches, in one transaction; its plan's artefacts and its spec become fetchable. */
    insert(stage: StageRecord, specBytes: number, batches: readonly BatchRecord[]): Promise<void>;
    get(id: StageId): Promise<StageRecord>;
    ofJob(jobId: JobId): Promise<readonly StageRecord[]>;
    setState(id: StageId, state: StageState): Promise<void>;
    /** Its counts, from its rows. */
    progress(id: StageId): Promise<JobProgress>;
    /** What may be served under /artefacts/{digest}; undefined for everything else. */
    artefact(digest: Digest): Promise<Artefact | undefined>;
    /** @throws FluxError conflict where the batch's mask seed was used before */
    insertBatch(batch: BatchRecord): Promise<void>;
    /** A batch is done anew: its results and microtasks are forgotten, its row is replaced, and its stage is open again. */
    replaceBatch(batch: BatchRecord): Promise<void>;
    batches(id: StageId): Promise<readonly BatchRecord[]>;
    setBatchState(
      id: StageId,
      batch: number,
      state: BatchRecord["state"],
      fidelity?: BatchRecord["fidelity"],
    ): Promise<void>;
  };
  /** The hot path. One writer: the dispatcher. */
  readonly work: {
    openStages(): Promise<readonly OpenStage[]>;
    /** Written behind. */
    grant(grant: Grant): void;
    /**
     * Result row, microtask state, the end of all its leases and the credit of its donor in one transaction. `duplicate`: the
     * microtask has a result already; nothing changed.
     */
    accept(acceptance: Acceptance): Promise<"accepted" | "duplicate">;
    /** Written behind. */
    end(ended: EndedLease): void;
    /** Accepted results of a stage in the order of batch, prime, unit; `after` pages on. */
    results(
      stageId: StageId,
      options?: { readonly batch?: number; readonly after?: UnitRange; readonly limit?: number },
    ): Promise<readonly ResultRecord[]>;
    quarantined(stageId: StageId): Promise<readonly MicrotaskRecord[]>;
    /** What the accepted results of a stage took their donors, and their checks the coordinator. */
    effort(stageId: StageId): Promise<Effort>;
    refusals(stageId: StageId, limit: number): Promise<readonly RefusalRecord[]>;
    /** Of all stages, newest first. */
    recentRefusals(limit: number): Promise<readonly RefusalRecord[]>;
    /** Resolves when everything that was written behind so far is committed. */
    flush(): Promise<void>;
  };
  readonly donors: {
    get(id: DonorId): Promise<DonorRecord | undefined>;
    /** A new donor, or what a known one says of itself now; counters of a known one stay. */
    upsert(record: DonorRecord): Promise<void>;
    /** Written behind: adds to the counters. What is accepted is counted with its result (work.accept). */
    count(id: DonorId, add: DonorCounts, atMs: number): void;
    ban(id: DonorId, atMs: number): Promise<void>;
    unban(id: DonorId): Promise<void>;
    /** Banned last first. */
    banned(limit: number): Promise<readonly DonorRecord[]>;
    /** Most computed first. */
    leaders(limit: number): Promise<readonly DonorRecord[]>;
    totals(): Promise<{
      readonly donors: number;
      readonly accepted: number;
      readonly units: number;
      readonly computeMs: number;
    }>;
  };
  readonly sites: OwnedNoun<SiteRecord, SiteId> & {
    /** The site with that key, present or previous, revoked or not. */
    byKey(key: SiteKey): Promise<SiteRecord | undefined>;
    /** @throws FluxError not_found, also when it is another tenant's */
    change(caller: Caller, id: SiteId, change: SiteChange): Promise<SiteRecord>;
    contribution(id: SiteId): Promise<Contribution>;
    /** Countries with at least `fewest` donors of the site, most donors first. */
    countries(id: SiteId, fewest: number): Promise<readonly CountryContribution[]>;
  };
  readonly groups: OwnedNoun<GroupRecord, GroupId> & {
    byToken(token: JoinToken): Promise<GroupRecord | undefined>;
    /** Old join links end; donors that are in stay until they leave. */
    setToken(caller: Caller, id: GroupId, token: JoinToken): Promise<GroupRecord>;
    contribution(id: GroupId): Promise<Contribution>;
  };
  readonly volunteers: {
    get(id: VolunteerId): Promise<VolunteerRecord | undefined>;
    /** Name and team of a known one are replaced. */
    upsert(record: VolunteerRecord): Promise<void>;
    insertTeam(record: TeamRecord): Promise<void>;
    team(id: TeamId): Promise<TeamRecord | undefined>;
    teamByToken(token: JoinToken): Promise<TeamRecord | undefined>;
    /** Those who gave a name, most accepted microtasks in that week first. */
    leaders(week: string, limit: number): Promise<readonly WeekEntry[]>;
    /** Teams with at least one accepted microtask in that week, most first. */
    teamLeaders(week: string, limit: number): Promise<readonly WeekEntry[]>;
  };
  readonly observations: {
    /** Written behind. */
    add(record: ObservationRecord): void;
    /** Newest first. */
    recent(limit: number): Promise<readonly ObservationRecord[]>;
    removeOlderThan(atMs: number): Promise<void>;
  };
  readonly planOutcomes: {
    /** A job's outcome; a second one of the same job changes nothing. */
    add(record: PlanOutcomeRecord): Promise<void>;
    /** Newest first. */
    ofModels(modelsDigest: Digest, limit: number): Promise<readonly PlanOutcomeRecord[]>;
  };
  readonly settings: {
    get(key: string): Promise<unknown>;
    set(key: string, value: unknown): Promise<void>;
  };
  /** Commits what is written behind and closes. */
  close(): Promise<void>;
}

export interface Effort {
  /** By the donors' own clocks. */
  readonly computeMs: number;
  readonly checkedUnits: number;
  readonly checkCpuMs: number;
}

export type SiteChange = Partial<
  Pick<SiteRecord, "name" | "origins" | "key" | "previousKey" | "previousUntilMs" | "revokedAtMs">
>;

export interface CountryContribution {
  readonly country: string;
  readonly donors: number;
  readonly accepted: number;
}

/** A line of a week's leaderboard. */
export interface WeekEntry {
  readonly name: string;
  readonly team: string | null;
  readonly accepted: number;
  readonly units: number;
  readonly computeMs: number;
}

export interface DonorCounts {
  readonly accepted?: number;
  readonly refused?: number;
  readonly units?: number;
  readonly computeMs?: number;
}
