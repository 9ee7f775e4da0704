/**
 * The SDK: a typed client of the REST interface. Works in browsers and in Node; the dashboard, `npx flux` and the demo
 * stand on it. Every answer is parsed by the schema that the server answers with; every failure is a FluxError whose
 * `detail` names the fix.
 */
import type { z } from "zod";
import { type Aggregate, type Feedback, FeedbackAnswer } from "#lib/protocol/api/aggregation.ts";
import { Problem, page } from "#lib/protocol/api/common.ts";
import { type CreateJob, DryRun, JobResource, type JobStatus, type ResultFormat } from "#lib/protocol/api/jobs.ts";
import {
  type CreateDataset,
  type CreateModel,
  DatasetResource,
  type FilePurpose,
  FileResource,
  ModelResource,
} from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { uploadResumably } from "./resumable-upload.ts";

export interface FluxClientOptions {
  /** Where the coordinator is, e.g. http://localhost:3000. */
  readonly url: string;
  /** flux_sk_…; left out in a browser that is signed in. */
  readonly apiKey?: string;
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface WaitOptions extends RequestOptions {
  /** @default 500 */
  readonly pollMs?: number;
  readonly onProgress?: (job: JobResource) => void;
}

/** How a job may look when nothing more will happen to it. */
const SETTLED: ReadonlySet<JobStatus> = new Set(["completed", "failed", "canceled"]);

const JobPage = page(JobResource);

export interface UploadOptions extends RequestOptions {
  /** Bytes that have arrived; of large files, piece by piece. */
  readonly onProgress?: (bytes: number) => void;
}

export interface Sent extends RequestOptions {
  readonly body?: FormData | Blob;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Larger files go in pieces, so that a broken connection costs one piece. */
const RESUMABLE_BYTES = 16 * 1024 * 1024;

export class FluxClient {
  readonly #options: FluxClientOptions;

  constructor(options: FluxClientOptions) {
    this.#options = options;
  }

  uploadFile(
    content: Blob,
    filename: string,
    purpose: FilePurpose,
    options: UploadOptions = {},
  ): Promise<FileResource> {
    if (content.size > RESUMABLE_BYTES) return this.#uploadResumably(content, filename, purpose, options);
    const form = new FormData();
    form.append("purpose", purpose);
    form.append("file", content, filename);
    return this.#send("POST", "/files", FileResource, { ...options, body: form });
  }

  async #uploadResumably(content: Blob, filename: string, purpose: FilePurpose, options: UploadOptions) {
    const answer = await uploadResumably({
      content,
      metadata: { filename, purpose },
      send: (method, path, piece) => this.#request(method, path, { ...options, ...piece }),
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    });
    return this.#parsed("PATCH", "/uploads", FileResource, answer);
  }

  createModel(model: z.input<typeof CreateModel>, options: RequestOptions = {}): Promise<ModelResource> {
    return this.#send("POST", "/models", ModelResource, { ...options, json: model });
  }

  createDataset(dataset: z.input<typeof CreateDataset>, options: RequestOptions = {}): Promise<DatasetResource> {
    return this.#send("POST", "/datasets", DatasetResource, { ...options, json: dataset });
  }

  /** @param idempotencyKey the same key and body give the same job, however often they are sent */
  createJob(
    job: z.input<typeof CreateJob>,
    options: RequestOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<JobResource> {
    const headers: Record<string, string> = options.idempotencyKey ? { "Idempotency-Key": options.idempotencyKey } : {};
    return this.#send("POST", "/jobs", JobResource, { ...options, json: job, headers });
  }

  /** What the job would cost and what donors would see; nothing is kept. */
  planJob(job: Omit<z.input<typeof CreateJob>, "dry_run">, options: RequestOptions = {}): Promise<DryRun> {
    return this.#send("POST", "/jobs", DryRun, { ...options, json: { ...job, dry_run: true } });
  }

  job(id: JobId, options: RequestOptions = {}): Promise<JobResource> {
    return this.#send("GET", `/jobs/${id}`, JobResource, options);
  }

  /** Newest first. */
  listJobs(range: { readonly limit?: number; readonly after?: JobId } = {}, options: RequestOptions = {}) {
    const query = new URLSearchParams(Object.entries(range).map(([name, value]) => [name, String(value)]));
    return this.#send("GET", `/jobs?${query}`, JobPage, options);
  }

  cancelJob(id: JobId, options: RequestOptions = {}): Promise<JobResource> {
    return this.#send("POST", `/jobs/${id}/cancel`, JobResource, options);
  }

  /** Combines a completed job's outputs anew, where its labels or the reducer changed; `aggregation` of the answer says how. */
  aggregate(id: JobId, change: z.input<typeof Aggregate> = {}, options: RequestOptions = {}): Promise<JobResource> {
    return this.#send("POST", `/jobs/${id}/aggregate`, JobResource, { ...options, json: change });
  }

  /** Labels and ratings, as values or as a CSV file with the columns record, label, score, comment. */
  giveFeedback(
    id: JobId,
    feedback: z.input<typeof Feedback> | Blob,
    options: RequestOptions & { readonly replace?: boolean } = {},
  ): Promise<FeedbackAnswer> {
    const path = `/jobs/${id}/feedback${options.replace ? "?replace=true" : ""}`;
    if (!(feedback instanceof Blob)) return this.#send("POST", path, FeedbackAnswer, { ...options, json: feedback });
    return this.#send("POST", path, FeedbackAnswer, {
      ...options,
      body: feedback,
      headers: { "Content-Type": "text/csv" },
    });
  }

  /** Resolves when the job is completed, failed or canceled; look at `status`. */
  async waitForJob(id: JobId, options: WaitOptions = {}): Promise<JobResource> {
    for (;;) {
      const job = await this.job(id, options);
      options.onProgress?.(job);
      if (SETTLED.has(job.status)) return job;
      await pause(options.pollMs ?? 500, options.signal);
    }
  }

  /** The records' outputs in dataset order, as the server streams them. */
  results(
    id: JobId,
    format: z.input<typeof ResultFormat>,
    options: RequestOptions & { /** @default the newest */ readonly version?: number } = {},
  ): Promise<Response> {
    const version = options.version === undefined ? "" : `&version=${options.version}`;
    return this.#fetch("GET", `/jobs/${id}/results?format=${format}${version}`, options);
  }

  /** One request to /api/v1 as this client's caller, for parts of the interface with a client of their own (custody/api.ts). */
  request(method: string, path: string, options: Sent = {}): Promise<Response> {
    return this.#fetch(method, path, options);
  }

  async #send<Answer>(
    method: string,
    path: string,
    schema: z.ZodType<Answer>,
    options: RequestOptions & { body?: FormData | Blob; json?: unknown; headers?: Record<string, string> },
  ): Promise<Answer> {
    const response = await this.#fetch(method, path, options);
    return this.#parsed(method, path, schema, response);
  }

  async #parsed<Answer>(method: string, path: string, schema: z.ZodType<Answer>, response: Response): Promise<Answer> {
    const parsed = schema.safeParse(parseJson(await response.text()));
    if (parsed.success) return parsed.data;
    throw new FluxError(
      "internal",
      `${method} ${path} was answered in a form that this version does not know: update the client or the server.`,
      { cause: parsed.error },
    );
  }

  #fetch(method: string, path: string, options: Sent): Promise<Response> {
    return this.#request(method, `/api/v1${path}`, options);
  }

  async #request(method: string, path: string, options: Sent): Promise<Response> {
    const { url, apiKey, fetch: ownFetch = fetch } = this.#options;
    const headers: Record<string, string> = { ...options.headers };
    if (apiKey) headers.Authorization = `Bearer ${apiKey}`;
    if (options.json !== undefined) headers["Content-Type"] = "application/json";
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const request: RequestInit = {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
    };
    const response = await ownFetch(new URL(path, url), request).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      throw new FluxError("unavailable", `No answer from ${url}: is the coordinator running, and the address right?`, {
        cause: error,
      });
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

async function problemOf(response: Response): Promise<FluxError> {
  const text = await response.text();
  const parsed = Problem.safeParse(parseJson(text));
  if (!parsed.success) {
    return new FluxError("internal", `The server answered ${response.status} without saying why: look at its log.`);
  }
  const { code, detail, param, errors } = parsed.data;
  return new FluxError(code, detail, { ...(param ? { param } : {}), ...(errors ? { errors } : {}) });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
