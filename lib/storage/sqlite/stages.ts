/** Stages, their artefacts and batches on SQLite. */
import { and, asc, eq } from "drizzle-orm";
import * as t from "#drizzle/schema.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { StageId } from "#lib/protocol/ids.ts";
import { Artefact } from "#lib/protocol/stage.ts";
import { BatchRecord, StageRecord } from "../records.ts";
import type { Store } from "../store.ts";
import type { Drizzle } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";

export interface StageReads {
  open(): StageRecord[];
  batches(id: StageId): BatchRecord[];
}

export function sqliteStages(
  drizzle: Drizzle,
  commits: GroupCommit,
): { readonly stages: Omit<Store["stages"], "progress">; readonly reads: StageReads } {
  const select = () =>
    drizzle
      .select({ stage: t.stages, tenantId: t.jobs.tenantId, privacy: t.jobs.privacy })
      .from(t.stages)
      .innerJoin(t.jobs, eq(t.jobs.id, t.stages.jobId));

  const read = ({ stage, tenantId, privacy }: ReturnType<ReturnType<typeof select>["all"]>[number]) =>
    StageRecord.parse({ ...stage, tenantId, privacy });

  const batches = (id: StageId) =>
    drizzle
      .select()
      .from(t.batches)
      .where(eq(t.batches.stageId, id))
      .orderBy(asc(t.batches.batch))
      .all()
      .map((row) => BatchRecord.parse(row));

  function writeBatch(batch: BatchRecord): void {
    if (batch.maskSeed !== null) claimSeed(batch.maskSeed, batch);
    drizzle.insert(t.batches).values(batch).run();
  }

  function claimSeed(seed: string, { objectName, createdAtMs }: BatchRecord): void {
    if (objectName === null) throw new FluxError("conflict", "An encrypted batch needs the object that holds it.");
    drizzle.insert(t.maskSeeds).values({ seed, objectName, createdAtMs }).onConflictDoNothing().run();
    const claimed = drizzle.select().from(t.maskSeeds).where(eq(t.maskSeeds.seed, seed)).get();
    if (claimed?.objectName !== objectName) {
      throw new FluxError("conflict", "This mask seed was used before: encrypt the batch again under a fresh one.");
    }
  }

  const stages: Omit<Store["stages"], "progress"> = {
    async insert(stage, specBytes, first) {
      const { tenantId: _tenant, privacy: _privacy, ...row } = stage;
      const artefacts = [{ digest: stage.specDigest, bytes: specBytes }, ...stage.definition.artefacts];
      await commits.writeNow(() => {
        drizzle.insert(t.stages).values(row).run();
        for (const { digest, bytes } of artefacts) {
          drizzle.insert(t.artefacts).values({ digest, stageId: stage.id, bytes }).onConflictDoNothing().run();
        }
        for (const batch of first) writeBatch(batch);
      });
    },
    async get(id) {
      const row = select().where(eq(t.stages.id, id)).get();
      if (!row) throw new FluxError("not_found", `There is no stage ${id}.`);
      return read(row);
    },
    async ofJob(jobId) {
      return select().where(eq(t.stages.jobId, jobId)).orderBy(asc(t.stages.member)).all().map(read);
    },
    async setState(id, state) {
      await commits.writeNow(() => drizzle.update(t.stages).set({ state }).where(eq(t.stages.id, id)).run());
    },
    async artefact(digest) {
      const row = drizzle.select().from(t.artefacts).where(eq(t.artefacts.digest, digest)).get();
      return row && Artefact.parse(row);
    },
    async insertBatch(batch) {
      await commits.writeNow(() => writeBatch(batch));
    },
    async replaceBatch(batch) {
      await commits.writeNow(() => {
        const { stageId } = batch;
        drizzle
          .delete(t.microtasks)
          .where(and(eq(t.microtasks.stageId, stageId), eq(t.microtasks.batch, batch.batch)))
          .run();
        drizzle
          .delete(t.batches)
          .where(and(eq(t.batches.stageId, stageId), eq(t.batches.batch, batch.batch)))
          .run();
        writeBatch(batch);
        drizzle.update(t.stages).set({ state: "open" }).where(eq(t.stages.id, stageId)).run();
      });
    },
    async batches(id) {
      return batches(id);
    },
    async setBatchState(id, batch, state, fidelity) {
      await commits.writeNow(() =>
        drizzle
          .update(t.batches)
          .set({ state, ...(fidelity === undefined ? {} : { fidelity }) })
          .where(and(eq(t.batches.stageId, id), eq(t.batches.batch, batch)))
          .run(),
      );
    },
  };
  const open = () => select().where(eq(t.stages.state, "open")).orderBy(asc(t.stages.createdAtMs)).all().map(read);
  return { stages, reads: { open, batches } };
}
