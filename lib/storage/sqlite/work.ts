/**
 * The hot path on SQLite: leases, results, refusals. Prepared statements, no query builder: at thousands of microtasks a
 * second the statements themselves are the cost.
 */

import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import { DonorId, LeaseId, MicrotaskId, type StageId } from "#lib/protocol/ids.ts";
import { RuntimeId } from "#lib/protocol/stage.ts";
import { ObjectName } from "../objects.ts";
import type { LeaseRecord, MicrotaskRecord, RefusalRecord, ResultRecord, StageRecord, UnitRange } from "../records.ts";
import type { Acceptance, EndedLease, Grant, OpenStage, Store } from "../store.ts";
import { weekOf } from "../weeks.ts";
import type { Sqlite } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";
import { MicrotaskRow, RefusalRow } from "./rows.ts";
import type { StageReads } from "./stages.ts";

export function sqliteWork(sqlite: Sqlite, commits: GroupCommit, stages: StageReads): Store["work"] {
  const statements = prepare(sqlite);

  /** Grants whose group is not committed yet: a result that arrives this soon needs no lease row at all. */
  const unwritten = new Map<LeaseId, { skipped: boolean }>();
  commits.onTake(() => unwritten.clear());

  const writeMicrotask = (m: MicrotaskRecord) =>
    statements.upsertMicrotask.run(
      m.id,
      m.stageId,
      m.batch,
      m.prime,
      m.unitStart,
      m.unitCount,
      m.state,
      m.fence,
      m.failures,
    ).changes > 0;

  const writeLease = (lease: LeaseRecord) =>
    statements.insertLease.run(
      lease.id,
      lease.microtaskId,
      lease.donorId,
      lease.fence,
      lease.grantedAtMs,
      lease.expiresAtMs,
      lease.predictedMs,
    );

  function writeAcceptance(acceptance: Acceptance): "accepted" | "duplicate" {
    const { microtask, body } = acceptance;
    if (!writeMicrotask({ ...microtask, state: "accepted" })) return "duplicate";
    statements.insertResult.run(
      microtask.id,
      body.kind === "inline" ? body.data.byteLength : body.bytes,
      body.kind === "inline" ? body.data : null,
      body.kind === "object" ? body.name : null,
      acceptance.donorId,
      acceptance.runtime,
      acceptance.computeMs,
      acceptance.checkedUnits,
      acceptance.checkCpuMs,
      acceptance.drift,
      acceptance.acceptedAtMs,
    );
    statements.deleteLeasesOf.run(microtask.id);
    credit(acceptance);
    return "accepted";
  }

  /** In the transaction of the result: what a donor, its site and its volunteer are shown is what was accepted, exactly. */
  function credit({ donorId, microtask, creditedMs, acceptedAtMs, volunteerId }: Acceptance): void {
    const { unitCount } = microtask;
    statements.creditDonor.run(unitCount, creditedMs, acceptedAtMs, donorId);
    if (volunteerId) statements.creditWeek.run(volunteerId, weekOf(acceptedAtMs), unitCount, creditedMs);
  }

  function writeEnd(ended: EndedLease): void {
    statements.deleteLease.run(ended.leaseId);
    statements.updateMicrotask.run(ended.failures, ended.state, ended.microtaskId);
    const { refusal } = ended;
    if (refusal) {
      statements.insertRefusal.run(refusal.donorId, refusal.code, refusal.detail, ended.atMs, ended.microtaskId);
    }
  }

  function openStage(stage: StageRecord): OpenStage {
    const microtasks = statements.selectUnaccepted.all(stage.id).map((row) => MicrotaskRow.parse(row));
    const refusedTo = new Map<MicrotaskId, DonorId[]>();
    for (const row of statements.selectRefusedTo.iterate(stage.id)) {
      const { microtaskId, donorId } = RefusedToRow.parse(row);
      const list = refusedTo.get(microtaskId);
      if (list) list.push(donorId);
      else refusedTo.set(microtaskId, [donorId]);
    }
    const leases = statements.selectLeases.all(stage.id).map((row) => LeaseRow.parse(row));
    return {
      stage,
      batches: stages.batches(stage.id),
      accepted: acceptedRanges(stage.id),
      microtasks,
      leases,
      refusedTo,
    };
  }

  /** Neighbours are merged while they are read: a finished million is a handful of ranges. */
  function acceptedRanges(stageId: StageId): UnitRange[] {
    const ranges: { batch: number; prime: number; unitStart: number; unitCount: number }[] = [];
    for (const range of statements.selectAccepted.iterate(stageId)) {
      const last = ranges.at(-1);
      if (
        last?.batch === range.batch &&
        last.prime === range.prime &&
        last.unitStart + last.unitCount === range.unitStart
      ) {
        last.unitCount += range.unitCount;
      } else ranges.push({ ...range });
    }
    return ranges;
  }

  return {
    async openStages() {
      commits.flush();
      return stages.open().map(openStage);
    },

    grant(grant: Grant) {
      const pending = { skipped: false };
      unwritten.set(grant.lease.id, pending);
      commits.post(() => {
        if (pending.skipped) return;
        writeMicrotask(grant.microtask);
        writeLease(grant.lease);
      });
    },

    accept(acceptance) {
      const pending = unwritten.get(acceptance.leaseId);
      if (pending) pending.skipped = true;
      return commits.write(() => writeAcceptance(acceptance));
    },

    end(ended) {
      commits.post(() => writeEnd(ended));
    },

    async results(stageId, { batch, after, limit = 1_000 } = {}) {
      commits.flush();
      const from = after ?? { batch: -1, prime: -1, unitStart: -1 };
      const rows = statements.selectResults.all({
        stageId,
        onlyBatch: batch ?? null,
        batch: from.batch,
        prime: from.prime,
        unitStart: from.unitStart,
        limit,
      });
      return rows.map(readResult);
    },

    async quarantined(stageId) {
      commits.flush();
      return statements.selectQuarantined.all(stageId).map((row) => MicrotaskRow.parse(row));
    },

    async effort(stageId) {
      commits.flush();
      return EffortRow.parse(statements.selectEffort.get(stageId));
    },

    async recentRefusals(limit) {
      commits.flush();
      return statements.selectRecentRefusals.all(limit).map((row): RefusalRecord => RefusalRow.parse(row));
    },
    async refusals(stageId, limit) {
      commits.flush();
      return statements.selectRefusals.all(stageId, limit).map((row): RefusalRecord => RefusalRow.parse(row));
    },

    async flush() {
      commits.flush();
    },
  };
}

function prepare(sqlite: Sqlite) {
  const microtaskColumns =
    "id, stage_id as stageId, batch, prime, unit_start as unitStart, unit_count as unitCount, state, fence, failures";
  return {
    // An accepted microtask never changes again: the statement then changes no row, which is how a duplicate is seen.
    upsertMicrotask: sqlite.prepare(
      `insert into microtasks (id, stage_id, batch, prime, unit_start, unit_count, state, fence, failures)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (id) do update set unit_count = excluded.unit_count, state = excluded.state, fence = excluded.fence,
         failures = excluded.failures where state <> 'accepted'`,
    ),
    insertLease: sqlite.prepare(
      `insert into leases (id, microtask_id, donor_id, fence, granted_at_ms, expires_at_ms, predicted_ms)
       values (?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertResult: sqlite.prepare(
      `insert into results (microtask_id, bytes, inline, object_name, donor_id, runtime, compute_ms, checked_units,
         check_cpu_ms, drift, accepted_at_ms)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    creditDonor: sqlite.prepare(
      `update donors set accepted = accepted + 1, units = units + ?, compute_ms = compute_ms + ?,
         last_seen_at_ms = max(last_seen_at_ms, ?) where id = ?`,
    ),
    creditWeek: sqlite.prepare(
      `insert into volunteer_weeks (volunteer_id, week, accepted, units, compute_ms) values (?, ?, 1, ?, ?)
       on conflict (volunteer_id, week) do update set accepted = accepted + 1, units = units + excluded.units,
         compute_ms = compute_ms + excluded.compute_ms`,
    ),
    deleteLeasesOf: sqlite.prepare("delete from leases where microtask_id = ?"),
    deleteLease: sqlite.prepare("delete from leases where id = ?"),
    updateMicrotask: sqlite.prepare(
      "update microtasks set failures = ?, state = ? where id = ? and state <> 'accepted'",
    ),
    insertRefusal: sqlite.prepare(
      `insert into refusals (microtask_id, stage_id, donor_id, code, detail, created_at_ms)
       select id, stage_id, ?, ?, ?, ? from microtasks where id = ?`,
    ),
    selectAccepted: sqlite.prepare<[StageId], UnitRange>(
      `select batch, prime, unit_start as unitStart, unit_count as unitCount from microtasks
       where stage_id = ? and state = 'accepted' order by batch, prime, unit_start`,
    ),
    selectUnaccepted: sqlite.prepare(
      `select ${microtaskColumns} from microtasks where stage_id = ? and state <> 'accepted' order by batch, prime, unit_start`,
    ),
    selectQuarantined: sqlite.prepare(
      `select ${microtaskColumns} from microtasks where stage_id = ? and state = 'quarantined' order by batch, prime, unit_start`,
    ),
    selectLeases: sqlite.prepare(
      `select leases.id, microtask_id as microtaskId, donor_id as donorId, leases.fence, granted_at_ms as grantedAtMs,
         expires_at_ms as expiresAtMs, predicted_ms as predictedMs
       from leases join microtasks on microtasks.id = microtask_id where stage_id = ? order by granted_at_ms`,
    ),
    selectRefusedTo: sqlite.prepare(
      `select distinct microtask_id as microtaskId, donor_id as donorId from refusals where stage_id = ?`,
    ),
    selectRefusals: sqlite.prepare(
      `select microtask_id as microtaskId, stage_id as stageId, donor_id as donorId, code, detail, created_at_ms as createdAtMs
       from refusals where stage_id = ? order by id desc limit ?`,
    ),
    selectRecentRefusals: sqlite.prepare(
      `select microtask_id as microtaskId, stage_id as stageId, donor_id as donorId, code, detail, created_at_ms as createdAtMs
       from refusals order by id desc limit ?`,
    ),
    selectEffort: sqlite.prepare(
      `select coalesce(sum(compute_ms), 0) as computeMs, coalesce(sum(checked_units), 0) as checkedUnits,
         coalesce(sum(check_cpu_ms), 0) as checkCpuMs
       from results join microtasks on microtasks.id = microtask_id where stage_id = ?`,
    ),
    selectResults: sqlite.prepare(
      `select microtask_id as microtaskId, batch, prime, unit_start as unitStart, unit_count as unitCount, bytes, inline,
         object_name as objectName, donor_id as donorId, runtime, compute_ms as computeMs, checked_units as checkedUnits,
         drift, accepted_at_ms as acceptedAtMs
       from microtasks join results on results.microtask_id = microtasks.id
       where stage_id = @stageId and (batch, prime, unit_start) > (@batch, @prime, @unitStart)
         and (@onlyBatch is null or batch = @onlyBatch)
       order by batch, prime, unit_start limit @limit`,
    ),
  };
}

const EffortRow = z.object({ computeMs: z.number(), checkedUnits: z.number(), checkCpuMs: z.number() });
const RefusedToRow = z.object({ microtaskId: MicrotaskId, donorId: DonorId });
const LeaseRow = z.object({
  id: LeaseId,
  microtaskId: MicrotaskId,
  donorId: DonorId,
  fence: z.number(),
  grantedAtMs: z.number(),
  expiresAtMs: z.number(),
  predictedMs: z.number(),
});

const ResultRow = z.object({
  microtaskId: MicrotaskId,
  batch: z.number(),
  prime: z.number(),
  unitStart: z.number(),
  unitCount: z.number(),
  bytes: z.number(),
  inline: z.instanceof(Uint8Array).nullable(),
  objectName: ObjectName.nullable(),
  donorId: DonorId,
  runtime: RuntimeId,
  computeMs: z.number(),
  checkedUnits: z.number(),
  drift: z.number(),
  acceptedAtMs: z.number(),
});

function readResult(row: unknown): ResultRecord {
  const { inline, objectName, bytes, ...rest } = ResultRow.parse(row);
  if (inline) return { ...rest, body: { kind: "inline", data: inline } };
  if (objectName) return { ...rest, body: { kind: "object", name: objectName, bytes } };
  throw new FluxError("internal", `The result of ${rest.microtaskId} has no body: the database is damaged.`);
}
