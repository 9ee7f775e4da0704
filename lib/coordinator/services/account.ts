/** One's own account: what it is and uses, who is signed in to it, and its end, with everything that belongs to it. */
import type { AccountResource, SessionResource, Usage } from "#lib/protocol/api/access.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { SessionId, TenantId } from "#lib/protocol/ids.ts";
import type { SessionRecord } from "#lib/storage/records.ts";
import type { OwnedNoun, Store } from "#lib/storage/store.ts";
import type { Accounts } from "../accounts/auth.ts";
import type { Audit } from "../audit.ts";
import { actorId, type Identity, type PersonIdentity } from "../identity.ts";
import { isEnded } from "../jobs/lifecycle.ts";
import { quotasOf } from "../quotas.ts";
import type { OpenConnections } from "../rest/open-connections.ts";
import type { Services } from "./index.ts";

export interface AccountServiceOptions {
  readonly store: Store;
  readonly services: Services;
  readonly accounts: Pick<Accounts, "confirm" | "removePerson">;
  readonly removeUploads: (tenantId: TenantId) => Promise<void>;
  readonly connections: OpenConnections;
  readonly audit: Audit;
  readonly now: () => number;
}

const PAGE = 100;

export class AccountService {
  readonly #options: AccountServiceOptions;

  constructor(options: AccountServiceOptions) {
    this.#options = options;
  }

  async get(caller: Identity): Promise<AccountResource> {
    const { store } = this.#options;
    const tenant = await store.tenants.get(caller.tenantId);
    const user = caller.kind === "person" ? await store.people.get(caller.userId) : undefined;
    return {
      object: "account",
      tenant: tenant.id,
      name: tenant.name,
      scopes: [...caller.scopes],
      person: user
        ? {
            id: user.id,
            name: user.name,
            email: user.email,
            role: user.role,
            has_password: await store.people.hasPassword(user.id),
          }
        : null,
      usage: await usageOf(store, tenant.id),
      created_at: new Date(tenant.createdAtMs).toISOString(),
    };
  }

  async sessions(caller: Identity): Promise<SessionResource[]> {
    const person = requirePerson(caller);
    const sessions = await this.#options.store.people.sessions(person.userId, this.#options.now());
    return sessions.map((session) => sessionResource(session, person.sessionId));
  }

  /** Signs one of the person's browsers out, at once. @throws FluxError not_found */
  async endSession(caller: Identity, id: SessionId): Promise<void> {
    const { store, connections, audit } = this.#options;
    if (caller.kind === "key") throw new FluxError("not_found", "An API key has no sessions.");
    const person = caller;
    if (id === person.sessionId) connections.spare(caller);
    await store.people.removeSession(person.userId, id);
    connections.end(id);
    audit.add({ action: "session.ended", actor: person.userId, tenantId: person.tenantId, target: id });
  }

  /**
   * Deletes the person, and with the last person of an account everything in it.
   * @throws FluxError invalid_request without the right password; conflict for the only admin
   */
  async removeOwn(caller: Identity, password: string | undefined): Promise<void> {
    const { store, accounts, connections, audit } = this.#options;
    const person = requirePerson(caller);
    await accounts.confirm(person, password);
    const user = await store.people.get(person.userId);
    if (user?.role === "admin" && (await store.people.admins()) === 1) {
      throw new FluxError("conflict", "You are this server's only admin: it would have none.");
    }
    connections.spare(caller);
    if ((await store.people.ofTenant(person.tenantId)).length === 1) {
      await this.removeTenant(person, person.tenantId);
      return;
    }
    await accounts.removePerson(person.userId);
    audit.add({
      action: "person.removed",
      actor: person.userId,
      tenantId: person.tenantId,
      target: person.userId,
    });
  }

  /** Ends its jobs, deletes its files, models, datasets, results and keys, and signs its people out. */
  async removeTenant(by: Identity, tenantId: TenantId): Promise<void> {
    const { store, services, accounts, removeUploads, connections, audit, now } = this.#options;
    await store.tenants.get(tenantId);
    // From here on nobody of the account gets in any more, so that nothing is added while it is taken apart.
    await store.tenants.setSuspended(tenantId, now());
    for (const key of await store.apiKeys.list(tenantId)) connections.end(key.id);
    const owner: Identity = { ...by, tenantId };
    for (const job of await allOf(store.jobs, tenantId)) {
      if (!isEnded(job.status)) await services.jobs.cancel(owner, job.id);
    }
    await services.jobs.lifecycle.settled();
    for (const { id } of await allOf(store.jobs, tenantId)) await services.jobs.remove(owner, id);
    for (const { id } of await allOf(store.models, tenantId)) await services.models.remove(owner, id);
    for (const { id } of await allOf(store.datasets, tenantId)) await services.datasets.remove(owner, id);
    for (const { id } of await allOf(store.files, tenantId)) await services.files.remove(owner, id);
    await removeUploads(tenantId);
    for (const { id } of await store.people.ofTenant(tenantId)) await accounts.removePerson(id);
    await store.tenants.remove(tenantId);
    audit.add({ action: "tenant.removed", actor: actorId(by), tenantId, target: tenantId });
  }
}

export async function usageOf(store: Store, tenantId: TenantId): Promise<Usage> {
  const [jobs, files, quotas] = await Promise.all([
    store.jobs.usage(tenantId),
    store.files.usage(tenantId),
    quotasOf(store, tenantId),
  ]);
  return {
    jobs: { used: jobs.jobs, limit: quotas.jobs },
    concurrent_jobs: { used: jobs.concurrentJobs, limit: quotas.concurrentJobs },
    files: { used: files.files, limit: quotas.files },
    bytes: { used: files.bytes, limit: quotas.bytes },
  };
}

function requirePerson(caller: Identity): PersonIdentity {
  if (caller.kind === "person") return caller;
  throw new FluxError("forbidden", "This is for people who are signed in, not for API keys.");
}

async function allOf<Item extends { readonly id: Id }, Id extends string>(
  noun: OwnedNoun<Item, Id>,
  tenantId: TenantId,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (;;) {
    const page = await noun.list(tenantId, { limit: PAGE, after: items.at(-1)?.id });
    items.push(...page.items);
    if (!page.hasMore) return items;
  }
}

function sessionResource(session: SessionRecord, current: SessionId): SessionResource {
  return {
    id: session.id,
    object: "session",
    current: session.id === current,
    address: session.ipAddress,
    user_agent: session.userAgent,
    created_at: session.createdAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
  };
}
