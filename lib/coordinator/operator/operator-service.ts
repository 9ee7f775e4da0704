/** What operators see of the whole server, and do to it. Every act is in the audit log. */
import { stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { z } from "zod";
import type {
  Abuse,
  AuditEntryResource,
  BackupResource,
  ChangeTenant,
  OperatorDonor,
  QueuedJob,
  ServerHealth,
  ServerSetting,
  TenantResource,
} from "#lib/protocol/api/operator.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { ApiKeyId, type DonorId, type TenantId, UserId } from "#lib/protocol/ids.ts";
import type { AuditRecord, DonorRecord, TenantQuotas, TenantRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Accounts } from "../accounts/auth.ts";
import type { Audit, AuditAction } from "../audit.ts";
import type { Config } from "../config.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { actorId, type Identity } from "../identity.ts";
import type { OpenConnections } from "../rest/open-connections.ts";
import type { RateLimits } from "../rest/rate-limits.ts";
import { type AccountService, usageOf } from "../services/account.ts";
import type { JobService } from "../services/jobs.ts";
import type { Backups } from "./backups.ts";
import { settingsOf } from "./settings.ts";

export interface OperatorServiceOptions {
  readonly store: Store;
  readonly config: Config;
  readonly jobs: JobService;
  readonly account: AccountService;
  readonly accounts: Pick<Accounts, "resetToken">;
  readonly backups: Backups;
  readonly dispatcher: Pick<Dispatcher, "donorsOnline" | "jobsOpen" | "leasesHeld" | "sessions" | "session">;
  readonly openSockets: () => number;
  readonly limits: RateLimits;
  readonly connections: OpenConnections;
  readonly audit: Audit;
  readonly now: () => number;
}

const DONORS_SHOWN = 100;
const REFUSALS_SHOWN = 50;

export class OperatorService {
  readonly #options: OperatorServiceOptions;
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor(options: OperatorServiceOptions) {
    this.#options = options;
    this.#delay.enable();
  }

  close(): void {
    this.#delay.disable();
  }

  /** @param why what keeps it from serving; null when it is ready */
  async health(why: string | null): Promise<ServerHealth> {
    const { store, config, dispatcher, openSockets } = this.#options;
    const [file, disk] = await Promise.all([stat(join(config.dataFolder, "flux.sqlite")), statfs(config.dataFolder)]);
    return {
      object: "server_health",
      ready: why === null,
      why,
      uptime_seconds: process.uptime(),
      node: process.version,
      memory_bytes: process.memoryUsage().rss,
      event_loop_delay_p99_ms: Math.max(0, this.#delay.percentile(99) / 1e6),
      database_bytes: file.size,
      disk_free_bytes: disk.bavail * disk.bsize,
      donors_online: dispatcher.donorsOnline,
      donor_sockets: openSockets(),
      jobs_open: dispatcher.jobsOpen,
      leases_held: dispatcher.leasesHeld,
      tenants: await store.tenants.count(),
    };
  }

  /** Everybody's jobs that have not ended, oldest first. */
  async queue(): Promise<QueuedJob[]> {
    const { store, jobs } = this.#options;
    const queued: QueuedJob[] = [];
    for (const job of await store.jobs.unfinished()) {
      const { counts, why } = await jobs.show(job);
      queued.push({
        id: job.id,
        tenant: job.tenantId,
        name: job.name,
        status: job.status,
        privacy: job.privacy,
        why,
        units: counts.units,
        units_accepted: counts.units_accepted,
        created_at: timeOf(job.createdAtMs),
      });
    }
    return queued;
  }

  /** Those that are here, then those who computed most. */
  async donors(): Promise<OperatorDonor[]> {
    const { store, dispatcher } = this.#options;
    const shown = new Map<DonorId, OperatorDonor>();
    for (const { id } of dispatcher.sessions()) {
      if (shown.size >= DONORS_SHOWN) break;
      const record = await store.donors.get(id);
      if (record) shown.set(id, this.#donor(record));
    }
    for (const record of await store.donors.leaders(DONORS_SHOWN)) {
      if (!shown.has(record.id)) shown.set(record.id, this.#donor(record));
    }
    return [...shown.values()].slice(0, DONORS_SHOWN);
  }

  /** Its connection ends, and no new one is taken. @throws FluxError not_found */
  async ban(by: Identity, id: DonorId): Promise<OperatorDonor> {
    const { store, dispatcher, now } = this.#options;
    await this.#donorRecord(id);
    await store.donors.ban(id, now());
    dispatcher.session(id)?.disconnect();
    this.#note(by, "donor.banned", id);
    return this.#donor(await this.#donorRecord(id));
  }

  async unban(by: Identity, id: DonorId): Promise<OperatorDonor> {
    await this.#donorRecord(id);
    await this.#options.store.donors.unban(id);
    this.#note(by, "donor.unbanned", id);
    return this.#donor(await this.#donorRecord(id));
  }

  async tenants(page: PageRequest<TenantId>): Promise<Page<TenantResource>> {
    const { items, hasMore } = await this.#options.store.tenants.list(page);
    return { items: await Promise.all(items.map((tenant) => this.#tenant(tenant))), hasMore };
  }

  /** @throws FluxError not_found; conflict for one's own suspension */
  async changeTenant(by: Identity, id: TenantId, change: z.infer<typeof ChangeTenant>): Promise<TenantResource> {
    const { store, connections, now } = this.#options;
    const { suspendedAtMs } = await store.tenants.get(id);
    if (change.quotas) {
      const { concurrent_jobs: concurrentJobs, ...rest } = change.quotas;
      const quotas: TenantQuotas = { ...rest, ...(concurrentJobs === undefined ? {} : { concurrentJobs }) };
      await store.tenants.setQuotas(id, quotas);
      this.#note(by, "tenant.quotas_set", id, { ...change.quotas });
    }
    if (change.suspended === true && suspendedAtMs === null) {
      if (id === by.tenantId) throw new FluxError("conflict", "This is your own account: you would lock yourself out.");
      await store.tenants.setSuspended(id, now());
      connections.end(id);
      this.#note(by, "tenant.suspended", id);
    }
    if (change.suspended === false && suspendedAtMs !== null) {
      await store.tenants.setSuspended(id, null);
      this.#note(by, "tenant.restored", id);
    }
    return this.#tenant(await store.tenants.get(id));
  }

  /** With everything in it. @throws FluxError not_found; conflict for one's own */
  async removeTenant(by: Identity, id: TenantId): Promise<void> {
    if (id === by.tenantId) throw new FluxError("conflict", "This is your own account: delete it on its own page.");
    await this.#options.account.removeTenant(by, id);
  }

  /** A link with which a person sets a new password, for servers without mail. Works for a day, once. */
  async resetLink(by: Identity, id: UserId, origin: string): Promise<string> {
    const { store, accounts } = this.#options;
    const person = await store.people.get(id);
    if (!person) throw new FluxError("not_found", `There is no person ${id} here.`);
    const token = await accounts.resetToken(id);
    this.#note(by, "password.reset_link_made", id);
    return `${origin}/reset-password?token=${token}`;
  }

  async abuse(): Promise<Abuse> {
    const { store, limits } = this.#options;
    const [banned, refused] = await Promise.all([
      store.donors.banned(DONORS_SHOWN),
      store.work.recentRefusals(REFUSALS_SHOWN),
    ]);
    return {
      object: "abuse",
      banned: banned.map((record) => this.#donor(record)),
      refused_results: refused.map(({ donorId, stageId, code, detail, createdAtMs }) => ({
        donor: donorId,
        stage: stageId,
        code,
        detail,
        at: timeOf(createdAtMs),
      })),
      rate_limited: { ...limits.refused },
    };
  }

  async auditLog(page: {
    readonly limit: number;
    readonly before?: number | undefined;
    readonly tenantId?: TenantId | undefined;
  }): Promise<Page<AuditEntryResource>> {
    const { items, hasMore } = await this.#options.store.audit.list(page);
    return { items: await Promise.all(items.map((record) => this.#auditEntry(record))), hasMore };
  }

  settings(): ServerSetting[] {
    return settingsOf(this.#options.config);
  }

  backups(): Promise<BackupResource[]> {
    return this.#options.backups.list();
  }

  async makeBackup(by: Identity): Promise<BackupResource> {
    const made = await this.#options.backups.make(this.#options.now());
    this.#note(by, "backup.made", made.name, { bytes: made.bytes });
    return made;
  }

  async readBackup(by: Identity, name: string) {
    const backup = await this.#options.backups.read(name);
    this.#note(by, "backup.downloaded", name);
    return backup;
  }

  async #donorRecord(id: DonorId): Promise<DonorRecord> {
    const record = await this.#options.store.donors.get(id);
    if (!record) throw new FluxError("not_found", `There is no donor ${id} here.`);
    return record;
  }

  #donor(record: DonorRecord): OperatorDonor {
    const session = this.#options.dispatcher.session(record.id);
    return {
      id: record.id,
      name: record.displayName,
      online: session !== undefined,
      country: session?.view.country ?? null,
      device: session?.view.deviceClass ?? null,
      accepted: record.accepted,
      refused: record.refused,
      compute_seconds: record.computeMs / 1000,
      last_seen_at: timeOf(record.lastSeenAtMs),
      banned_at: record.bannedAtMs === null ? null : timeOf(record.bannedAtMs),
    };
  }

  async #tenant(tenant: TenantRecord): Promise<TenantResource> {
    const { store } = this.#options;
    const { concurrentJobs, ...rest } = tenant.quotas;
    const people = await store.people.ofTenant(tenant.id);
    return {
      id: tenant.id,
      object: "tenant",
      name: tenant.name,
      people: people.map(({ id, name, email, role }) => ({ id, name, email, role })),
      usage: await usageOf(store, tenant.id),
      quotas: { ...rest, ...(concurrentJobs === undefined ? {} : { concurrent_jobs: concurrentJobs }) },
      suspended_at: tenant.suspendedAtMs === null ? null : timeOf(tenant.suspendedAtMs),
      created_at: timeOf(tenant.createdAtMs),
    };
  }

  async #auditEntry(record: AuditRecord): Promise<AuditEntryResource> {
    return {
      id: record.id,
      at: timeOf(record.atMs),
      action: record.action,
      actor: record.actor,
      actor_name: await this.#nameOf(record),
      tenant: record.tenantId,
      target: record.target,
      detail: record.detail,
      address: record.address,
    };
  }

  async #nameOf({ actor, tenantId }: AuditRecord): Promise<string | null> {
    const { store } = this.#options;
    const person = UserId.safeParse(actor);
    if (person.success) return (await store.people.get(person.data))?.email ?? null;
    const key = ApiKeyId.safeParse(actor);
    if (!key.success || tenantId === null) return null;
    return (await store.apiKeys.list(tenantId)).find(({ id }) => id === key.data)?.name ?? null;
  }

  #note(by: Identity, action: AuditAction, target: string, detail: Readonly<Record<string, unknown>> = {}): void {
    this.#options.audit.add({ action, actor: actorId(by), tenantId: by.tenantId, target, detail });
  }
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
