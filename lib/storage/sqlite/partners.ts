/** Partners' sites, private groups, volunteers and their teams on SQLite. */
import { and, asc, count, desc, eq, isNotNull, or, type SQL, sql, sum } from "drizzle-orm";
import * as t from "#drizzle/schema.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { GroupId, SiteId } from "#lib/protocol/ids.ts";
import { Contribution, GroupRecord, SiteRecord, TeamRecord, VolunteerRecord } from "../records.ts";
import { type Caller, type Store, SYSTEM } from "../store.ts";
import type { Drizzle, OpenDatabase } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";
import { owned } from "./owned.ts";

export function sites({ drizzle }: OpenDatabase, commits: GroupCommit): Store["sites"] {
  return {
    ...owned<SiteRecord, SiteId>(drizzle, commits, {
      noun: "site",
      table: t.sites,
      parse: (row) => SiteRecord.parse(row),
      insert: (record) => drizzle.insert(t.sites).values(record).run(),
    }),
    async byKey(key) {
      const row = drizzle
        .select()
        .from(t.sites)
        .where(or(eq(t.sites.key, key), eq(t.sites.previousKey, key)))
        .get();
      return row && SiteRecord.parse(row);
    },
    async change(caller, id, change) {
      const row = await commits.writeNow(() =>
        drizzle
          .update(t.sites)
          .set({ id, ...change })
          .where(and(eq(t.sites.id, id), ownedBy(t.sites.tenantId, caller)))
          .returning()
          .get(),
      );
      if (!row) throw new FluxError("not_found", `There is no site ${id} in this account.`);
      return SiteRecord.parse(row);
    },
    async contribution(id) {
      commits.flush();
      return contribution(drizzle, eq(t.donors.siteId, id));
    },
    async countries(id, fewest) {
      commits.flush();
      const donors = count();
      const rows = drizzle
        .select({ country: t.donors.country, donors, accepted: sum(t.donors.accepted).mapWith(Number) })
        .from(t.donors)
        .where(and(eq(t.donors.siteId, id), isNotNull(t.donors.country)))
        .groupBy(t.donors.country)
        .having(sql`count(*) >= ${fewest}`)
        .orderBy(desc(donors), asc(t.donors.country))
        .all();
      return rows.map((row) => ({ ...row, country: row.country ?? "" }));
    },
  };
}

export function groups({ drizzle }: OpenDatabase, commits: GroupCommit): Store["groups"] {
  return {
    ...owned<GroupRecord, GroupId>(drizzle, commits, {
      noun: "group",
      table: t.groups,
      parse: (row) => GroupRecord.parse(row),
      insert: (record) => drizzle.insert(t.groups).values(record).run(),
    }),
    async byToken(token) {
      const row = drizzle.select().from(t.groups).where(eq(t.groups.joinToken, token)).get();
      return row && GroupRecord.parse(row);
    },
    async setToken(caller, id, joinToken) {
      const row = await commits.writeNow(() =>
        drizzle
          .update(t.groups)
          .set({ joinToken })
          .where(and(eq(t.groups.id, id), ownedBy(t.groups.tenantId, caller)))
          .returning()
          .get(),
      );
      if (!row) throw new FluxError("not_found", `There is no group ${id} in this account.`);
      return GroupRecord.parse(row);
    },
    async contribution(id) {
      commits.flush();
      return contribution(drizzle, eq(t.donors.groupId, id));
    },
  };
}

export function volunteers({ drizzle }: OpenDatabase, commits: GroupCommit): Store["volunteers"] {
  const weekCounts = {
    accepted: sum(t.volunteerWeeks.accepted).mapWith(Number),
    units: sum(t.volunteerWeeks.units).mapWith(Number),
    computeMs: sum(t.volunteerWeeks.computeMs).mapWith(Number),
  };
  return {
    async get(id) {
      const row = drizzle.select().from(t.volunteers).where(eq(t.volunteers.id, id)).get();
      return row && VolunteerRecord.parse(row);
    },
    async upsert(record) {
      const { displayName, teamId } = record;
      await commits.writeNow(() =>
        drizzle
          .insert(t.volunteers)
          .values(record)
          .onConflictDoUpdate({ target: t.volunteers.id, set: { displayName, teamId } })
          .run(),
      );
    },
    async insertTeam(record) {
      await commits.writeNow(() => drizzle.insert(t.teams).values(record).run());
    },
    async team(id) {
      const row = drizzle.select().from(t.teams).where(eq(t.teams.id, id)).get();
      return row && TeamRecord.parse(row);
    },
    async teamByToken(token) {
      const row = drizzle.select().from(t.teams).where(eq(t.teams.joinToken, token)).get();
      return row && TeamRecord.parse(row);
    },
    async leaders(week, limit) {
      commits.flush();
      const rows = drizzle
        .select({ name: t.volunteers.displayName, team: t.teams.name, ...weekCounts })
        .from(t.volunteerWeeks)
        .innerJoin(t.volunteers, eq(t.volunteers.id, t.volunteerWeeks.volunteerId))
        .leftJoin(t.teams, eq(t.teams.id, t.volunteers.teamId))
        .where(and(eq(t.volunteerWeeks.week, week), isNotNull(t.volunteers.displayName)))
        .groupBy(t.volunteers.id)
        .orderBy(desc(weekCounts.accepted), asc(t.volunteers.id))
        .limit(limit)
        .all();
      return rows.map((row) => ({ ...row, name: row.name ?? "" }));
    },
    async teamLeaders(week, limit) {
      commits.flush();
      const rows = drizzle
        .select({ name: t.teams.name, ...weekCounts })
        .from(t.volunteerWeeks)
        .innerJoin(t.volunteers, eq(t.volunteers.id, t.volunteerWeeks.volunteerId))
        .innerJoin(t.teams, eq(t.teams.id, t.volunteers.teamId))
        .where(eq(t.volunteerWeeks.week, week))
        .groupBy(t.teams.id)
        .orderBy(desc(weekCounts.accepted), asc(t.teams.id))
        .limit(limit)
        .all();
      return rows.map((row) => ({ ...row, team: null }));
    },
  };
}

function ownedBy(column: typeof t.sites.tenantId | typeof t.groups.tenantId, caller: Caller): SQL | undefined {
  return caller === SYSTEM ? undefined : eq(column, caller);
}

function contribution(drizzle: Drizzle, which: SQL): Contribution {
  const row = drizzle
    .select({
      donors: count(),
      accepted: sql<number>`coalesce(sum(${t.donors.accepted}), 0)`,
      units: sql<number>`coalesce(sum(${t.donors.units}), 0)`,
      computeMs: sql<number>`coalesce(sum(${t.donors.computeMs}), 0)`,
    })
    .from(t.donors)
    .where(which)
    .get();
  return Contribution.parse(row);
}
