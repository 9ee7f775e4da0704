/** Webhooks and their deliveries on SQLite. */
import { and, asc, count, eq, inArray, isNotNull, lt, lte, ne, type SQL, sql } from "drizzle-orm";
import * as t from "#drizzle/schema.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DeliveryId, WebhookId } from "#lib/protocol/ids.ts";
import { DeliveryRecord, WebhookRecord } from "../records.ts";
import type { Store } from "../store.ts";
import type { OpenDatabase } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";
import { owned } from "./owned.ts";

/** Up to which job event deliveries were made: the job events are the outbox. */
const CURSOR = "webhooks:job-event";

export function sqliteWebhooks({ drizzle }: OpenDatabase, commits: GroupCommit): Store["webhooks"] {
  return {
    ...owned<WebhookRecord, WebhookId>(drizzle, commits, {
      noun: "webhook",
      table: t.webhooks,
      parse: (row) => WebhookRecord.parse(row),
      insert: (record) => drizzle.insert(t.webhooks).values(record).run(),
    }),
    async count(tenantId) {
      return drizzle.select({ n: count() }).from(t.webhooks).where(eq(t.webhooks.tenantId, tenantId)).get()?.n ?? 0;
    },
    async enabled(tenantId) {
      const rows = drizzle
        .select()
        .from(t.webhooks)
        .where(and(eq(t.webhooks.tenantId, tenantId), sql`${t.webhooks.disabledAtMs} is null`))
        .all();
      return rows.map((row) => WebhookRecord.parse(row));
    },
    async mark(id, marks) {
      await commits.writeNow(() => drizzle.update(t.webhooks).set(marks).where(eq(t.webhooks.id, id)).run());
    },
  };
}

export function sqliteDeliveries({ drizzle }: OpenDatabase, commits: GroupCommit): Store["deliveries"] {
  const table = t.webhookDeliveries;
  const noun = owned<DeliveryRecord, DeliveryId>(drizzle, commits, {
    noun: "delivery",
    table,
    parse: (row) => DeliveryRecord.parse(row),
    insert: (record) => drizzle.insert(table).values(record).run(),
  });
  return {
    get: noun.get,
    async list(caller, page, filter) {
      const wanted: (SQL | undefined)[] = [
        filter.webhookId === undefined ? undefined : eq(table.webhookId, filter.webhookId),
        filter.jobId === undefined ? undefined : eq(table.jobId, filter.jobId),
      ];
      return noun.page(caller, page, and(...wanted));
    },
    async cursor() {
      const value = drizzle.select().from(t.settings).where(eq(t.settings.key, CURSOR)).get()?.value;
      return typeof value === "number" ? value : undefined;
    },
    async enqueue(records, cursor) {
      await commits.writeNow(() => {
        for (const record of records) drizzle.insert(table).values(record).run();
        drizzle
          .insert(t.settings)
          .values({ key: CURSOR, value: cursor })
          .onConflictDoUpdate({ target: t.settings.key, set: { value: cursor } })
          .run();
      });
    },
    async claim(nowMs, untilMs, notOf) {
      const due = and(
        isNotNull(table.nextAttemptAtMs),
        lte(table.nextAttemptAtMs, nowMs),
        ...notOf.map((tenantId) => ne(table.tenantId, tenantId)),
      );
      return commits.writeNow(() => {
        const row = drizzle.select().from(table).where(due).orderBy(asc(table.nextAttemptAtMs)).limit(1).get();
        if (!row) return undefined;
        drizzle.update(table).set({ nextAttemptAtMs: untilMs }).where(eq(table.id, row.id)).run();
        return DeliveryRecord.parse(row);
      });
    },
    async nextDueAtMs() {
      const row = drizzle
        .select({ at: table.nextAttemptAtMs })
        .from(table)
        .where(isNotNull(table.nextAttemptAtMs))
        .orderBy(asc(table.nextAttemptAtMs))
        .limit(1)
        .get();
      return row?.at ?? undefined;
    },
    async attempted(id, outcome) {
      await commits.writeNow(() =>
        drizzle
          .update(table)
          .set({ ...outcome, attempts: sql`${table.attempts} + 1` })
          .where(eq(table.id, id))
          .run(),
      );
    },
    async again(caller, id, atMs) {
      const delivery = await noun.get(caller, id);
      if (delivery.state === "pending") {
        throw new FluxError("conflict", "This delivery is under way: it is tried again by itself.");
      }
      await commits.writeNow(() =>
        drizzle.update(table).set({ state: "pending", nextAttemptAtMs: atMs }).where(eq(table.id, id)).run(),
      );
      return noun.get(caller, id);
    },
    async dropPending(webhookId, why) {
      await commits.writeNow(() =>
        drizzle
          .update(table)
          .set({ state: "failed", nextAttemptAtMs: null, lastError: why })
          .where(and(eq(table.webhookId, webhookId), eq(table.state, "pending")))
          .run(),
      );
    },
    async removeOlderThan(atMs) {
      await commits.write(() =>
        drizzle
          .delete(table)
          .where(and(lt(table.createdAtMs, atMs), inArray(table.state, ["delivered", "failed"])))
          .run(),
      );
    },
  };
}
