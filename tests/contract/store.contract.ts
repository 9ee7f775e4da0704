/** What every store must do. A backend runs this in one short file; `Opened.reopen` closes and opens the same data again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isFluxError } from "#lib/protocol/errors.ts";
import { freshId } from "#lib/storage/ids.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";
import {
  digestOf,
  insertSampleJob,
  type SampleJob,
  sampleAcceptance,
  sampleBatch,
  sampleDonor,
  sampleGrant,
  sampleJob,
  sampleMicrotask,
  sampleStage,
} from "./samples.ts";

export interface OpenedStore {
  readonly store: Store;
  reopen(): Promise<Store>;
  /** Opens the data as a crash at this moment would leave it, without closing the first store. */
  crash(): Promise<Store>;
  dispose(): Promise<void>;
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return isFluxError(error) ? error.code : String(error);
  }
};

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`store on ${name}`, () => {
    let opened: OpenedStore;
    let store: Store;
    let mine: SampleJob;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      mine = await insertSampleJob(store);
    });
    afterEach(() => opened.dispose());

    describe("tenants", () => {
      it("keeps what was inserted, for its owner and the coordinator", async () => {
        expect(await store.jobs.get(mine.tenantId, mine.job.id)).toEqual(mine.job);
        expect(await store.jobs.get(SYSTEM, mine.job.id)).toEqual(mine.job);
        expect(await store.models.get(mine.tenantId, mine.model.id)).toEqual(mine.model);
        expect(await store.datasets.get(mine.tenantId, mine.dataset.id)).toEqual(mine.dataset);
        expect(await store.files.get(mine.tenantId, mine.file.id)).toEqual(mine.file);
      });

      it("answers not_found for another tenant's things, as for what does not exist", async () => {
        const other = await insertSampleJob(store);
        const cases: [string, Promise<unknown>][] = [
          ["file", store.files.get(other.tenantId, mine.file.id)],
          ["model", store.models.get(other.tenantId, mine.model.id)],
          ["dataset", store.datasets.get(other.tenantId, mine.dataset.id)],
          ["job", store.jobs.get(other.tenantId, mine.job.id)],
          ["removal", store.jobs.remove(other.tenantId, mine.job.id)],
          ["cursor", store.jobs.list(other.tenantId, { limit: 5, after: mine.job.id })],
          ["nothing", store.jobs.get(mine.tenantId, freshId("job"))],
        ];
        for (const [what, promise] of cases) expect([what, await codeOf(promise)]).toEqual([what, "not_found"]);
        expect((await store.jobs.list(other.tenantId, { limit: 50 })).items.map(({ id }) => id)).toEqual([
          other.job.id,
        ]);
        expect(await store.files.usage(other.tenantId)).toEqual({ files: 1, bytes: 3 });
      });

      it("pages through lists, newest first, each item once", async () => {
        const times = [5_000, 5_000, 4_000, 6_000, 5_000, 1_000];
        for (const at of times) await store.jobs.insert(sampleJob(mine.tenantId, mine.model, mine.dataset, at));
        const seen: string[] = [];
        let after: typeof mine.job.id | undefined;
        for (let pages = 0; pages < 10; pages++) {
          const page = await store.jobs.list(mine.tenantId, { limit: 2, after });
          seen.push(...page.items.map(({ id }) => id));
          after = page.items.at(-1)?.id;
          if (!page.hasMore) break;
        }
        const all = await store.jobs.list(mine.tenantId, { limit: 100 });
        expect(seen).toEqual(all.items.map(({ id }) => id));
        expect(all.items.map(({ createdAtMs }) => createdAtMs)).toEqual([
          6_000, 5_000, 5_000, 5_000, 4_000, 1_000, 1_000,
        ]);
      });

      it("refuses to delete what is in use", async () => {
        expect(await codeOf(store.datasets.remove(mine.tenantId, mine.dataset.id))).toBe("conflict");
        await store.jobs.remove(mine.tenantId, mine.job.id);
        await store.datasets.remove(mine.tenantId, mine.dataset.id);
        expect(await codeOf(store.datasets.get(mine.tenantId, mine.dataset.id))).toBe("not_found");
      });

      it("knows whether a blob is referred to", async () => {
        expect(await store.files.refersTo(mine.file.sha256)).toBe(true);
        expect(await store.files.refersTo(digestOf("nothing"))).toBe(false);
      });
    });

    describe("API keys", () => {
      it("finds keys by hash and shows revocation at once", async () => {
        const key = {
          id: freshId("key"),
          tenantId: mine.tenantId,
          name: "first",
          hash: digestOf("secret"),
          hint: "cret",
          scopes: ["jobs:read" as const],
          createdAtMs: 1,
          revokedAtMs: null,
          lastUsedAtMs: null,
        };
        await store.apiKeys.insert(key);
        expect(await store.apiKeys.byHash(key.hash)).toEqual(key);
        const other = await insertSampleJob(store);
        expect(await codeOf(store.apiKeys.revoke(other.tenantId, key.id, 2))).toBe("not_found");
        await store.apiKeys.revoke(mine.tenantId, key.id, 3);
        await store.apiKeys.revoke(mine.tenantId, key.id, 9);
        expect((await store.apiKeys.byHash(key.hash))?.revokedAtMs).toBe(3);
        store.apiKeys.touch(key.id, 7);
        await store.work.flush();
        expect((await store.apiKeys.list(mine.tenantId))[0]?.lastUsedAtMs).toBe(7);
      });
    });

    describe("jobs", () => {
      it("changes a job only from the states that were named", async () => {
        const changed = await store.jobs.change(mine.job.id, ["queued"], { status: "running", startedAtMs: 5 }, 5);
        expect(changed).toMatchObject({ status: "running", startedAtMs: 5 });
        expect(await store.jobs.change(mine.job.id, ["queued"], { status: "failed" }, 6)).toBeUndefined();
        expect((await store.jobs.get(SYSTEM, mine.job.id)).status).toBe("running");
        expect((await store.jobs.unfinished()).map(({ id }) => id)).toEqual([mine.job.id]);
        await store.jobs.change(mine.job.id, ["running"], { status: "completed", completedAtMs: 9 }, 9);
        expect(await store.jobs.unfinished()).toEqual([]);
      });

      it("gives an idempotency key to the first claim only", async () => {
        const claim = {
          tenantId: mine.tenantId,
          key: "k",
          requestHash: "h",
          status: null,
          response: null,
          createdAtMs: 1,
        };
        const answers = await Promise.all([store.idempotency.claim(claim), store.idempotency.claim(claim)]);
        expect(answers).toEqual(["claimed", claim]);
        await store.idempotency.complete(mine.tenantId, "k", 201, { id: "x" });
        expect(await store.idempotency.claim(claim)).toMatchObject({ status: 201, response: { id: "x" } });
        await store.idempotency.release(mine.tenantId, "k");
        expect(await store.idempotency.claim(claim)).toBe("claimed");
      });

      it("keeps events in order, after an id", async () => {
        const first = await store.jobEvents.append(mine.job.id, "a", { n: 1 }, 1);
        await store.jobEvents.append(mine.job.id, "b", { n: 2 }, 2);
        expect((await store.jobEvents.after(mine.job.id, first.id, 10)).map(({ type, data }) => [type, data])).toEqual([
          ["b", { n: 2 }],
        ]);
      });
    });

    describe("work", () => {
      it("keeps stages, their artefacts and batches", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 123, [sampleBatch(stage.id)]);
        expect(await store.stages.get(stage.id)).toEqual(stage);
        expect(await store.stages.ofJob(mine.job.id)).toEqual([stage]);
        expect(await store.stages.artefact(stage.specDigest)).toEqual({ digest: stage.specDigest, bytes: 123 });
        expect(await store.stages.artefact(digestOf("model"))).toEqual({ digest: digestOf("model"), bytes: 5 });
        expect(await store.stages.artefact(mine.file.sha256)).toBeUndefined();
        await store.stages.insertBatch(sampleBatch(stage.id, 1, 3, 10));
        await store.stages.setBatchState(stage.id, 0, "completed");
        expect((await store.stages.batches(stage.id)).map(({ batch, state }) => [batch, state])).toEqual([
          [0, "completed"],
          [1, "open"],
        ]);
        expect((await store.jobs.progress(mine.job.id)).units).toBe(130);
      });

      it("accepts one result per microtask, however often and through whichever lease", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id)]);
        const microtask = sampleMicrotask(stage.id, 0, 10);
        const first = sampleGrant(microtask);
        const second = sampleGrant({ ...microtask, fence: 2 });
        store.work.grant(first);
        store.work.grant(second);
        const answers = await Promise.all([
          store.work.accept(sampleAcceptance(second)),
          store.work.accept(sampleAcceptance(first, new Uint8Array([9]))),
          store.work.accept(sampleAcceptance(second)),
        ]);
        expect(answers).toEqual(["accepted", "duplicate", "duplicate"]);
        store.work.end({
          leaseId: first.lease.id,
          microtaskId: microtask.id,
          failures: 3,
          state: "pending",
          atMs: 1,
        });
        const results = await store.work.results(stage.id);
        expect(results.map(({ microtaskId, body }) => [microtaskId, body])).toEqual([
          [microtask.id, { kind: "inline", data: Buffer.from([1, 2, 3, 4]) }],
        ]);
        const [open] = await store.work.openStages();
        expect(open).toMatchObject({ leases: [], microtasks: [], accepted: [{ unitStart: 0, unitCount: 10 }] });
      });

      it("orders results by batch, prime and unit, and pages through them", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id, 0, 2), sampleBatch(stage.id, 1, 2)]);
        const places = [
          [1, 0, 0],
          [0, 1, 50],
          [0, 0, 50],
          [0, 1, 0],
          [0, 0, 0],
          [1, 1, 0],
        ] as const;
        for (const [batch, prime, unitStart] of places) {
          const grant = sampleGrant({ ...sampleMicrotask(stage.id, unitStart, 50), batch, prime });
          store.work.grant(grant);
          await store.work.accept(sampleAcceptance(grant));
        }
        const seen: string[] = [];
        let page = await store.work.results(stage.id, { limit: 4 });
        while (page.length > 0) {
          seen.push(...page.map(({ batch, prime, unitStart }) => `${batch}.${prime}.${unitStart}`));
          page = await store.work.results(stage.id, { limit: 4, after: page.at(-1)! });
        }
        expect(seen).toEqual(["0.0.0", "0.0.50", "0.1.0", "0.1.50", "1.0.0", "1.1.0"]);
        expect(await store.work.results(stage.id, { batch: 1 })).toHaveLength(2);
      });

      it("forgets the results of a batch that is done anew, and opens its stage again", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id, 0), sampleBatch(stage.id, 1)]);
        for (const batch of [0, 1]) {
          const grant = sampleGrant({ ...sampleMicrotask(stage.id, 0, 100), batch });
          store.work.grant(grant);
          await store.work.accept(sampleAcceptance(grant));
        }
        const refused = sampleGrant(sampleMicrotask(stage.id, 100, 10));
        store.work.grant(refused);
        store.work.end({
          leaseId: refused.lease.id,
          microtaskId: refused.microtask.id,
          failures: 1,
          state: "pending",
          refusal: { donorId: refused.lease.donorId, code: "audit_failed", detail: "record 3 differs" },
          atMs: 8,
        });
        await store.stages.setState(stage.id, "completed");
        const objectName = ObjectName.parse("batches/anew/0.1");
        const anew = { ...sampleBatch(stage.id, 0), objectName, maskSeed: "ab".repeat(16), keyGeneration: 1 };
        await store.stages.replaceBatch(anew);
        expect((await store.work.results(stage.id)).map(({ batch }) => batch)).toEqual([1]);
        expect((await store.stages.batches(stage.id))[0]).toEqual(anew);
        expect((await store.stages.get(stage.id)).state).toBe("open");
        // What was refused happened, whatever became of its batch.
        expect(await store.stages.progress(stage.id)).toMatchObject({ resultsRefused: 1 });
      });

      it("never takes a mask seed twice, not even after its batch is gone", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        const seeded = (batch: number, seed: string, object: string) => {
          const objectName = ObjectName.parse(`batches/${stage.id}/${object}`.toLowerCase());
          return { ...sampleBatch(stage.id, batch), objectName, maskSeed: seed.repeat(16) };
        };
        await store.stages.insert(stage, 1, [seeded(0, "00", "first")]);
        const reused = { code: "conflict" };
        await expect(store.stages.insertBatch(seeded(1, "00", "second"))).rejects.toMatchObject(reused);
        await store.stages.replaceBatch(seeded(0, "11", "third"));
        await expect(store.stages.insertBatch(seeded(1, "00", "second"))).rejects.toMatchObject(reused);
        await expect(store.stages.replaceBatch(seeded(0, "11", "fourth"))).rejects.toMatchObject(reused);
        expect((await store.stages.batches(stage.id)).map(({ maskSeed }) => maskSeed)).toEqual(["11".repeat(16)]);
        // The members of an ensemble work on the same ciphertexts.
        const member = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert({ ...member, member: 1 }, 1, [{ ...seeded(0, "11", "third"), stageId: member.id }]);
      });

      it("keeps failures, reasons and quarantine", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id)]);
        const grant = sampleGrant(sampleMicrotask(stage.id, 0, 10));
        store.work.grant(grant);
        store.work.end({
          leaseId: grant.lease.id,
          microtaskId: grant.microtask.id,
          failures: 5,
          state: "quarantined",
          refusal: { donorId: grant.lease.donorId, code: "audit_failed", detail: "record 3 differs" },
          atMs: 8,
        });
        expect(await store.work.quarantined(stage.id)).toEqual([
          { ...grant.microtask, state: "quarantined", failures: 5 },
        ]);
        expect(await store.work.refusals(stage.id, 10)).toMatchObject([
          { code: "audit_failed", detail: "record 3 differs" },
        ]);
        const [open] = await store.work.openStages();
        expect(open?.refusedTo.get(grant.microtask.id)).toEqual([grant.lease.donorId]);
        expect(await store.jobs.progress(mine.job.id)).toMatchObject({ microtasksQuarantined: 1, resultsRefused: 1 });
      });

      it("has everything that was acknowledged after a crash, and leases that were committed", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id)]);
        const leased = sampleGrant(sampleMicrotask(stage.id, 0, 10));
        store.work.grant(leased);
        await store.work.flush();
        const accepted = sampleGrant(sampleMicrotask(stage.id, 10, 10));
        store.work.grant(accepted);
        await store.work.accept(sampleAcceptance(accepted));
        const lost = sampleGrant(sampleMicrotask(stage.id, 20, 10));
        store.work.grant(lost);

        const after = await opened.crash();
        const [open] = await after.work.openStages();
        expect(open?.accepted).toEqual([{ batch: 0, prime: 0, unitStart: 10, unitCount: 10 }]);
        expect(open?.leases).toEqual([leased.lease]);
        expect(open?.microtasks).toEqual([leased.microtask]);
        expect(await after.work.accept(sampleAcceptance(accepted))).toBe("duplicate");
      });

      it("forgets a removed job's work, and one bad write fails alone", async () => {
        const stage = sampleStage(mine.tenantId, mine.job.id);
        await store.stages.insert(stage, 1, [sampleBatch(stage.id)]);
        await store.jobs.remove(mine.tenantId, mine.job.id);
        const late = sampleGrant(sampleMicrotask(stage.id, 0, 10));
        store.work.grant(late);
        const event = store.work.accept(sampleAcceptance(late));
        const good = store.settings.set("a", 1);
        await expect(event).rejects.toThrow();
        await good;
        expect(await store.settings.get("a")).toBe(1);
        expect(await codeOf(store.stages.get(stage.id))).toBe("not_found");
      });
    });

    describe("donors", () => {
      it("adds to counters and keeps them over a reopening", async () => {
        const id = freshId("don");
        await store.donors.upsert(sampleDonor(id));
        store.donors.count(id, { accepted: 2, units: 20, computeMs: 1.5 }, 10);
        store.donors.count(id, { refused: 1 }, 12);
        await store.donors.ban(id, 13);
        const again = await opened.reopen();
        await again.donors.upsert({ ...sampleDonor(id), displayName: "Ada", lastSeenAtMs: 20 });
        const facts = { displayName: "Ada", lastSeenAtMs: 20, accepted: 2, refused: 1, units: 20, computeMs: 1.5 };
        expect(await again.donors.get(id)).toEqual(sampleDonor(id, { ...facts, bannedAtMs: 13 }));
        expect(await again.donors.totals()).toEqual({ donors: 1, accepted: 2, units: 20, computeMs: 1.5 });
        expect((await again.donors.leaders(5)).map((leader) => leader.id)).toEqual([id]);
      });

      it("keeps what encrypted plans said and what their jobs showed, by models", async () => {
        const cost = {
          coreSecondsPerRecord: 0.001,
          keyHolderMsPerRecord: null,
          bytesDownPerRecord: 20_000,
          bytesUpPerRecord: 1_300,
          sameAnswerRate: 1,
          largestError: 0.01,
        };
        const outcome = (createdAtMs: number, model: string) => ({
          jobId: freshId("job"),
          modelsDigest: digestOf(model),
          records: 100,
          ringDegree: 8192,
          modulusBits: 120,
          recordsPerBatch: 4096,
          planned: cost,
          measured: { ...cost, coreSecondsPerRecord: 0.002 },
          createdAtMs,
        });
        const [first, second, other] = [outcome(1, "a"), outcome(2, "a"), outcome(3, "b")];
        for (const one of [first, second, other, { ...first, records: 7 }]) await store.planOutcomes.add(one);
        expect(await store.planOutcomes.ofModels(digestOf("a"), 10)).toEqual([second, first]);
        expect(await store.planOutcomes.ofModels(digestOf("a"), 1)).toEqual([second]);
        expect(await store.planOutcomes.ofModels(digestOf("c"), 10)).toEqual([]);
      });

      it("keeps observations by age", async () => {
        const observation = {
          donorId: freshId("don"),
          deviceClass: "4-cores",
          stageId: freshId("stg"),
          kernel: "onnx" as const,
          runtime: "ort-wasm" as const,
          units: 5,
          bytesIn: 1,
          bytesOut: 2,
          queueMs: 0,
          downloadMs: 1,
          computeMs: 2,
          restMs: 0.5,
          overheadMs: 0.25,
          uploadMs: 3,
          predictedMs: 4,
          lowMs: 2,
          highMs: 8,
        };
        for (const createdAtMs of [1, 2, 3]) store.observations.add({ ...observation, createdAtMs });
        await store.observations.removeOlderThan(2);
        expect(await store.observations.recent(10)).toEqual([
          { ...observation, createdAtMs: 3 },
          { ...observation, createdAtMs: 2 },
        ]);
      });
    });
  });
}
