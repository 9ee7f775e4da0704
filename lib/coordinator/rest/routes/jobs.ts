import { z } from "zod";
import { Aggregate, Feedback, FeedbackAnswer } from "#lib/protocol/api/aggregation.ts";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import { JobRecords, JobRecordsQuery } from "#lib/protocol/api/job-records.ts";
import { JobWork } from "#lib/protocol/api/job-work.ts";
import { CreateJob, DryRun, JobResource, JobStatus, ResultFormat } from "#lib/protocol/api/jobs.ts";
import { JobId } from "#lib/protocol/ids.ts";
import type { JobRecordsService } from "../../services/job-records.ts";
import type { JobWorkService } from "../../services/job-work.ts";
import type { JobService } from "../../services/jobs.ts";
import { jobEventStream } from "../event-stream.ts";
import { feedbackFromCsv } from "../feedback-csv.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ job: JobId });

export interface JobServices {
  readonly jobs: JobService;
  readonly jobWork: JobWorkService;
  readonly jobRecords: JobRecordsService;
}

export function jobRoutes({ jobs, jobWork, jobRecords }: JobServices): Route[] {
  return [
    route({
      method: "POST",
      path: "/jobs",
      operation: "createJob",
      heavy: true,
      tag: "Jobs",
      summary: "Submit a job, or plan it with dry_run",
      description:
        "Everything that can be wrong is found before the job is accepted. Send an Idempotency-Key to make retries safe.",
      scope: "jobs:write",
      bodyKind: "json",
      body: CreateJob,
      idempotent: true,
      status: 201,
      errors: [
        "not_found",
        "dataset_mismatch",
        "dataset_too_large",
        "model_unsupported",
        "plan_fidelity",
        "plan_unsupported_operator",
        "plan_too_deep",
        "plan_range",
        "plan_impossible",
        "quota_exceeded",
        "unavailable",
      ],
      answer: z.union([JobResource, DryRun]),
      handle: async ({ body }, caller) => {
        const value = await jobs.create(caller, body);
        return value.object === "job" ? { value, headers: { Location: value.urls.self } } : { value, status: 200 };
      },
    }),
    route({
      method: "GET",
      path: "/jobs",
      operation: "listJobs",
      tag: "Jobs",
      summary: "List jobs, newest first",
      scope: "jobs:read",
      query: pageQuery(JobId).extend({ status: JobStatus.optional() }),
      answer: page(JobResource),
      handle: async ({ query }, caller) => ({ value: listOf(await jobs.list(caller, query, query.status)) }),
    }),
    route({
      method: "GET",
      path: "/jobs/{job}",
      operation: "getJob",
      tag: "Jobs",
      summary: "One job: status, counts, plan, and what it waits for in words",
      scope: "jobs:read",
      params: Params,
      answer: JobResource,
      handle: async ({ params }, caller) => ({ value: await jobs.get(caller, params.job) }),
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/cancel",
      operation: "cancelJob",
      tag: "Jobs",
      summary: "Cancel a job that has not ended",
      scope: "jobs:write",
      params: Params,
      errors: ["conflict"],
      answer: JobResource,
      handle: async ({ params }, caller) => ({ value: await jobs.cancel(caller, params.job) }),
    }),
    route({
      method: "DELETE",
      path: "/jobs/{job}",
      operation: "deleteJob",
      tag: "Jobs",
      summary: "Delete a job that has ended, with its results",
      scope: "jobs:write",
      params: Params,
      errors: ["conflict"],
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await jobs.remove(caller, params.job);
        return { value: { id: params.job, deleted: true as const } };
      },
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/aggregate",
      operation: "aggregateJob",
      tag: "Jobs",
      summary: "Combine a completed job's outputs anew, as its next results version",
      description:
        "With the labels that there are now, and with another reducer if one is named. Where neither has changed, the newest version stays.",
      scope: "jobs:write",
      params: Params,
      bodyKind: "json",
      body: Aggregate,
      errors: ["conflict"],
      answer: JobResource,
      handle: async ({ params, body }, caller) => ({ value: await jobs.aggregate(caller, params.job, body.reducer) }),
    }),
    route({
      method: "POST",
      path: "/jobs/{job}/feedback",
      operation: "giveFeedback",
      tag: "Jobs",
      summary: "Say which answers are right: labels, and ratings",
      description:
        "Labels are fitted to, as the next results version; ratings are kept and shown. All of a request is kept or nothing. As text/csv: columns record, label, score, comment.",
      scope: "jobs:write",
      params: Params,
      query: z.object({ replace: z.stringbool().optional() }),
      bodyKind: "json-or-csv",
      body: Feedback.optional(),
      errors: ["conflict"],
      answer: FeedbackAnswer,
      handle: async ({ params, query, body, request }, caller) => {
        const sent = body ?? (await feedbackFromCsv(request, await jobs.idColumn(caller, params.job)));
        const replace = query.replace ?? sent.replace;
        return { value: await jobs.feedback(caller, params.job, { ...sent, replace }) };
      },
    }),
    route({
      method: "GET",
      path: "/jobs/{job}/events",
      operation: "streamJobEvents",
      tag: "Jobs",
      summary: "Follow a job",
      description:
        "Server-sent events: `status` at every change of status, with an id for Last-Event-ID, and `job` with the whole job as it is now. Ends with the job.",
      scope: "jobs:read",
      params: Params,
      query: z.object({ after: z.coerce.number().int().nonnegative().optional() }),
      answer: { media: ["text/event-stream"], description: "Events" },
      handle: async ({ params, query, request, signal }, caller) => {
        await jobs.get(caller, params.job);
        const header = Number(request.headers["last-event-id"] ?? query.after ?? 0);
        return {
          headers: { "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no" },
          stream: jobEventStream({
            current: () => jobs.current(caller, params.job),
            eventsAfter: (id) => jobs.events(caller, params.job, id),
            watch: (listener) => jobs.lifecycle.watch(params.job, listener),
            signal,
            lastEventId: Number.isSafeInteger(header) && header >= 0 ? header : 0,
          }),
        };
      },
    }),
    route({
      method: "GET",
      path: "/jobs/{job}/results",
      operation: "getResults",
      tag: "Jobs",
      summary: "Download results: one row a record, in dataset order",
      scope: "jobs:read",
      params: Params,
      query: z.object({
        format: ResultFormat.default("json"),
        version: z.coerce.number().int().positive().optional(),
      }),
      errors: ["conflict"],
      answer: {
        media: [
          "application/json",
          "application/jsonl",
          "text/csv",
          "application/octet-stream",
          "application/vnd.apache.parquet",
        ],
        description: "The results in the format that was asked for",
      },
      handle: async ({ params, query }, caller) => {
        const { file, name, version } = await jobs.results(caller, params.job, query.format, query.version);
        return {
          headers: {
            "Content-Type": file.contentType,
            "Content-Disposition": `attachment; filename="${name}"`,
            "Flux-Results-Version": String(version),
          },
          stream: file.bytes,
        };
      },
    }),
    route({
      method: "GET",
      path: "/jobs/{job}/work",
      operation: "getJobWork",
      tag: "Jobs",
      summary: "What became of a job's microtasks: lanes, speed over time, donors, checks",
      scope: "jobs:read",
      params: Params,
      answer: JobWork,
      handle: async ({ params }, caller) => ({ value: await jobWork.get(caller, params.job) }),
    }),
    route({
      method: "GET",
      path: "/jobs/{job}/records",
      operation: "getJobRecords",
      tag: "Jobs",
      summary: "Some records beside their answers, for people to look through",
      scope: "jobs:read",
      params: Params,
      query: JobRecordsQuery,
      errors: ["conflict"],
      answer: JobRecords,
      handle: async ({ params, query }, caller) => ({ value: await jobRecords.get(caller, params.job, query) }),
    }),
  ];
}
