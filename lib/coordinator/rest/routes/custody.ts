/** The submitter's custody: a key-holder uploads batches of ciphertexts, fetches lane results, and confirms. */
import { z } from "zod";
import {
  BatchVerdict,
  BeginBatch,
  CompleteBatch,
  MaskSeed,
  SealedBatch,
  SealedProgress,
} from "#lib/protocol/api/custody.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { JobId } from "#lib/protocol/ids.ts";
import type { SubmittedJobs } from "../../custody/submitted-jobs.ts";
import type { Identity } from "../../identity.ts";
import { type Route, route } from "../route.ts";

const number = z.coerce.number().int().nonnegative();
const Job = z.object({ job: JobId });
const Batch = Job.extend({ batch: number });
const Part = Batch.extend({ part: number });

/** @param check throws where the job is not this caller's, or not in the submitter's custody and alive */
export function custodyRoutes(
  submitted: SubmittedJobs,
  check: (caller: Identity, job: JobId) => Promise<void>,
): Route[] {
  return [
    route({
      method: "GET",
      path: "/jobs/{job}/batches",
      operation: "sealedProgress",
      tag: "Custody",
      summary: "Batches of a job in your custody: what to do next, and how much room there is",
      scope: "jobs:read",
      params: Job,
      errors: ["conflict"],
      answer: SealedProgress,
      handle: async ({ params }, caller) => {
        await check(caller, params.job);
        return { value: await submitted.progress(params.job) };
      },
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/batches/{batch}",
      operation: "beginBatch",
      tag: "Custody",
      summary: "Begin the upload of a batch, or take it up again under the same seed",
      description:
        "Another seed drops what was uploaded of the batch before. Answered rate_limited while there is no room: wait until a batch is confirmed.",
      scope: "jobs:write",
      params: Batch,
      bodyKind: "json",
      body: BeginBatch,
      errors: ["conflict", "rate_limited"],
      answer: SealedBatch,
      handle: async ({ params, body }, caller) => {
        await check(caller, params.job);
        return { value: await submitted.begin(params.job, params.batch, body) };
      },
    }),
    route({
      method: "PUT",
      path: "/jobs/{job}/batches/{batch}/parts/{part}",
      operation: "putBatchPart",
      tag: "Custody",
      summary: "Send one part of a batch's ciphertexts",
      description:
        "Raw bytes of exactly the part's length with Content-Digest: sha-256=:…: (RFC 9530). Parts may be sent in any order and several at a time.",
      scope: "jobs:write",
      params: Part,
      query: z.object({ seed: MaskSeed }),
      bodyKind: "bytes",
      errors: ["conflict", "ciphertext_invalid", "payload_too_large"],
      answer: SealedBatch,
      handle: async ({ params, query, request }, caller) => {
        await check(caller, params.job);
        const digest = request.headers["content-digest"];
        const sent = { seed: query.seed, digest: typeof digest === "string" ? digest : undefined, body: request };
        return { value: await submitted.takePart(params.job, params.batch, params.part, sent) };
      },
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/batches/{batch}/complete",
      operation: "completeBatch",
      tag: "Custody",
      summary: "Every part is there: donors may have the batch",
      scope: "jobs:write",
      params: Batch,
      bodyKind: "json",
      body: CompleteBatch,
      errors: ["conflict", "ciphertext_invalid"],
      answer: SealedBatch,
      handle: async ({ params, body }, caller) => {
        await check(caller, params.job);
        return { value: await submitted.complete(params.job, params.batch, body.mask_seed) };
      },
    }),
    route({
      method: "GET",
      path: "/jobs/{job}/batches/{batch}/results",
      operation: "getLaneResults",
      tag: "Custody",
      summary: "Lane results of a computed batch, still encrypted",
      description:
        "Results one after another, each with its own header (lib/lanes/block.ts). Honours Range: bytes=a-b.",
      scope: "jobs:read",
      params: Batch,
      query: z.object({ program: number.default(0) }),
      errors: ["conflict"],
      answer: { media: ["application/octet-stream"], description: "Lane results" },
      handle: async ({ params, query, request }, caller) => {
        await check(caller, params.job);
        const { bytes, stream } = await submitted.results(params.job, params.batch, query.program);
        const range = rangeOf(request.headers.range, bytes);
        const [start, end] = range ?? [0, bytes];
        return {
          ...(range ? { status: 206 } : {}),
          headers: {
            "Content-Type": "application/octet-stream",
            "Content-Length": String(end - start),
            "Accept-Ranges": "bytes",
            ...(range ? { "Content-Range": `bytes ${start}-${end - 1}/${bytes}` } : {}),
          },
          stream: stream(start, end),
        };
      },
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/batches/{batch}/verdict",
      operation: "judgeBatch",
      tag: "Custody",
      summary: "Say that a batch is decrypted and kept, or that it is noise",
      description:
        "sane: its ciphertexts are deleted here. noise: every lane of it is recomputed, then it is wanted again under the next generation's key.",
      scope: "jobs:write",
      params: Batch,
      bodyKind: "json",
      body: BatchVerdict,
      errors: ["conflict"],
      answer: SealedBatch,
      handle: async ({ params, body }, caller) => {
        await check(caller, params.job);
        return { value: await submitted.verdict(params.job, params.batch, body) };
      },
    }),
  ];
}

/** `bytes=a-b` or `bytes=a-`, as `[start, end)`; null for the whole. */
function rangeOf(header: string | undefined, bytes: number): [number, number] | null {
  if (header === undefined) return null;
  const found = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header);
  const start = Number(found?.[1] ?? -1);
  const end = found?.[2] ? Math.min(bytes, Number(found[2]) + 1) : bytes;
  if (found && start < end) return [start, end];
  throw new FluxError("invalid_request", `Ask for one range of the ${bytes} bytes, like bytes=0-1023.`, {
    param: "Range",
  });
}
