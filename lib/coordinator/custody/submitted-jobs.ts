/**
 * Jobs in their submitters' custody, batch by batch (README.md tells the whole way). This class never holds a key or a plain value.
 *
 * A batch is *absent*, then *uploading* (parts arrive), then *computing* (stored, its lanes leasable), *computed* (every lane has
 * a result, its key-holder may fetch), and *confirmed*: decrypted by its key-holder, its ciphertexts deleted. One that is said to be noise
 * is *auditing* while every lane of it is recomputed, then *rejected* until it comes anew under the next generation's key.
 *
 * Everything but "auditing" is in the store and in the object store: after a restart the key-holder asks, and goes on.
 */

import { blobBytes } from "#lib/lanes/block.ts";
import type { BatchVerdict, SealedBatch, SealedBatchState, SealedProgress } from "#lib/protocol/api/custody.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DonorId, JobId } from "#lib/protocol/ids.ts";
import { CUSTODY_LIMITS } from "#lib/protocol/limits.ts";
import { type BlobStore, ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { ciphertextsName, removeJobFiles } from "../encrypted/job-file.ts";
import type { LaneChecker } from "../encrypted/lane-checker.ts";
import { type LaneSource, laneSourceOf, runOf } from "../encrypted/lane-source.ts";
import { missingRanges } from "../encrypted/missing.ts";
import { Turns } from "../encrypted/turns.ts";
import type { AssembleBatchInput } from "../isolated/assemble-batch.ts";
import type { ComputeLanesInput } from "../isolated/compute-lanes.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import type { Log } from "../log.ts";
import type { DiskBudget } from "./disk-budget.ts";
import { type LaneResults, laneResults, resultsOf } from "./lane-results.ts";
import {
  beginUpload,
  endUpload,
  type PartUpload,
  partCount,
  partLength,
  partName,
  receivePart,
  restoreUpload,
} from "./part-uploads.ts";

export interface SubmittedJobsOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  /** The disk object store's folder, which threads open themselves. */
  readonly objectsFolder: string;
  readonly budget: DiskBudget;
  readonly checker: LaneChecker;
  readonly addBatch: (batch: BatchRecord) => Promise<void>;
  readonly redoBatch: (batch: BatchRecord) => Promise<void>;
  /** A re-audit found a result of this donor wrong. */
  readonly convict: (donorId: DonorId) => void;
  /** Something about the job changed. */
  readonly touch: (jobId: JobId) => void;
  readonly fail: (jobId: JobId, error: unknown) => Promise<void>;
  readonly log: Log;
  readonly now: () => number;
}

interface Running {
  readonly jobId: JobId;
  readonly stages: readonly StageRecord[];
  readonly source: LaneSource;
  readonly batches: number;
  readonly batchBytes: number;
  /** Rows of the store, `[batch][program]`. */
  readonly rows: Map<number, BatchRecord[]>;
  readonly uploads: Map<number, PartUpload>;
  readonly auditing: Set<number>;
  /** Computed batches whose results are whole: what donors left out is there. */
  readonly ready: Map<number, (ObjectName | null)[]>;
  /** One change of a batch at a time. */
  readonly turns: Map<number, Turns>;
  readonly finished: PromiseWithResolvers<void>;
  stopped: boolean;
}

const TASK_LIMITS: Isolation = {
  timeMs: 300_000,
  heapMiB: 1024,
  onLimit: { code: "unavailable", detail: "Reading the batch took too long. Try again." },
};
const ASSEMBLE = new URL("../isolated/assemble-batch.ts", import.meta.url);
const COMPUTE = new URL("../isolated/compute-lanes.ts", import.meta.url);

export class SubmittedJobs {
  readonly #options: SubmittedJobsOptions;
  readonly #running = new Map<JobId, Promise<Running>>();
  /** Heavy threads, one at a time: donors may share this machine. */
  readonly #heavy = new Turns(1);

  constructor(options: SubmittedJobsOptions) {
    this.#options = options;
  }

  /** Begins, or goes on after a restart. Called again for a running job it changes nothing. */
  async start(jobId: JobId): Promise<void> {
    await this.#job(jobId);
  }

  /** Every lane of a batch has an accepted result. */
  batchCompleted(jobId: JobId, stageId: string, batch: number): void {
    if (!this.#running.has(jobId)) return;
    this.#background(jobId, async () => {
      const running = await this.#job(jobId);
      const row = running.rows.get(batch)?.find((row) => row.stageId === stageId);
      if (row) setRow(running, { ...row, state: "completed" });
      await this.#makeReady(running, batch);
    });
  }

  /** Resolves when every batch is confirmed; rejects when the job was stopped before. */
  async finish(jobId: JobId): Promise<void> {
    await (await this.#job(jobId)).finished.promise;
  }

  /** The job has ended: its ciphertexts are deleted. */
  async forget(jobId: JobId): Promise<void> {
    const running = await this.#running.get(jobId)?.catch(() => undefined);
    if (running) {
      running.stopped = true;
      running.finished.reject(new FluxError("conflict", "The job has ended."));
    }
    this.#running.delete(jobId);
    this.#options.budget.release(`${jobId}/`);
    await removeJobFiles(this.#options.objects, jobId);
  }

  // ---------------------------------------------------------------- what the key-holder asks and says

  async progress(jobId: JobId): Promise<SealedProgress> {
    const running = await this.#job(jobId);
    const open: SealedBatch[] = [];
    const confirmed: [number, number][] = [];
    for (let batch = 0; batch < running.batches; batch++) {
      const state = stateOf(running, batch);
      if (state === "confirmed") {
        const last = confirmed.at(-1);
        if (last && last[0] + last[1] === batch) last[1]++;
        else confirmed.push([batch, 1]);
      } else if (state !== "absent") open.push(await this.#describe(running, batch));
    }
    const fits = this.#options.budget.has(2 * running.batchBytes) ? CUSTODY_LIMITS.openBatchesPerJob : 0;
    return {
      object: "sealed_progress",
      batches: running.batches,
      records_per_batch: running.source.ring.n / 2,
      batch_bytes: running.batchBytes,
      part_bytes: CUSTODY_LIMITS.partBytes,
      confirmed,
      open,
      room: Math.max(0, fits - open.length),
    };
  }

  /** @throws FluxError rate_limited where there is no room now; conflict where the batch is not wanted like this */
  async begin(jobId: JobId, batch: number, wanted: { generation: number; mask_seed: string }): Promise<SealedBatch> {
    const { objects, budget } = this.#options;
    const running = await this.#batchOf(jobId, batch);
    return this.#inTurn(running, batch, async () => {
      const state = stateOf(running, batch);
      const upload = running.uploads.get(batch);
      if (upload?.seed === wanted.mask_seed && upload.generation === wanted.generation) {
        return this.#describe(running, batch);
      }
      if (state !== "absent" && state !== "uploading" && state !== "rejected") {
        throw new FluxError("conflict", `Batch ${batch} is ${state}: it is not wanted again.`);
      }
      const due = generationDue(running, batch);
      if (wanted.generation !== due) {
        throw new FluxError("conflict", `Batch ${batch} is due under the key of generation ${due}.`, {
          param: "generation",
        });
      }
      const bytes = 2 * running.batchBytes;
      if (state === "absent") {
        const open = [...Array(running.batches).keys()].filter((other) => isOpen(stateOf(running, other))).length;
        if (open >= CUSTODY_LIMITS.openBatchesPerJob || !budget.has(bytes)) {
          throw new FluxError("rate_limited", "There is no room for another batch now: wait until one is confirmed.");
        }
      }
      budget.reserve(budgetName(running, batch), bytes);
      const begun = { generation: due, seed: wanted.mask_seed };
      running.uploads.set(batch, await beginUpload(objects, jobId, batch, begun, running.batchBytes));
      return this.#describe(running, batch);
    });
  }

  /** @throws FluxError conflict where the batch is not uploaded under this seed; ciphertext_invalid, payload_too_large */
  async takePart(
    jobId: JobId,
    batch: number,
    part: number,
    sent: { readonly seed: string; readonly digest: string | undefined; readonly body: AsyncIterable<Uint8Array> },
  ): Promise<SealedBatch> {
    const running = await this.#batchOf(jobId, batch);
    const upload = uploadUnder(running, batch, sent.seed);
    if (part >= partCount(running.batchBytes)) throw new FluxError("not_found", `Batch ${batch} has no part ${part}.`);
    const name = partName(jobId, batch, sent.seed, part);
    await receivePart(this.#options.objects, name, partLength(running.batchBytes, part), sent.digest, sent.body);
    upload.missing.delete(part);
    return this.#describe(running, batch);
  }

  /** Every part is here: donors may have the batch. */
  async complete(jobId: JobId, batch: number, seed: string): Promise<SealedBatch> {
    const { objects, objectsFolder, budget, touch } = this.#options;
    const running = await this.#batchOf(jobId, batch);
    return this.#inTurn(running, batch, async () => {
      if (running.rows.get(batch)?.every((row) => row.maskSeed === seed)) return this.#describe(running, batch);
      const upload = uploadUnder(running, batch, seed);
      if (upload.missing.size > 0) {
        throw new FluxError("conflict", `${upload.missing.size} parts of batch ${batch} are missing: send them first.`);
      }
      const objectName = ciphertextsName(jobId, batch, upload.generation);
      const { ring, features } = running.source;
      const parts = Array.from({ length: partCount(running.batchBytes) }, (_, p) => partName(jobId, batch, seed, p));
      const input: AssembleBatchInput = { objectsFolder, parts, objectName, ring, features };
      await this.#heavy.run(() => runIsolated(ASSEMBLE, input, TASK_LIMITS));
      await this.#open(running, batch, upload, objectName);
      running.uploads.delete(batch);
      await endUpload(objects, jobId, batch);
      budget.reserve(budgetName(running, batch), running.batchBytes);
      touch(jobId);
      return this.#describe(running, batch);
    });
  }

  /** @throws FluxError conflict while lanes are missing */
  async results(jobId: JobId, batch: number, program: number): Promise<LaneResults> {
    const running = await this.#batchOf(jobId, batch);
    const stage = running.stages[program];
    if (!stage) throw new FluxError("not_found", `This job has no program ${program}.`, { param: "program" });
    const ready = running.ready.get(batch);
    if (!ready || stateOf(running, batch) !== "computed") {
      throw new FluxError("conflict", `Batch ${batch} is ${stateOf(running, batch)}: its results come when computed.`);
    }
    return laneResults(this.#options.store, this.#options.objects, stage, batch, ready[program] ?? null);
  }

  async verdict(jobId: JobId, batch: number, said: BatchVerdict): Promise<SealedBatch> {
    const running = await this.#batchOf(jobId, batch);
    await this.#inTurn(running, batch, async () => {
      const row = running.rows.get(batch)?.[said.program];
      if (!row || row.keyGeneration !== said.generation) {
        throw new FluxError("conflict", `Batch ${batch} is not there under the key of generation ${said.generation}.`);
      }
      if (said.verdict === "sane") await this.#confirm(running, batch, row, said.fidelity);
      else if (stateOf(running, batch) === "computed") this.#alarm(running, batch);
    });
    this.#options.touch(jobId);
    return this.#describe(running, batch);
  }

  // ---------------------------------------------------------------- a batch's ways

  /** Rows for the dispatcher: new ones, or in place of rejected ones. */
  async #open(running: Running, batch: number, upload: PartUpload, objectName: ObjectName): Promise<void> {
    const { addBatch, redoBatch, now } = this.#options;
    const known = running.rows.get(batch) ?? [];
    running.ready.delete(batch);
    for (const stage of running.stages) {
      const row: BatchRecord = {
        stageId: stage.id,
        batch,
        primes: running.source.ring.primes.length,
        unitsPerPrime: running.source.ring.n,
        state: "open",
        objectName,
        maskSeed: upload.seed,
        keyGeneration: upload.generation,
        fidelity: null,
        createdAtMs: now(),
      };
      const before = known.find(({ stageId }) => stageId === stage.id);
      // A crash may have come between two members.
      if (before?.maskSeed === upload.seed) continue;
      if (before) await redoBatch(row);
      else await addBatch(row);
      setRow(running, row);
    }
  }

  /** What no donor got right is computed here, then the key-holder may fetch. */
  async #makeReady(running: Running, batch: number): Promise<void> {
    const { objects, touch } = this.#options;
    const rows = running.rows.get(batch) ?? [];
    if (rows.length < running.stages.length || rows.some(({ state }) => state === "open")) return;
    const computed: (ObjectName | null)[] = [];
    for (const stage of running.stages) {
      const row = rows.find(({ stageId }) => stageId === stage.id);
      if (row?.state !== "completed") {
        computed.push(null);
        continue;
      }
      const ranges = [];
      for await (const { batch: of, prime, unitStart, unitCount } of resultsOf(this.#options.store, stage, batch)) {
        ranges.push({ batch: of, prime, unitStart, unitCount });
      }
      const missing = missingRanges(row, ranges);
      const name = computedName(running.jobId, stage.member, batch, row.keyGeneration);
      if (missing.length > 0 && !(await objects.stat(name)))
        await this.#computeLanes(stage, row, missing.map(runOf), name);
      computed.push(missing.length > 0 ? name : null);
    }
    if (running.stopped) return;
    running.ready.set(batch, computed);
    touch(running.jobId);
  }

  async #computeLanes(
    stage: StageRecord,
    row: BatchRecord,
    runs: ComputeLanesInput["runs"],
    resultName: ObjectName,
  ): Promise<void> {
    const { blobs, objectsFolder, log } = this.#options;
    const programPath = blobs.path(laneSourceOf(stage).program);
    if (!programPath || row.objectName === null || row.maskSeed === null) {
      throw new Error(`batch ${row.batch} of ${stage.id} is not an encrypted one`);
    }
    log.warn(
      { jobId: stage.jobId, batch: row.batch, runs: runs.length },
      "lanes that no donor got right are computed here",
    );
    const input: ComputeLanesInput = {
      objectsFolder,
      programPath,
      objectName: row.objectName,
      maskSeed: row.maskSeed,
      runs,
      resultName,
    };
    await this.#heavy.run(() => runIsolated(COMPUTE, input, TASK_LIMITS));
  }

  async #confirm(
    running: Running,
    batch: number,
    row: BatchRecord,
    fidelity: NonNullable<BatchRecord["fidelity"]>,
  ): Promise<void> {
    if (row.state === "deleted") return;
    if (row.state !== "completed" || running.auditing.has(batch)) {
      throw new FluxError("conflict", `Batch ${batch} is ${stateOf(running, batch)}: there is nothing to confirm.`);
    }
    const { store, log } = this.#options;
    await store.stages.setBatchState(row.stageId, batch, "deleted", fidelity);
    setRow(running, { ...row, state: "deleted", fidelity });
    if (stateOf(running, batch) !== "confirmed") return;
    await this.#removePayload(running, batch);
    log.info({ jobId: running.jobId, batch }, "batch confirmed by its key-holder");
    finishWhenDone(running);
  }

  /** Every lane of the batch is recomputed; then it has to come anew. */
  #alarm(running: Running, batch: number): void {
    running.auditing.add(batch);
    this.#background(running.jobId, async () => {
      try {
        const { store, log } = this.#options;
        const wrong = await this.#recheckAll(running, batch);
        log.error(
          { jobId: running.jobId, batch, wrongResults: wrong },
          "a key-holder says that a batch did not decrypt: all of its results were recomputed, it has to come anew under a new key",
        );
        if (running.stopped) return;
        const rows = running.rows.get(batch) ?? [];
        if (generationDue(running, batch) + 1 >= CUSTODY_LIMITS.generations) {
          throw new FluxError(
            "decryption_failed",
            `Batch ${batch} did not decrypt under ${CUSTODY_LIMITS.generations} keys, although all of its lanes were recomputed: its key-holder's records or keys are not what it encrypted. Submit the job again.`,
          );
        }
        for (const row of rows) {
          await store.stages.setBatchState(row.stageId, batch, "rejected");
          setRow(running, { ...row, state: "rejected" });
        }
        await this.#removePayload(running, batch);
      } finally {
        running.auditing.delete(batch);
        this.#options.touch(running.jobId);
      }
    });
  }

  async #recheckAll(running: Running, batch: number): Promise<number> {
    const { store, objects, checker, convict } = this.#options;
    let wrong = 0;
    for (const [member, row] of (running.rows.get(batch) ?? []).entries()) {
      const stage = running.stages[member];
      if (!stage) continue;
      for await (const result of resultsOf(store, stage, batch)) {
        const bytes = result.body.kind === "inline" ? result.body.data : await objects.read(result.body.name);
        if (await checker.recheck(stage, row, result, bytes)) continue;
        wrong++;
        convict(result.donorId);
      }
    }
    return wrong;
  }

  async #removePayload(running: Running, batch: number): Promise<void> {
    const { objects, budget } = this.#options;
    for (const row of running.rows.get(batch) ?? []) if (row.objectName) await objects.remove(row.objectName);
    for (const name of running.ready.get(batch) ?? []) if (name) await objects.remove(name);
    running.ready.delete(batch);
    budget.reserve(budgetName(running, batch), 0);
  }

  // ---------------------------------------------------------------- keeping track

  async #describe(running: Running, batch: number): Promise<SealedBatch> {
    const state = stateOf(running, batch);
    const upload = running.uploads.get(batch);
    const row = running.rows.get(batch)?.[0];
    const results: number[] = [];
    if (state === "computed") {
      for (const program of running.stages.keys()) {
        results.push((await this.results(running.jobId, batch, program)).bytes);
      }
    }
    return {
      batch,
      state,
      generation: upload?.generation ?? generationDue(running, batch),
      mask_seed: upload?.seed ?? row?.maskSeed ?? null,
      missing_parts: state === "uploading" && upload ? [...upload.missing].sort((a, b) => a - b) : null,
      results_bytes: state === "computed" ? results : null,
    };
  }

  #job(jobId: JobId): Promise<Running> {
    const known = this.#running.get(jobId);
    if (known) return known;
    const opening = this.#load(jobId);
    this.#running.set(jobId, opening);
    opening.catch(() => this.#running.delete(jobId));
    return opening;
  }

  async #load(jobId: JobId): Promise<Running> {
    const { store, objects, budget } = this.#options;
    const stages = await store.stages.ofJob(jobId);
    const [first] = stages;
    if (!first || stages.length < first.definition.stages) {
      throw new FluxError("conflict", "The job is still being made: ask again in a moment.");
    }
    const source = laneSourceOf(first);
    const running: Running = {
      jobId,
      stages,
      source,
      batches: first.definition.batches,
      batchBytes: blobBytes(source.ring, source.features),
      rows: new Map(),
      uploads: new Map(),
      auditing: new Set(),
      ready: new Map(),
      turns: new Map(),
      finished: Promise.withResolvers(),
      stopped: false,
    };
    // Whoever waits for it is told; nobody has to.
    running.finished.promise.catch(() => {});
    for (const stage of stages) for (const row of await store.stages.batches(stage.id)) setRow(running, row);
    for (let batch = 0; batch < running.batches; batch++) {
      const rows = running.rows.get(batch);
      const whole = rows?.length === stages.length && rows.every(({ state }) => state !== "rejected");
      const upload = whole ? undefined : await restoreUpload(objects, jobId, batch, running.batchBytes);
      if (upload) running.uploads.set(batch, upload);
      const state = stateOf(running, batch);
      if (isOpen(state)) budget.reserve(budgetName(running, batch), (upload ? 2 : 1) * running.batchBytes);
    }
    for (const batch of running.rows.keys()) {
      if (stateOf(running, batch) !== "computing") continue;
      this.#background(jobId, () => this.#makeReady(running, batch));
    }
    finishWhenDone(running);
    return running;
  }

  /** @throws FluxError not_found for a batch that the job does not have; conflict when the job has ended */
  async #batchOf(jobId: JobId, batch: number): Promise<Running> {
    const running = await this.#job(jobId);
    if (batch >= running.batches) throw new FluxError("not_found", `This job has no batch ${batch}.`);
    return running;
  }

  #inTurn<Result>(running: Running, batch: number, run: () => Promise<Result>): Promise<Result> {
    let turns = running.turns.get(batch);
    if (!turns) {
      turns = new Turns(1);
      running.turns.set(batch, turns);
    }
    return turns.run(run);
  }

  #background(jobId: JobId, work: () => Promise<void>): void {
    void work().catch(async (error: unknown) => {
      const running = await this.#running.get(jobId)?.catch(() => undefined);
      if (!running || running.stopped) return;
      running.finished.reject(error);
      await this.#options.fail(jobId, error);
    });
  }
}

function stateOf(running: Running, batch: number): SealedBatchState {
  if (running.auditing.has(batch)) return "auditing";
  if (running.uploads.has(batch)) return "uploading";
  const rows = running.rows.get(batch) ?? [];
  if (rows.length === 0) return "absent";
  if (rows.some(({ state }) => state === "rejected")) return "rejected";
  if (rows.length === running.stages.length && rows.every(({ state }) => state === "deleted")) return "confirmed";
  return running.ready.has(batch) ? "computed" : "computing";
}

function isOpen(state: SealedBatchState): boolean {
  return state !== "absent" && state !== "confirmed";
}

/** The generation of the key that a batch is, or has to come, under. */
function generationDue(running: Running, batch: number): number {
  const row = running.rows.get(batch)?.[0];
  if (!row) return 0;
  return row.state === "rejected" ? row.keyGeneration + 1 : row.keyGeneration;
}

function uploadUnder(running: Running, batch: number, seed: string): PartUpload {
  const upload = running.uploads.get(batch);
  if (upload?.seed === seed) return upload;
  throw new FluxError("conflict", `Batch ${batch} is not uploaded under this seed: begin it first.`);
}

function setRow(running: Running, row: BatchRecord): void {
  const rows = [...(running.rows.get(row.batch) ?? [])];
  const member = running.stages.findIndex(({ id }) => id === row.stageId);
  rows[member] = row;
  running.rows.set(row.batch, rows);
}

function finishWhenDone(running: Running): void {
  for (let batch = 0; batch < running.batches; batch++) if (stateOf(running, batch) !== "confirmed") return;
  running.finished.resolve();
}

const budgetName = ({ jobId }: Running, batch: number): string => `${jobId}/${batch}`;

const computedName = (jobId: JobId, member: number, batch: number, generation: number): ObjectName =>
  ObjectName.parse(`encrypted/${jobId}/computed${member}.${batch}.${generation}`);
