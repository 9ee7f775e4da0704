/** Tenants, their people and keys, and the audit log on SQLite. better-auth writes the people's tables through its own adapter. */
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { and, asc, count, desc, eq, gt, lt, sql } from "drizzle-orm";
import * as t from "#drizzle/schema.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { TenantId } from "#lib/protocol/ids.ts";
import { ApiKeyRecord, AuditRecord, SessionRecord, TenantRecord, UserRecord } from "../records.ts";
import type { Store } from "../store.ts";
import type { OpenDatabase } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";

export function sqliteTenants({ drizzle }: OpenDatabase, commits: GroupCommit): Store["tenants"] {
  const absent = (id: TenantId) => new FluxError("not_found", `There is no account ${id}.`);

  async function change(id: TenantId, set: Partial<typeof t.tenants.$inferInsert>): Promise<void> {
    const { changes } = await commits.writeNow(() =>
      drizzle.update(t.tenants).set(set).where(eq(t.tenants.id, id)).run(),
    );
    if (changes === 0) throw absent(id);
  }

  return {
    async insert(record) {
      await commits.writeNow(() => drizzle.insert(t.tenants).values(record).run());
    },
    async get(id) {
      const row = drizzle.select().from(t.tenants).where(eq(t.tenants.id, id)).get();
      if (!row) throw absent(id);
      return TenantRecord.parse(row);
    },
    async count() {
      return drizzle.select({ n: count() }).from(t.tenants).get()?.n ?? 0;
    },
    async oldest() {
      const row = drizzle
        .select()
        .from(t.tenants)
        .orderBy(asc(t.tenants.createdAtMs), asc(t.tenants.id))
        .limit(1)
        .get();
      return row && TenantRecord.parse(row);
    },
    async list({ limit, after }) {
      const rows = drizzle
        .select()
        .from(t.tenants)
        .where(after === undefined ? undefined : gt(t.tenants.id, after))
        .orderBy(asc(t.tenants.id))
        .limit(limit + 1)
        .all();
      return { items: rows.slice(0, limit).map((row) => TenantRecord.parse(row)), hasMore: rows.length > limit };
    },
    setQuotas: (id, quotas) => change(id, { quotas }),
    setSuspended: (id, atMs) => change(id, { suspendedAtMs: atMs }),
    async remove(id) {
      await commits.writeNow(() => drizzle.delete(t.tenants).where(eq(t.tenants.id, id)).run());
    },
    async webhookSecret(id, fresh) {
      return commits.writeNow(() => {
        const row = drizzle
          .update(t.tenants)
          .set({ webhookSecret: sql`coalesce(${t.tenants.webhookSecret}, ${fresh})` })
          .where(eq(t.tenants.id, id))
          .returning({ secret: t.tenants.webhookSecret })
          .get();
        if (!row?.secret) throw absent(id);
        return row.secret;
      });
    },
  };
}

export function sqliteApiKeys({ drizzle }: OpenDatabase, commits: GroupCommit): Store["apiKeys"] {
  const table = t.apiKeys;
  return {
    async insert(record) {
      await commits.writeNow(() => drizzle.insert(table).values(record).run());
    },
    async byHash(hash) {
      const row = drizzle.select().from(table).where(eq(table.hash, hash)).get();
      return row && ApiKeyRecord.parse(row);
    },
    async list(tenantId) {
      commits.flush();
      const rows = drizzle
        .select()
        .from(table)
        .where(eq(table.tenantId, tenantId))
        .orderBy(desc(table.createdAtMs))
        .all();
      return rows.map((row) => ApiKeyRecord.parse(row));
    },
    async revoke(tenantId, id, atMs) {
      const { changes } = await commits.writeNow(() =>
        drizzle
          .update(table)
          .set({ revokedAtMs: sql`coalesce(${table.revokedAtMs}, ${atMs})` })
          .where(and(eq(table.id, id), eq(table.tenantId, tenantId)))
          .run(),
      );
      if (changes === 0) throw new FluxError("not_found", `There is no API key ${id} in this account.`);
    },
    touch(id, atMs) {
      commits.post(() => drizzle.update(table).set({ lastUsedAtMs: atMs }).where(eq(table.id, id)).run());
    },
  };
}

export function sqlitePeople({ drizzle }: OpenDatabase, commits: GroupCommit): Store["people"] {
  return {
    authDatabase: drizzleAdapter(drizzle, {
      provider: "sqlite",
      schema: { user: t.users, session: t.sessions, account: t.credentials, verification: t.verifications },
    }),
    async get(id) {
      const row = drizzle.select().from(t.users).where(eq(t.users.id, id)).get();
      return row && UserRecord.parse(row);
    },
    async ofTenant(tenantId) {
      const rows = drizzle.select().from(t.users).where(eq(t.users.tenantId, tenantId)).all();
      return rows.map((row) => UserRecord.parse(row));
    },
    async admins() {
      return drizzle.select({ n: count() }).from(t.users).where(eq(t.users.role, "admin")).get()?.n ?? 0;
    },
    async becomeAdmin(id, tenantId) {
      await commits.writeNow(() =>
        drizzle.update(t.users).set({ role: "admin", tenantId }).where(eq(t.users.id, id)).run(),
      );
    },
    async hasPassword(id) {
      const row = drizzle
        .select({ password: t.credentials.password })
        .from(t.credentials)
        .where(and(eq(t.credentials.userId, id), eq(t.credentials.providerId, "credential")))
        .get();
      return Boolean(row?.password);
    },
    async sessions(userId, nowMs) {
      const rows = drizzle
        .select()
        .from(t.sessions)
        .where(and(eq(t.sessions.userId, userId), gt(t.sessions.expiresAt, new Date(nowMs))))
        .orderBy(desc(t.sessions.createdAt))
        .all();
      return rows.map((row) => SessionRecord.parse(row));
    },
    async removeSession(userId, id) {
      const { changes } = await commits.writeNow(() =>
        drizzle
          .delete(t.sessions)
          .where(and(eq(t.sessions.id, id), eq(t.sessions.userId, userId)))
          .run(),
      );
      if (changes === 0) throw new FluxError("not_found", `There is no session ${id} of yours.`);
    },
    async removeExpired(nowMs) {
      const before = new Date(nowMs);
      await commits.write(() => {
        drizzle.delete(t.sessions).where(lt(t.sessions.expiresAt, before)).run();
        drizzle.delete(t.verifications).where(lt(t.verifications.expiresAt, before)).run();
      });
    },
  };
}

export function sqliteAudit({ drizzle }: OpenDatabase, commits: GroupCommit): Store["audit"] {
  return {
    add(record) {
      commits.post(() => drizzle.insert(t.auditLog).values(record).run());
    },
    async list({ limit, before, tenantId }) {
      commits.flush();
      const rows = drizzle
        .select()
        .from(t.auditLog)
        .where(
          and(
            before === undefined ? undefined : lt(t.auditLog.id, before),
            tenantId === undefined ? undefined : eq(t.auditLog.tenantId, tenantId),
          ),
        )
        .orderBy(desc(t.auditLog.id))
        .limit(limit + 1)
        .all();
      return { items: rows.slice(0, limit).map((row) => AuditRecord.parse(row)), hasMore: rows.length > limit };
    },
  };
}
