/**
 * The submitter's custody for a page: planning, encryption and decryption in a Web Worker, keys and outputs in IndexedDB, the
 * rest by fetch. README.md (one folder up) shows how a page uses it.
 */
import { resultFile } from "#lib/dataset/results/index.ts";
import type { JobResource, Plan, ResultFormat } from "#lib/protocol/api/jobs.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { FluxClient } from "../../flux-client.ts";
import { aggregateSealed, type SealedAnswers } from "../aggregate-sealed.ts";
import { type Engine, engineOf } from "../engine-caller.ts";
import type { NamedFile, OpenedInputs } from "../engine-calls.ts";
import { exportKeys, importKeys } from "../key-file.ts";
import { reopenSealed } from "../reopen.ts";
import { type DecryptedOutputs, decryptedOutputs, resultSource } from "../results.ts";
import { type CustodyProgress, runSealed, type SealedOutcome } from "../run-sealed.ts";
import { loadState, type SealedState } from "../stores.ts";
import { type LocallyPlanned, planSealed, type SealedRequest, sealedPlan, submitSealed } from "../submit-sealed.ts";
import { openBrowserStores } from "./stores.ts";

export type {
  CustodyProgress,
  DecryptedOutputs,
  LocallyPlanned,
  NamedFile,
  OpenedInputs,
  SealedAnswers,
  SealedOutcome,
  SealedRequest,
};

export interface BrowserCustodyOptions {
  readonly client: FluxClient;
  /** @default the built bundle of this origin */
  readonly workerUrl?: string;
}

export interface BrowserCustody {
  /** Reads, compiles and rehearses in the worker: seconds. Nothing leaves the page. */
  plan(request: SealedRequest, onOpened?: (opened: OpenedInputs) => void): Promise<LocallyPlanned>;
  /** The same as the coordinator shows it, with the donors that are online now. Uploads the model and the programs. */
  planAsShown(planned: LocallyPlanned): Promise<Plan>;
  /** Submits. Nothing is encrypted before `run`. */
  submit(planned: LocallyPlanned): Promise<JobResource>;
  /** Encrypts, uploads, decrypts, until the job is completed. After a reload call `reopen` first. */
  run(job: JobId, options?: RunOptions): Promise<SealedOutcome>;
  /** Takes up a job of this browser: the same files again. */
  reopen(job: JobId, files: { readonly models: readonly NamedFile[]; readonly dataset: NamedFile }): Promise<void>;
  /** Jobs whose keys are in this browser. */
  jobs(): Promise<JobId[]>;
  /** What was decrypted here; throws key_lost where the job is not this browser's. */
  outputs(job: JobId): Promise<DecryptedOutputs>;
  /** Is every batch decrypted here? */
  decrypted(job: JobId): Promise<boolean>;
  /** The job's answers, of its members and pieces together, as far as anything is to be combined. Fits once. */
  answers(job: JobId): Promise<SealedAnswers>;
  /** A results file, made in the page. */
  results(job: JobId, format: ResultFormat, member?: number): Promise<{ readonly file: Blob; readonly name: string }>;
  /** The job's keys as a file to put away. */
  exportKeys(job: JobId): Promise<Blob>;
  /** Brings a key file back. @returns its job */
  importKeys(file: Blob): Promise<JobId>;
  /** Ends the worker. What is kept is kept. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly onProgress?: (progress: CustodyProgress) => void;
  readonly signal?: AbortSignal;
}

export async function openBrowserCustody({
  client,
  workerUrl = "/worker/keyholder.js",
}: BrowserCustodyOptions): Promise<BrowserCustody> {
  const { keys, jobs: store } = await openBrowserStores();
  let engine: Engine | undefined;
  const started = (): Engine => {
    engine ??= startEngine(workerUrl);
    return engine;
  };
  /** The job that the engine has open: only its plan and records are there. */
  let open: JobId | undefined;
  const outputs = async (job: JobId) => decryptedOutputs(store, await loadState(store, job));

  return {
    plan: (request, onOpened) => planSealed(started(), request, onOpened),
    planAsShown: (planned) => sealedPlan(client, planned),
    async submit(planned) {
      const { job } = await submitSealed(client, store, globalThis.location.origin, planned);
      open = job.id;
      return job;
    },
    async run(job, { onProgress, signal } = {}) {
      if (open !== job) {
        throw new FluxError(
          "conflict",
          "The page has forgotten the job's files: choose the model and the dataset again.",
        );
      }
      const state = await loadState(store, job);
      return runSealed({
        client,
        engine: started(),
        keys,
        store,
        state,
        ...(onProgress ? { onProgress } : {}),
        ...(signal ? { signal } : {}),
      });
    },
    async reopen(job, files) {
      const state = await loadState(store, job);
      await reopenSealed(started(), store, state, files, fetchArtefact);
      open = job;
    },
    jobs: () => store.list(),
    outputs,
    decrypted: async (job) => allDecrypted(await outputs(job)),
    answers: async (job) => aggregateSealed(store, await loadState(store, job)),
    async results(job, format, member) {
      const { bytes, extension, contentType } = resultFile(
        format,
        // One member's own outputs where one is named, else the answers that the members give together.
        member === undefined
          ? (await aggregateSealed(store, await loadState(store, job))).source
          : resultSource(await outputs(job), member),
      );
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      for await (const chunk of bytes) chunks.push(chunk);
      return { file: new Blob(chunks, { type: contentType }), name: `${job}${extension}` };
    },
    exportKeys: async (job) => exportKeys(keys, store, job, await keys.generations(job)),
    importKeys: async (file) => (await importKeys(keys, store, file)).job,
    async close() {
      await engine?.close();
      engine = undefined;
      open = undefined;
    },
  };
}

async function allDecrypted(decrypted: DecryptedOutputs): Promise<boolean> {
  const { batches }: SealedState = decrypted.state;
  for (let batch = 0; batch < batches; batch++) if (!(await decrypted.has(batch))) return false;
  return true;
}

function startEngine(workerUrl: string): Engine {
  const worker = new Worker(workerUrl, { type: "module", name: "flux key-holder" });
  return engineOf({
    wire: worker,
    onDeath(died) {
      worker.addEventListener("error", (event) => died(event.message || "the key-holder's worker did not start"));
    },
    end: async () => worker.terminate(),
  });
}

/** Programs are public: donors fetch them from the same place. The digest is checked by who asked. */
async function fetchArtefact(digest: string): Promise<Blob> {
  const response = await fetch(`/artefacts/${digest}`);
  if (response.ok) return response.blob();
  throw new FluxError("not_found", "The job's program is not on this server any more: the job was deleted.");
}
