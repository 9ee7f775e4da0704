/** What files, models, datasets and jobs share: insert, get, list, remove, each through the caller's identity. */
import { and, desc, eq, lt, or, type SQL } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { FluxError } from "#lib/protocol/errors.ts";
import { type Caller, type OwnedNoun, type Page, type PageRequest, SYSTEM } from "../store.ts";
import type { Drizzle } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";

type OwnedTable = SQLiteTable & { id: SQLiteColumn; tenantId: SQLiteColumn; createdAtMs: SQLiteColumn };

export interface OwnedOptions<Item> {
  /** What a person calls it: "job". */
  readonly noun: string;
  readonly table: OwnedTable;
  readonly parse: (row: unknown) => Item;
  readonly insert: (record: Item) => void;
}

export interface Owned<Item, Id extends string> extends OwnedNoun<Item, Id> {
  page(caller: Caller, request: PageRequest<Id>, filter?: SQL): Page<Item>;
}

export function owned<Item, Id extends string>(
  database: Drizzle,
  commits: GroupCommit,
  { noun, table, parse, insert }: OwnedOptions<Item>,
): Owned<Item, Id> {
  const mine = (caller: Caller) => (caller === SYSTEM ? undefined : eq(table.tenantId, caller));

  const absent = (id: Id) =>
    new FluxError(
      "not_found",
      `There is no ${noun} ${id}. Check the id, and that the API key is of the right account.`,
    );

  function find(caller: Caller, id: Id): unknown {
    return database
      .select()
      .from(table)
      .where(and(eq(table.id, id), mine(caller)))
      .get();
  }

  function page(caller: Caller, { limit, after }: PageRequest<Id>, filter?: SQL): Page<Item> {
    let older: SQL | undefined;
    if (after !== undefined) {
      const cursor = database
        .select({ createdAtMs: table.createdAtMs })
        .from(table)
        .where(and(eq(table.id, after), mine(caller)))
        .get();
      if (!cursor) throw absent(after);
      older = or(
        lt(table.createdAtMs, cursor.createdAtMs),
        and(eq(table.createdAtMs, cursor.createdAtMs), lt(table.id, after)),
      );
    }
    const rows = database
      .select()
      .from(table)
      .where(and(mine(caller), older, filter))
      .orderBy(desc(table.createdAtMs), desc(table.id))
      .limit(limit + 1)
      .all();
    return { items: rows.slice(0, limit).map(parse), hasMore: rows.length > limit };
  }

  return {
    page,
    async insert(record) {
      await commits.writeNow(() => insert(record));
    },
    async get(caller, id) {
      const row = find(caller, id);
      if (row === undefined) throw absent(id);
      return parse(row);
    },
    async list(caller, request) {
      return page(caller, request);
    },
    async remove(caller, id) {
      if (find(caller, id) === undefined) throw absent(id);
      try {
        await commits.writeNow(() => database.delete(table).where(eq(table.id, id)).run());
      } catch (error) {
        if (!isForeignKeyFailure(error)) throw error;
        throw new FluxError("conflict", `The ${noun} ${id} is in use: delete what was made from it first.`);
      }
    },
  };
}

function isForeignKeyFailure(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && "code" in cause && cause.code === "SQLITE_CONSTRAINT_FOREIGNKEY";
}
