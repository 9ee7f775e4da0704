/** What the operator of a server sees and does. Every route asks for the scope `admin`. */
import { z } from "zod";
import { DonorId, JobId, StageId, TenantId, UserId } from "../ids.ts";
import { Role, Usage } from "./access.ts";
import { Timestamp } from "./common.ts";
import { JobStatus, Privacy } from "./jobs.ts";

const count = z.int().nonnegative();

export const ServerHealth = z
  .object({
    object: z.literal("server_health"),
    ready: z.boolean(),
    /** What keeps it from serving; null when it is ready. */
    why: z.string().nullable(),
    uptime_seconds: z.number(),
    node: z.string(),
    memory_bytes: count,
    /** How late timers were in the last minutes, at the 99th percentile: above some 50 ms everybody waits. */
    event_loop_delay_p99_ms: z.number(),
    database_bytes: count,
    disk_free_bytes: count,
    donors_online: count,
    donor_sockets: count,
    jobs_open: count,
    leases_held: count,
    tenants: count,
  })
  .meta({ id: "ServerHealth" });
export type ServerHealth = z.infer<typeof ServerHealth>;

export const QueuedJob = z
  .object({
    id: JobId,
    tenant: TenantId,
    name: z.string(),
    status: JobStatus,
    privacy: Privacy,
    why: z.string(),
    units: count,
    units_accepted: count,
    created_at: Timestamp,
  })
  .meta({ id: "QueuedJob" });
export type QueuedJob = z.infer<typeof QueuedJob>;

export const OperatorDonor = z
  .object({
    id: DonorId,
    name: z.string().nullable(),
    online: z.boolean(),
    country: z.string().nullable(),
    device: z.string().nullable(),
    accepted: count,
    refused: count,
    compute_seconds: z.number(),
    last_seen_at: Timestamp,
    banned_at: Timestamp.nullable(),
  })
  .meta({ id: "OperatorDonor" });
export type OperatorDonor = z.infer<typeof OperatorDonor>;

export const TenantQuotasResource = z.object({
  jobs: count.optional(),
  concurrent_jobs: count.optional(),
  files: count.optional(),
  bytes: count.optional(),
});

export const TenantResource = z
  .object({
    id: TenantId,
    object: z.literal("tenant"),
    name: z.string(),
    people: z.array(z.object({ id: UserId, name: z.string(), email: z.string(), role: Role })),
    usage: Usage,
    /** What was set apart from the defaults. */
    quotas: TenantQuotasResource,
    suspended_at: Timestamp.nullable(),
    created_at: Timestamp,
  })
  .meta({ id: "Tenant" });
export type TenantResource = z.infer<typeof TenantResource>;

export const ChangeTenant = z.object({
  /** All of them: what is left out goes back to its default. */
  quotas: TenantQuotasResource.optional(),
  suspended: z.boolean().optional(),
});

export const RefusedResult = z
  .object({ donor: DonorId, stage: StageId, code: z.string(), detail: z.string(), at: Timestamp })
  .meta({ id: "RefusedResult" });

export const Abuse = z
  .object({
    object: z.literal("abuse"),
    banned: z.array(OperatorDonor),
    refused_results: z.array(RefusedResult),
    /** Requests turned away since the start, by limit. */
    rate_limited: z.record(z.string(), count),
  })
  .meta({ id: "Abuse" });
export type Abuse = z.infer<typeof Abuse>;

export const AuditEntryResource = z
  .object({
    id: z.int(),
    at: Timestamp,
    action: z.string(),
    /** usr_…, key_…, or "system". */
    actor: z.string(),
    /** The actor's e-mail address or key's name, while there is one. */
    actor_name: z.string().nullable(),
    tenant: TenantId.nullable(),
    target: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
    address: z.string().nullable(),
  })
  .meta({ id: "AuditEntry" });
export type AuditEntryResource = z.infer<typeof AuditEntryResource>;

export const ServerSetting = z.object({ name: z.string(), value: z.string(), means: z.string() });
export type ServerSetting = z.infer<typeof ServerSetting>;

export const BackupName = z.string().regex(/^flux-\d{8}-\d{6}\.sqlite$/);
export const BackupResource = z
  .object({ name: BackupName, object: z.literal("backup"), bytes: count, created_at: Timestamp })
  .meta({ id: "Backup" });
export type BackupResource = z.infer<typeof BackupResource>;
