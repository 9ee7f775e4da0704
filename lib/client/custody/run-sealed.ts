/**
 * Sees a sealed job through: encrypts and uploads batches as there is room, fetches and decrypts those that are computed, confirms. Can be
 * ended and taken up again at any point: the coordinator says what is due (api.ts), and the stores what is here.
 *
 * Two loops run side by side. *Sending* encrypts one batch while the one before is uploaded. *Receiving* fetches, checks and decrypts. A
 * connection that is lost, or a coordinator that restarts, is waited for.
 *
 * What must not happen: that two batches go out under one mask seed (the engine draws one per encryption, and ciphertexts that a crash cut
 * off are thrown away); that a batch is confirmed before its outputs are kept; that anything but "sane" or "noise" is told of a decryption.
 */
import { z } from "zod";
import type { SealedBatch, SealedProgress } from "#lib/protocol/api/custody.ts";
import type { JobResource, MeasuredFidelity } from "#lib/protocol/api/jobs.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { FluxClient } from "../flux-client.ts";
import { type CustodyApi, custodyApi } from "./api.ts";
import type { Engine } from "./engine-caller.ts";
import { patiently } from "./patience.ts";
import { recordsOf } from "./results.ts";
import {
  decryptedBlob,
  idsBlob,
  type JobStore,
  jsonBlob,
  type KeyStore,
  keyOf,
  labelsBlob,
  lanesBlob,
  outputsBlob,
  readJson,
  type SealedState,
  seedBlob,
} from "./stores.ts";
import { uploadParts } from "./upload-parts.ts";

export interface SealedRun {
  readonly client: FluxClient;
  readonly engine: Engine;
  readonly keys: KeyStore;
  readonly store: JobStore;
  readonly state: SealedState;
  readonly onProgress?: (progress: CustodyProgress) => void;
  readonly signal?: AbortSignal;
  /** How long a coordinator that does not answer is waited for. @default 10 minutes */
  readonly patienceMs?: number;
  /** @default 300 */
  readonly pollMs?: number;
}

export interface CustodyProgress {
  readonly batches: number;
  /** Batches, with the share of the one that is encrypted now. */
  readonly encrypted: number;
  readonly uploadedBytes: number;
  readonly uploadBytes: number;
  /** Lanes that donors have computed, and of how many. */
  readonly lanesDone: number;
  readonly lanes: number;
  readonly decrypted: number;
  /** What the job waits for, as the coordinator says it. */
  readonly why: string;
}

export interface SealedOutcome {
  readonly job: JobResource;
  /** Of what this run decrypted; null where it decrypted nothing. */
  readonly fidelity: MeasuredFidelity | null;
  /** Values outside the calibrated range that were clipped to it. */
  readonly clippedValues: number;
}

const ENDED: ReadonlySet<JobResource["status"]> = new Set(["completed", "failed", "canceled"]);
const FETCH_BYTES = 8 * 1024 * 1024;
const Spooled = z.object({ generation: z.int(), seed: z.string() });

export async function runSealed(run: SealedRun): Promise<SealedOutcome> {
  const stop = new AbortController();
  const signal = run.signal ? AbortSignal.any([run.signal, stop.signal]) : stop.signal;
  const keeper = new Keeper({ ...run, signal });
  const loops = [keeper.watch(), keeper.send(), keeper.receive()];
  try {
    await Promise.all(loops);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(loops);
    throw error;
  }
  return keeper.outcome();
}

class Keeper {
  readonly #run: SealedRun & { readonly signal: AbortSignal };
  readonly #api: CustodyApi;
  /** Batches that this run sends or decrypts just now. */
  readonly #sending = new Set<number>();
  #seen: SealedProgress | undefined;
  #job: JobResource | undefined;
  #uploadingBytes = new Map<number, number>();
  #encryptingShare = 0;
  #fidelity: MeasuredFidelity | null = null;
  #clippedValues = 0;
  #wake = Promise.withResolvers<void>();
  /** Rejects when an upload in the background fails. */
  readonly #failed = Promise.withResolvers<never>();

  constructor(run: SealedRun & { readonly signal: AbortSignal }) {
    this.#run = run;
    this.#failed.promise.catch(() => {});
    run.signal.addEventListener("abort", () => this.#failed.reject(run.signal.reason), { once: true });
    this.#api = patiently(custodyApi(run.client, run.state.job, { signal: run.signal }), run);
    run.engine.onNotice = ({ share }) => {
      this.#encryptingShare = share;
      this.#tell();
    };
  }

  /** Looks at the job again and again until it has ended. */
  async watch(): Promise<void> {
    const { client, state, signal, pollMs = 300 } = this.#run;
    for (;;) {
      this.#job = await patiently({ job: () => client.job(state.job, { signal }) }, this.#run).job();
      if (!ENDED.has(this.#job.status)) {
        // It may end in between.
        this.#seen = await this.#api.progress().catch((error: unknown) => {
          if (isFluxError(error) && error.code === "conflict") return this.#seen;
          throw error;
        });
      }
      this.#tell();
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
      if (this.#ended) return;
      await pause(pollMs, signal);
    }
  }

  async send(): Promise<void> {
    // The upload of the batch before goes on while the next one is encrypted.
    let uploading: Promise<void> = Promise.resolve();
    for (let due = await this.#nextToSend(); due; due = await this.#nextToSend()) {
      const { batch } = due;
      this.#sending.add(batch);
      const spooled = await this.#encrypted(due);
      await uploading;
      uploading = this.#upload(batch, spooled);
      uploading.catch((error: unknown) => this.#failed.reject(error));
    }
    await uploading;
  }

  async receive(): Promise<void> {
    for (let due = await this.#nextToOpen(); due; due = await this.#nextToOpen()) await this.#decrypt(due);
  }

  outcome(): SealedOutcome {
    const job = this.#job;
    if (!job) throw new Error("the job was never looked at");
    if (job.status === "canceled") throw new FluxError("conflict", `${job.id} was cancelled.`);
    if (job.status !== "completed") {
      throw new FluxError("conflict", `${job.id} failed: ${job.error?.detail ?? "it did not say why"}`);
    }
    return { job, fidelity: this.#fidelity, clippedValues: this.#clippedValues };
  }

  get #ended(): boolean {
    return this.#job !== undefined && ENDED.has(this.#job.status);
  }

  // ---------------------------------------------------------------- sending

  /** The next batch that is wanted: half-sent and rejected ones first, then new ones as room allows. Undefined: all are out. */
  async #nextToSend(): Promise<Pick<SealedBatch, "batch" | "generation"> | undefined> {
    for (;;) {
      if (this.#ended) return undefined;
      const seen = this.#seen;
      if (seen) {
        const due = seen.open.find(
          ({ batch, state }) => (state === "uploading" || state === "rejected") && !this.#sending.has(batch),
        );
        if (due) return due;
        const fresh = this.#absent(seen);
        if (seen.room > this.#unseen(seen) && fresh !== undefined) {
          return { batch: fresh, generation: 0 };
        }
      }
      await this.#look();
    }
  }

  /** Batches that are being sent and that the coordinator did not know of when it was asked last. */
  #unseen({ open }: SealedProgress): number {
    return [...this.#sending].filter((sent) => !open.some(({ batch }) => batch === sent)).length;
  }

  #absent({ batches, confirmed, open }: SealedProgress): number | undefined {
    for (let batch = 0; batch < batches; batch++) {
      const done = confirmed.some(([first, count]) => batch >= first && batch < first + count);
      if (!done && !this.#sending.has(batch) && !open.some((other) => other.batch === batch)) return batch;
    }
    return undefined;
  }

  /** The batch's ciphertexts: those that a run before this one left whole, or fresh ones under a fresh seed. */
  async #encrypted({ batch, generation }: Pick<SealedBatch, "batch" | "generation">) {
    const { engine, keys, store, state } = this.#run;
    const { job } = state;
    const note = await store.get(job, seedBlob(batch));
    if (note) {
      const spooled = Spooled.parse(await readJson(note));
      const lanes = await store.get(job, lanesBlob(batch));
      if (lanes && spooled.generation === generation) return { ...spooled, lanes };
      await store.remove(job, seedBlob(batch));
    }
    let secret = await keys.read(job, generation);
    if (!secret) {
      // Batches of this generation that are out already were encrypted under a key that is lost.
      if (await this.#generationIsOut(generation)) secret = await keyOf(keys, job, generation);
      else {
        secret = await engine.call("makeKey", null);
        await keys.write(job, generation, secret);
      }
    }
    const encrypted = await engine.call("encrypt", { batch, secret });
    this.#encryptingShare = 0;
    this.#clippedValues += encrypted.clippedValues;
    const lanes = new Blob([encrypted.lanes]);
    await store.put(job, lanesBlob(batch), lanes);
    // Written last: without it, what lies there is thrown away.
    await store.put(job, seedBlob(batch), jsonBlob({ generation, seed: encrypted.seed }));
    return { generation, seed: encrypted.seed, lanes };
  }

  async #generationIsOut(generation: number): Promise<boolean> {
    const { open } = await this.#api.progress();
    return open.some(
      (batch) => batch.generation === generation && batch.state !== "rejected" && batch.state !== "uploading",
    );
  }

  async #upload(batch: number, { generation, seed, lanes }: z.infer<typeof Spooled> & { lanes: Blob }): Promise<void> {
    const { store, state, signal, pollMs = 300 } = this.#run;
    let begun: SealedBatch | undefined;
    while (!begun) {
      begun = await this.#api.begin(batch, { generation, mask_seed: seed }).catch((error: unknown) => {
        // No room after all: another job was faster.
        if (isFluxError(error) && error.code === "rate_limited") return undefined;
        throw error;
      });
      if (!begun) await pause(4 * pollMs, signal);
    }
    if (begun.state === "uploading") {
      await uploadParts({
        api: this.#api,
        batch,
        seed,
        content: lanes,
        missing: begun.missing_parts ?? [],
        partBytes: this.#seen?.part_bytes ?? lanes.size,
        signal,
        onProgress: (bytes) => {
          this.#uploadingBytes.set(batch, bytes);
          this.#tell();
        },
      });
      await this.#api.complete(batch, seed);
    }
    await store.remove(state.job, seedBlob(batch));
    await store.remove(state.job, lanesBlob(batch));
    await this.#look();
    this.#uploadingBytes.delete(batch);
    this.#sending.delete(batch);
  }

  // ---------------------------------------------------------------- receiving

  async #nextToOpen(): Promise<SealedBatch | undefined> {
    for (;;) {
      if (this.#ended) return undefined;
      const due = this.#seen?.open.find(({ state }) => state === "computed");
      if (due) return due;
      await this.#look();
    }
  }

  async #decrypt({ batch, generation, results_bytes }: SealedBatch): Promise<void> {
    const { engine, keys, store, state } = this.#run;
    const { job } = state;
    const secret = await keyOf(keys, job, generation);
    for (const program of state.programs.keys()) {
      const results = await this.#fetch(batch, program, results_bytes?.[program] ?? 0);
      const opened = await engine.call("decrypt", { batch, program, secret, results }, [results.buffer]);
      if (opened.verdict === "noise") {
        await this.#api.verdict(batch, { verdict: "noise", program, generation });
        await this.#look();
        return;
      }
      for (const { member, values } of opened.outputs) {
        for (const [output, value] of values.entries()) {
          await store.put(job, outputsBlob(batch, member, output), new Blob([value]));
        }
      }
      if (program === state.programs.length - 1) await this.#keep(batch);
      this.#fidelity = worse(this.#fidelity, opened.fidelity);
      await this.#confirm(batch, { verdict: "sane", program, generation, fidelity: opened.fidelity });
    }
    await this.#look();
  }

  /** The answer to the last confirmation may be lost with the connection, and the job be completed when it is sent again. */
  async #confirm(batch: number, said: Parameters<CustodyApi["verdict"]>[1]): Promise<void> {
    try {
      await this.#api.verdict(batch, said);
    } catch (error) {
      if (!isFluxError(error) || error.code !== "conflict") throw error;
      await this.#look();
      if (this.#job?.status !== "completed") throw error;
    }
  }

  async #keep(batch: number): Promise<void> {
    const { engine, store, state } = this.#run;
    // Left behind where a run ended just after the upload.
    await store.remove(state.job, seedBlob(batch));
    await store.remove(state.job, lanesBlob(batch));
    const records = recordsOf(state, batch);
    const labels = await engine.call("labels", records);
    if (labels) await store.put(state.job, labelsBlob(batch), new Blob([Float64Array.from(labels)]));
    const ids = await engine.call("ids", records);
    if (ids) await store.put(state.job, idsBlob(batch), jsonBlob(ids));
    await store.put(state.job, decryptedBlob(batch), jsonBlob({ batch }));
  }

  async #fetch(batch: number, program: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const results = new Uint8Array(bytes);
    for (let start = 0; start < bytes; start += FETCH_BYTES) {
      const end = Math.min(start + FETCH_BYTES, bytes);
      results.set(await this.#api.results(batch, program, start, end), start);
    }
    return results;
  }

  // ---------------------------------------------------------------- telling

  /** Resolves after the next look at the job. */
  async #look(): Promise<void> {
    if (this.#ended) return;
    await Promise.race([this.#wake.promise, this.#failed.promise]);
  }

  #tell(): void {
    const { onProgress, state } = this.#run;
    const job = this.#job;
    const seen = this.#seen;
    if (!onProgress || !job || !seen) return;
    const confirmed = seen.confirmed.reduce((sum, [, count]) => sum + count, 0);
    const out = confirmed + seen.open.filter(({ state: is }) => is !== "uploading" && is !== "rejected").length;
    const encrypted = Math.max(out, confirmed + seen.open.filter(({ state: is }) => is !== "rejected").length);
    const arriving = [...this.#uploadingBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    onProgress({
      batches: state.batches,
      encrypted: Math.min(state.batches, encrypted + this.#encryptingShare),
      uploadedBytes: Math.min(state.batches * seen.batch_bytes, out * seen.batch_bytes + arriving),
      uploadBytes: state.batches * seen.batch_bytes,
      lanesDone: job.counts.units_accepted,
      lanes: job.counts.units,
      decrypted: confirmed,
      why: job.why,
    });
  }
}

function worse(a: MeasuredFidelity | null, b: MeasuredFidelity): MeasuredFidelity {
  if (!a) return b;
  const records = a.records + b.records;
  return {
    records,
    same_answer_rate: (a.records * a.same_answer_rate + b.records * b.same_answer_rate) / Math.max(1, records),
    largest_error: Math.max(a.largest_error, b.largest_error),
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
