/** The store on SQLite: one file, one writer, better-sqlite3. Nouns that need more than a few lines have their own files. */
import { and, asc, count, desc, eq, gt, inArray, isNotNull, lt, max, notInArray, sql, sum } from "drizzle-orm";
import * as t from "#drizzle/schema.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DatasetId, FileId, JobId, ModelId, TenantId } from "#lib/protocol/ids.ts";
import {
  DatasetRecord,
  DonorRecord,
  FileRecord,
  IdempotencyRecord,
  JobEventRecord,
  JobRecord,
  ModelRecord,
  ObservationRecord,
  PlanOutcomeRecord,
} from "../records.ts";
import type { Store } from "../store.ts";
import { sqliteApiKeys, sqliteAudit, sqlitePeople, sqliteTenants } from "./accounts.ts";
import { type OpenDatabase, openDatabase } from "./database.ts";
import { GroupCommit, type GroupCommitOptions } from "./group-commit.ts";
import { sqliteInsight } from "./insight.ts";
import { owned } from "./owned.ts";
import { groups, sites, volunteers } from "./partners.ts";
import { sqliteProgress } from "./progress.ts";
import { sqliteStages } from "./stages.ts";
import { sqliteDeliveries, sqliteWebhooks } from "./webhooks.ts";
import { sqliteWork } from "./work.ts";

const ENDED = ["completed", "failed", "canceled"] as const;

/** @param path the database file, made where it is missing; ":memory:" in tests */
export function openSqliteStore(path: string, options: GroupCommitOptions = {}): Store {
  const database = openDatabase(path);
  const { sqlite, drizzle } = database;
  const commits = new GroupCommit(sqlite, options);
  const { stages, reads } = sqliteStages(drizzle, commits);
  const progress = sqliteProgress(sqlite);
  const insight = sqliteInsight(sqlite);

  return {
    tenants: sqliteTenants(database, commits),
    people: sqlitePeople(database, commits),
    audit: sqliteAudit(database, commits),
    apiKeys: sqliteApiKeys(database, commits),
    webhooks: sqliteWebhooks(database, commits),
    deliveries: sqliteDeliveries(database, commits),
    files: files(database, commits),
    models: owned<ModelRecord, ModelId>(drizzle, commits, {
      noun: "model",
      table: t.models,
      parse: (row) => ModelRecord.parse(row),
      insert: (record) => drizzle.insert(t.models).values(record).run(),
    }),
    datasets: owned<DatasetRecord, DatasetId>(drizzle, commits, {
      noun: "dataset",
      table: t.datasets,
      parse: (row) => DatasetRecord.parse(row),
      insert: (record) => drizzle.insert(t.datasets).values(record).run(),
    }),
    jobs: {
      ...jobs(database, commits),
      async progress(id) {
        commits.flush();
        return progress(id);
      },
      async insight(id, steps) {
        commits.flush();
        return insight(id, steps);
      },
    },
    jobEvents: jobEvents(database, commits),
    idempotency: idempotency(database, commits),
    stages: {
      ...stages,
      async progress(id) {
        commits.flush();
        return progress(id);
      },
    },
    work: sqliteWork(sqlite, commits, reads),
    donors: donors(database, commits),
    sites: sites(database, commits),
    groups: groups(database, commits),
    volunteers: volunteers(database, commits),
    observations: observations(database, commits),
    planOutcomes: planOutcomes(database, commits),
    settings: settings(database, commits),
    async close() {
      commits.close();
      sqlite.close();
    },
  };
}

function files({ drizzle }: OpenDatabase, commits: GroupCommit): Store["files"] {
  const insert = (record: FileRecord) => drizzle.insert(t.files).values(record).run();
  function usage(tenantId: TenantId) {
    const row = drizzle
      .select({ files: count(), bytes: sum(t.files.bytes).mapWith(Number) })
      .from(t.files)
      .where(eq(t.files.tenantId, tenantId))
      .get();
    return { files: row?.files ?? 0, bytes: row?.bytes ?? 0 };
  }
  return {
    ...owned<FileRecord, FileId>(drizzle, commits, {
      noun: "file",
      table: t.files,
      parse: (row) => FileRecord.parse(row),
      insert,
    }),
    async usage(tenantId) {
      return usage(tenantId);
    },
    async insertWithin(record, quota) {
      await commits.writeNow(() => {
        const held = usage(record.tenantId);
        checkQuota(held.files + 1, quota.files, "files");
        checkQuota(held.bytes + record.bytes, quota.bytes, "bytes of files");
        insert(record);
      });
    },
    async refersTo(digest) {
      const holders = [
        drizzle.select({ n: count() }).from(t.files).where(eq(t.files.sha256, digest)).get(),
        drizzle.select({ n: count() }).from(t.models).where(eq(t.models.sha256, digest)).get(),
        drizzle
          .select({ n: count() })
          .from(t.models)
          .where(sql`json_extract(${t.models.details}, '$.tfjs.digest') = ${digest}`)
          .get(),
        drizzle.select({ n: count() }).from(t.artefacts).where(eq(t.artefacts.digest, digest)).get(),
      ];
      return holders.some((row) => (row?.n ?? 0) > 0);
    },
  };
}

/** @throws FluxError quota_exceeded */
function checkQuota(wouldHold: number, limit: number, what: string): void {
  if (wouldHold <= limit) return;
  throw new FluxError(
    "quota_exceeded",
    `This account may have ${limit} ${what}, and this would make it ${wouldHold}. Delete some, or ask the operator for more.`,
  );
}

function jobs({ drizzle }: OpenDatabase, commits: GroupCommit): Omit<Store["jobs"], "progress" | "insight"> {
  const unfinished = notInArray(t.jobs.status, [...ENDED]);
  function usage(tenantId: TenantId) {
    const mine = eq(t.jobs.tenantId, tenantId);
    return {
      jobs: drizzle.select({ n: count() }).from(t.jobs).where(mine).get()?.n ?? 0,
      concurrentJobs: drizzle.select({ n: count() }).from(t.jobs).where(and(mine, unfinished)).get()?.n ?? 0,
    };
  }
  const noun = owned<JobRecord, JobId>(drizzle, commits, {
    noun: "job",
    table: t.jobs,
    parse: (row) => JobRecord.parse(row),
    insert: (record) => drizzle.insert(t.jobs).values(record).run(),
  });
  return {
    ...noun,
    async listByStatus(caller, status, request) {
      return noun.page(caller, request, eq(t.jobs.status, status));
    },
    async unfinished() {
      const rows = drizzle.select().from(t.jobs).where(unfinished).orderBy(asc(t.jobs.createdAtMs)).all();
      return rows.map((row) => JobRecord.parse(row));
    },
    async usage(tenantId) {
      return usage(tenantId);
    },
    async insertWithin(record, quota) {
      await commits.writeNow(() => {
        const held = usage(record.tenantId);
        checkQuota(held.jobs + 1, quota.jobs, "jobs");
        checkQuota(held.concurrentJobs + 1, quota.concurrentJobs, "jobs that have not ended");
        drizzle.insert(t.jobs).values(record).run();
      });
    },
    async change(id, from, change, atMs) {
      const row = await commits.writeNow(() => {
        const changed = drizzle
          .update(t.jobs)
          .set({ id, ...change })
          .where(and(eq(t.jobs.id, id), inArray(t.jobs.status, [...from])))
          .returning()
          .get();
        if (changed && change.status) {
          const event = { jobId: id, type: change.status, data: { error: changed.error }, createdAtMs: atMs };
          drizzle.insert(t.jobEvents).values(event).run();
        }
        return changed;
      });
      return row && JobRecord.parse(row);
    },
  };
}

function jobEvents({ drizzle }: OpenDatabase, commits: GroupCommit): Store["jobEvents"] {
  return {
    async append(jobId, type, data, atMs) {
      const row = await commits.write(() =>
        drizzle.insert(t.jobEvents).values({ jobId, type, data, createdAtMs: atMs }).returning().get(),
      );
      return JobEventRecord.parse(row);
    },
    async after(jobId, afterId, limit) {
      const rows = drizzle
        .select()
        .from(t.jobEvents)
        .where(and(eq(t.jobEvents.jobId, jobId), gt(t.jobEvents.id, afterId)))
        .orderBy(asc(t.jobEvents.id))
        .limit(limit)
        .all();
      return rows.map((row) => JobEventRecord.parse(row));
    },
    async afterOfAll(afterId, limit) {
      const { id } = t.jobEvents;
      const rows = drizzle.select().from(t.jobEvents).where(gt(id, afterId)).orderBy(asc(id)).limit(limit).all();
      return rows.map((row) => JobEventRecord.parse(row));
    },
    async newest() {
      return (
        drizzle
          .select({ id: max(t.jobEvents.id) })
          .from(t.jobEvents)
          .get()?.id ?? 0
      );
    },
  };
}

function idempotency({ drizzle }: OpenDatabase, commits: GroupCommit): Store["idempotency"] {
  const table = t.idempotencyKeys;
  return {
    async claim(record) {
      return commits.writeNow(() => {
        const { changes } = drizzle.insert(table).values(record).onConflictDoNothing().run();
        if (changes > 0) return "claimed";
        const held = drizzle
          .select()
          .from(table)
          .where(and(eq(table.tenantId, record.tenantId), eq(table.key, record.key)))
          .get();
        return IdempotencyRecord.parse(held);
      });
    },
    async complete(tenantId, key, status, response) {
      await commits.writeNow(() =>
        drizzle
          .update(table)
          .set({ status, response })
          .where(and(eq(table.tenantId, tenantId), eq(table.key, key)))
          .run(),
      );
    },
    async release(tenantId, key) {
      await commits.writeNow(() =>
        drizzle
          .delete(table)
          .where(and(eq(table.tenantId, tenantId), eq(table.key, key)))
          .run(),
      );
    },
    async removeOlderThan(atMs) {
      await commits.write(() => drizzle.delete(table).where(lt(table.createdAtMs, atMs)).run());
    },
  };
}

function donors({ sqlite, drizzle }: OpenDatabase, commits: GroupCommit): Store["donors"] {
  const add = sqlite.prepare(
    `update donors set accepted = accepted + ?, refused = refused + ?, units = units + ?, compute_ms = compute_ms + ?,
       last_seen_at_ms = max(last_seen_at_ms, ?) where id = ?`,
  );
  return {
    async get(id) {
      commits.flush();
      const row = drizzle.select().from(t.donors).where(eq(t.donors.id, id)).get();
      return row && DonorRecord.parse(row);
    },
    async upsert(record) {
      const { displayName, lastSeenAtMs, siteId, groupId, volunteerId, country } = record;
      await commits.write(() =>
        drizzle
          .insert(t.donors)
          .values(record)
          .onConflictDoUpdate({
            target: t.donors.id,
            set: { displayName, lastSeenAtMs, siteId, groupId, volunteerId, country },
          })
          .run(),
      );
    },
    count(id, { accepted = 0, refused = 0, units = 0, computeMs = 0 }, atMs) {
      commits.post(() => add.run(accepted, refused, units, computeMs, atMs, id));
    },
    async ban(id, atMs) {
      await commits.writeNow(() => drizzle.update(t.donors).set({ bannedAtMs: atMs }).where(eq(t.donors.id, id)).run());
    },
    async unban(id) {
      // Its record starts anew: with the old counts it would be banned again at its next connection.
      await commits.writeNow(() =>
        drizzle.update(t.donors).set({ bannedAtMs: null, refused: 0 }).where(eq(t.donors.id, id)).run(),
      );
    },
    async banned(limit) {
      const rows = drizzle
        .select()
        .from(t.donors)
        .where(isNotNull(t.donors.bannedAtMs))
        .orderBy(desc(t.donors.bannedAtMs))
        .limit(limit)
        .all();
      return rows.map((row) => DonorRecord.parse(row));
    },
    async leaders(limit) {
      commits.flush();
      const rows = drizzle.select().from(t.donors).orderBy(desc(t.donors.computeMs)).limit(limit).all();
      return rows.map((row) => DonorRecord.parse(row));
    },
    async totals() {
      commits.flush();
      const row = drizzle
        .select({
          donors: count(),
          accepted: sum(t.donors.accepted).mapWith(Number),
          units: sum(t.donors.units).mapWith(Number),
          computeMs: sum(t.donors.computeMs).mapWith(Number),
        })
        .from(t.donors)
        .get();
      return {
        donors: row?.donors ?? 0,
        accepted: row?.accepted ?? 0,
        units: row?.units ?? 0,
        computeMs: row?.computeMs ?? 0,
      };
    },
  };
}

function observations({ sqlite, drizzle }: OpenDatabase, commits: GroupCommit): Store["observations"] {
  // Prepared: with the query builder, some hundred of these a second took 5 % of the coordinator's time under load.
  const insert = sqlite.prepare<ObservationRecord>(
    `insert into observations (donor_id, device_class, stage_id, kernel, runtime, units, bytes_in, bytes_out, queue_ms,
       download_ms, compute_ms, rest_ms, overhead_ms, upload_ms, predicted_ms, low_ms, high_ms, created_at_ms)
     values (@donorId, @deviceClass, @stageId, @kernel, @runtime, @units, @bytesIn, @bytesOut, @queueMs,
       @downloadMs, @computeMs, @restMs, @overheadMs, @uploadMs, @predictedMs, @lowMs, @highMs, @createdAtMs)`,
  );
  return {
    add(record) {
      commits.post(() => insert.run(record));
    },
    async recent(limit) {
      commits.flush();
      const rows = drizzle.select().from(t.observations).orderBy(desc(t.observations.id)).limit(limit).all();
      return rows.map((row) => ObservationRecord.parse(row));
    },
    async removeOlderThan(atMs) {
      await commits.write(() => drizzle.delete(t.observations).where(lt(t.observations.createdAtMs, atMs)).run());
    },
  };
}

function planOutcomes({ drizzle }: OpenDatabase, commits: GroupCommit): Store["planOutcomes"] {
  const { planOutcomes: table } = t;
  return {
    async add(record) {
      await commits.writeNow(() => drizzle.insert(table).values(record).onConflictDoNothing().run());
    },
    async ofModels(modelsDigest, limit) {
      const newest = [desc(table.createdAtMs), desc(table.jobId)];
      const own = drizzle.select().from(table).where(eq(table.modelsDigest, modelsDigest));
      const rows = own
        .orderBy(...newest)
        .limit(limit)
        .all();
      return rows.map((row) => PlanOutcomeRecord.parse(row));
    },
  };
}

function settings({ drizzle }: OpenDatabase, commits: GroupCommit): Store["settings"] {
  return {
    async get(key) {
      return drizzle.select().from(t.settings).where(eq(t.settings.key, key)).get()?.value;
    },
    async set(key, value) {
      await commits.writeNow(() =>
        drizzle
          .insert(t.settings)
          .values({ key, value })
          .onConflictDoUpdate({ target: t.settings.key, set: { value } })
          .run(),
      );
    },
  };
}
