/**
 * Encrypted jobs in the coordinator's custody, batch by batch.
 *
 * A batch is *absent*, then *encrypting* in a thread, then *open* (stored, its lanes leasable), *completed* (every lane has an
 * accepted result), *decrypting* in a thread, and *decrypted*: its outputs are kept, its ciphertexts are deleted. At most
 * `OPEN_BATCHES` of a job are open at a time, so that the disk holds some batches and never a whole dataset of ciphertexts.
 *
 * A batch that decrypts to noise holds a wrong lane that the sampled audits missed. It is an alarm: every lane of it is
 * recomputed, wrong results count against their donors, and the batch is encrypted anew under a new key and a new mask. Nothing
 * else follows from a decrypted value, and nothing of it reaches a donor.
 *
 * After a restart `start` goes on where the store says. A batch whose encryption a crash cut off was never stored: it is encrypted
 * again under a fresh mask seed. One whose decryption was cut off is decrypted again.
 */
import { z } from "zod";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Digest, DonorId, JobId } from "#lib/protocol/ids.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, ResultRecord, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { DecryptBatchInput } from "../isolated/decrypt-batch.ts";
import type { EncryptBatchInput } from "../isolated/encrypt-batch.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import type { Log } from "../log.ts";
import {
  ciphertextsName,
  decryptedName,
  type EncryptedJobFile,
  membersOf,
  readJobFile,
  removeJobFiles,
} from "./job-file.ts";
import type { KeyVault } from "./key-vault.ts";
import type { LaneChecker } from "./lane-checker.ts";
import { laneSourceOf, runOf } from "./lane-source.ts";
import { makeKey } from "./make-key.ts";
import { missingRanges } from "./missing.ts";
import { countUnits } from "./records.ts";
import { Turns } from "./turns.ts";

export interface EncryptedJobsOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  /** The disk object store's folder, which threads open themselves. */
  readonly objectsFolder: string;
  readonly vault: KeyVault;
  readonly checker: LaneChecker;
  readonly addBatch: (batch: BatchRecord) => Promise<void>;
  readonly redoBatch: (batch: BatchRecord) => Promise<void>;
  /** A re-audit found a result of this donor wrong. */
  readonly convict: (donorId: DonorId) => void;
  readonly fail: (jobId: JobId, error: unknown) => Promise<void>;
  readonly log: Log;
  readonly now: () => number;
}

export interface FinishedJob {
  readonly file: EncryptedJobFile;
  /** What encrypting and decrypting took, their waiting apart; null where a part of it was before a restart. */
  readonly keyHolderMs: number | null;
}

interface Running {
  readonly jobId: JobId;
  readonly file: EncryptedJobFile;
  readonly stages: readonly StageRecord[];
  /** Batches that at least one member still works on. */
  readonly open: Map<number, number>;
  /** `member.batch` that a thread has now: the store and an event may both say that a batch is completed. */
  readonly decrypting: Set<string>;
  /** By generation: settled when the key is durably in the vault. */
  readonly keys: Map<number, Promise<void>>;
  /** Decrypted (member, batch) pairs still to come. */
  left: number;
  stopped: boolean;
  keyHolderMs: number | null;
  /** Wakes who waits for room. */
  wake: () => void;
  readonly finished: PromiseWithResolvers<void>;
}

const OPEN_BATCHES = 2;
/** SEAL's heap lies outside the JavaScript heap; this bounds the records and results of one batch. */
const KEY_HOLDER: Isolation = {
  timeMs: 600_000,
  heapMiB: 2048,
  onLimit: { code: "unavailable", detail: "Encrypting or decrypting a batch took too long. Try a smaller model." },
};
const ENCRYPT = new URL("../isolated/encrypt-batch.ts", import.meta.url);
const DECRYPT = new URL("../isolated/decrypt-batch.ts", import.meta.url);

const Encrypted = z.object({ maskSeed: z.string(), clippedValues: z.number() });
const Decrypted = z.union([
  z.object({
    verdict: z.object({ kind: z.literal("sane"), outliers: z.number() }),
    fidelity: z.object({ records: z.number(), sameAnswers: z.number(), largestError: z.number() }),
  }),
  z.object({
    verdict: z.object({ kind: z.literal("noise"), impossibleSlots: z.number(), wrongCanaries: z.number() }),
    fidelity: z.null(),
  }),
]);

export class EncryptedJobs {
  readonly #options: EncryptedJobsOptions;
  readonly #running = new Map<JobId, Running>();
  /** One at a time each: both are as heavy as a core allows, and donors may share this machine. */
  readonly #encrypting = new Turns(1);
  readonly #decrypting = new Turns(1);

  constructor(options: EncryptedJobsOptions) {
    this.#options = options;
  }

  /** Begins, or goes on after a restart. Called again for a running job it changes nothing. */
  async start(jobId: JobId): Promise<void> {
    if (this.#running.has(jobId)) return;
    const { store, objects } = this.#options;
    const file = await readJobFile(objects, jobId);
    const stages = await store.stages.ofJob(jobId);
    const running: Running = {
      jobId,
      file,
      stages,
      open: new Map(),
      decrypting: new Set(),
      keys: new Map(),
      left: stages.length * file.batches,
      stopped: false,
      keyHolderMs: 0,
      wake: () => {},
      finished: Promise.withResolvers(),
    };
    // Whoever waits for it is told; nobody has to.
    running.finished.promise.catch(() => {});
    this.#running.set(jobId, running);
    const stored = new Set<number>();
    for (const stage of stages) {
      for (const batch of await store.stages.batches(stage.id)) {
        stored.add(batch.batch);
        running.keyHolderMs = null;
        if (batch.state === "deleted") running.left--;
        else running.open.set(batch.batch, (running.open.get(batch.batch) ?? 0) + 1);
        if (batch.state === "completed") this.#background(running, () => this.#decrypt(running, stage, batch.batch));
      }
    }
    this.#finishWhenDone(running);
    this.#background(running, () => this.#feed(running, stored));
  }

  /** Adds what the key-holder's work took to its job's account. */
  async #timed<Value>(running: Running, work: () => Promise<Value>): Promise<Value> {
    const startedMs = this.#options.now();
    const value = await work();
    if (running.keyHolderMs !== null) running.keyHolderMs += this.#options.now() - startedMs;
    return value;
  }

  /** Every lane of a batch has an accepted result. */
  batchCompleted(jobId: JobId, stageId: string, batch: number): void {
    const running = this.#running.get(jobId);
    const stage = running?.stages.find(({ id }) => id === stageId);
    if (running && stage) this.#background(running, () => this.#decrypt(running, stage, batch));
  }

  /** Resolves when every batch is decrypted; rejects when the job was stopped before. */
  async finish(jobId: JobId): Promise<FinishedJob> {
    await this.start(jobId);
    const running = this.#running.get(jobId);
    if (!running) throw new Error(`${jobId} does not run`);
    await running.finished.promise;
    return { file: running.file, keyHolderMs: running.keyHolderMs };
  }

  /** The job has ended: its keys and ciphertexts are deleted. */
  async forget(jobId: JobId): Promise<void> {
    const running = this.#running.get(jobId);
    if (running) {
      running.stopped = true;
      running.finished.reject(new FluxError("conflict", "The job has ended."));
      running.wake();
      this.#running.delete(jobId);
    }
    await this.#options.vault.forget(jobId);
    await removeJobFiles(this.#options.objects, jobId);
  }

  /** Encrypts the batches that the store does not have, as room comes. */
  async #feed(running: Running, stored: ReadonlySet<number>): Promise<void> {
    for (let batch = 0; batch < running.file.batches; batch++) {
      if (stored.has(batch)) continue;
      while (running.open.size >= OPEN_BATCHES && !running.stopped) {
        await new Promise<void>((resolve) => {
          running.wake = resolve;
        });
      }
      if (running.stopped) return;
      const encrypted = await this.#encrypt(running, batch, 0);
      if (running.stopped) return;
      running.open.set(batch, running.stages.length);
      for (const stage of running.stages) await this.#options.addBatch({ ...encrypted, stageId: stage.id });
    }
  }

  async #encrypt(running: Running, batch: number, generation: number): Promise<Omit<BatchRecord, "stageId">> {
    const { vault, objectsFolder, now, log } = this.#options;
    const { jobId, file } = running;
    await this.#ensureKey(running, generation);
    const objectName = ciphertextsName(jobId, batch, generation);
    const input: EncryptBatchInput = {
      plan: file.plan,
      secret: await vault.read(jobId, generation),
      records: { ...file.records, objectsFolder },
      ...recordsOf(file, batch),
      objectName,
    };
    const startedMs = now();
    const { maskSeed, clippedValues } = Encrypted.parse(
      await this.#encrypting.run(() => this.#timed(running, () => runIsolated(ENCRYPT, input, KEY_HOLDER))),
    );
    log.info({ jobId, batch, generation, clippedValues, ms: now() - startedMs }, "batch encrypted");
    const { n, primes } = file.plan.ring;
    return {
      batch,
      primes: primes.length,
      unitsPerPrime: n,
      state: "open",
      objectName,
      maskSeed,
      keyGeneration: generation,
      fidelity: null,
      createdAtMs: now(),
    };
  }

  /** Batches whose alarms ring at once are done anew under one and the same new key: whoever comes second waits for the first. */
  #ensureKey({ jobId, file, keys }: Running, generation: number): Promise<void> {
    const { vault } = this.#options;
    const known = keys.get(generation);
    if (known) return known;
    const made = (async () => {
      if (!(await vault.has(jobId, generation))) await vault.write(jobId, generation, await makeKey(file.plan));
    })();
    keys.set(generation, made);
    return made;
  }

  async #decrypt(running: Running, stage: StageRecord, batchNumber: number): Promise<void> {
    const name = `${stage.member}.${batchNumber}`;
    if (running.decrypting.has(name)) return;
    running.decrypting.add(name);
    let noise: BatchRecord | undefined;
    try {
      noise = await this.#decryptOnce(running, stage, batchNumber);
    } finally {
      running.decrypting.delete(name);
    }
    if (noise) await this.#alarm(running, stage, noise);
  }

  /** @returns the batch when it is noise */
  async #decryptOnce(running: Running, stage: StageRecord, batchNumber: number): Promise<BatchRecord | undefined> {
    const { store, log, now } = this.#options;
    const batch = await this.#batchOf(stage, batchNumber);
    const startedMs = now();
    const reply = Decrypted.parse(
      await this.#decrypting.run(() =>
        this.#timed(running, async () =>
          runIsolated(DECRYPT, await this.#decryptInput(running, stage, batch), KEY_HOLDER),
        ),
      ),
    );
    if (running.stopped) return;
    log.info(
      { jobId: running.jobId, batch: batchNumber, verdict: reply.verdict, ms: now() - startedMs },
      "batch decrypted",
    );
    if (reply.fidelity === null) return batch;
    if (batch.state === "deleted") return undefined;
    const { records, sameAnswers, largestError } = reply.fidelity;
    const fidelity = { records, same_answer_rate: sameAnswers, largest_error: largestError };
    await store.stages.setBatchState(stage.id, batchNumber, "deleted", fidelity);
    await this.#removePayload(running, stage, batch);
    const membersLeft = (running.open.get(batchNumber) ?? 1) - 1;
    if (membersLeft > 0) running.open.set(batchNumber, membersLeft);
    else running.open.delete(batchNumber);
    running.left--;
    running.wake();
    this.#finishWhenDone(running);
    return undefined;
  }

  /** A wrong lane got through: find it, count it against its donor, and do the batch anew under a new key. */
  async #alarm(running: Running, stage: StageRecord, batch: BatchRecord): Promise<void> {
    const { checker, convict, redoBatch, log } = this.#options;
    let wrong = 0;
    for (const result of await this.#results(stage, batch.batch)) {
      if (await checker.recheck(stage, batch, result, await this.#bytesOf(result))) continue;
      wrong++;
      convict(result.donorId);
    }
    log.error(
      { jobId: running.jobId, batch: batch.batch, wrongResults: wrong },
      "a batch did not decrypt: all of its results were recomputed, and it is done anew under a new key",
    );
    const anew = await this.#encrypt(running, batch.batch, batch.keyGeneration + 1);
    if (running.stopped) return;
    await redoBatch({ ...anew, stageId: stage.id });
    await this.#removePayload(running, stage, batch);
  }

  async #decryptInput(running: Running, stage: StageRecord, batch: BatchRecord): Promise<DecryptBatchInput> {
    const { blobs, vault, objectsFolder } = this.#options;
    const { jobId, file } = running;
    if (batch.objectName === null || batch.maskSeed === null) {
      throw new Error(`batch ${batch.batch} of ${stage.id} is not an encrypted one`);
    }
    const pathOf = (digest: Digest): string => {
      const path = blobs.path(digest);
      if (!path) throw new Error("programs and models are read from blobs on this machine's disk");
      return path;
    };
    const results = await this.#results(stage, batch.batch);
    return {
      plan: file.plan,
      programPath: pathOf(laneSourceOf(stage).program),
      members: membersOf(file, stage).map((index) => {
        const { model, outputs } = file.members[index]!;
        return {
          index,
          modelPath: pathOf(model),
          outputs: outputs.map((_, output) => decryptedName(jobId, index, batch.batch, output)),
        };
      }),
      secret: await vault.read(jobId, batch.keyGeneration),
      records: { ...file.records, objectsFolder },
      ...recordsOf(file, batch.batch),
      maskSeed: batch.maskSeed,
      objectName: batch.objectName,
      results: results.map((result) => ({
        run: runOf(result),
        body: result.body.kind === "inline" ? { data: Uint8Array.from(result.body.data) } : { name: result.body.name },
      })),
      missing: missingRanges(batch, results).map(runOf),
    };
  }

  async #results(stage: StageRecord, batch: number): Promise<ResultRecord[]> {
    const results: ResultRecord[] = [];
    for (;;) {
      const after = results.at(-1);
      const page = await this.#options.store.work.results(stage.id, { batch, ...(after ? { after } : {}) });
      if (page.length === 0) return results;
      results.push(...page);
    }
  }

  async #bytesOf({ body }: ResultRecord): Promise<Uint8Array> {
    return body.kind === "inline" ? body.data : this.#options.objects.read(body.name);
  }

  async #batchOf(stage: StageRecord, batchNumber: number): Promise<BatchRecord> {
    const batches = await this.#options.store.stages.batches(stage.id);
    const batch = batches.find(({ batch }) => batch === batchNumber);
    if (!batch) throw new Error(`${stage.id} has no batch ${batchNumber}`);
    return batch;
  }

  /** Ciphertexts go when no member needs them any more. */
  async #removePayload(
    running: Running,
    stage: StageRecord,
    { batch: number, objectName }: BatchRecord,
  ): Promise<void> {
    if (objectName === null) return;
    for (const other of running.stages) {
      if (other.id === stage.id) continue;
      const batch = (await this.#options.store.stages.batches(other.id)).find(({ batch }) => batch === number);
      if (batch && batch.objectName === objectName && batch.state !== "deleted") return;
    }
    await this.#options.objects.remove(objectName);
  }

  #finishWhenDone(running: Running): void {
    if (running.left === 0) running.finished.resolve();
  }

  #background(running: Running, work: () => Promise<void>): void {
    void work().catch(async (error: unknown) => {
      if (running.stopped) return;
      running.finished.reject(error);
      await this.#options.fail(running.jobId, error);
    });
  }
}

function recordsOf(file: EncryptedJobFile, batch: number): { readonly start: number; readonly count: number } {
  const start = batch * file.recordsPerBatch;
  return { start, count: Math.min(file.recordsPerBatch, countUnits(file.records) - start) };
}
