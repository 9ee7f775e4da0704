/** How a job's segments and members become one answer a record, and what is fed back: as the REST interface shows them. */
import { z } from "zod";
import { FEEDBACK_LIMITS } from "../limits.ts";
import { Timestamp } from "./common.ts";

/** What a submitter may ask for. `auto` and `learned` use the learned reducer only where it is proven better on held-out records. */
export const Reducer = z.enum(["auto", "concat", "mean", "vote", "max", "learned"]);
export type Reducer = z.infer<typeof Reducer>;

/** What was used. `best-single`: the one member that does best alone. */
export const UsedReducer = z.enum(["concat", "mean", "vote", "max", "best-single", "learned"]);
export type UsedReducer = z.infer<typeof UsedReducer>;

/** Whether outputs are scores of classes or plain values; guessed from labels and outputs where left out. */
export const AggregationTask = z.enum(["classification", "regression"]);
export type AggregationTask = z.infer<typeof AggregationTask>;

/** How good one reducer was on records that it was not fitted to. */
const CandidateReport = z.object({
  reducer: UsedReducer,
  /** Mean log loss in nats (classification) or mean squared error, and its standard error. */
  loss: z.number(),
  loss_standard_error: z.number(),
  accuracy: z.number().nullable(),
  /** 95 % Wilson interval. */
  accuracy_interval: z.tuple([z.number(), z.number()]).nullable(),
  /** Expected calibration error, 15 bins. */
  calibration_error: z.number().nullable(),
  /** What was stated, and how often it was right: the points of a reliability plot. */
  reliability: z.array(z.object({ confidence: z.number(), accuracy: z.number(), records: z.int() })),
});

export const AggregationReport = z
  .object({
    task: AggregationTask,
    reducer: UsedReducer,
    /** Why, in words. */
    because: z.string(),
    members: z.int().positive(),
    segments_per_record: z.int().positive(),
    /** Records with a label, and how many of them the reducers were fitted to and judged on. */
    labels: z.int().nonnegative(),
    labels_used: z.int().nonnegative(),
    folds: z.int().nonnegative(),
    /** Where the learned reducer started: "fresh", or what this server learned over earlier jobs. */
    prior: z.string(),
    candidates: z.array(CandidateReport),
    /** Share of the weight that each member or segment gets on average; empty where nothing is weighted. */
    weights: z.array(z.object({ name: z.string(), weight: z.number() })),
    /** What the learned reducer trusts, in words. */
    trust: z.array(z.string()),
    /** Of ratings; they are kept and shown, and fit nothing. */
    ratings: z.object({ count: z.int().nonnegative(), mean: z.number().nullable() }),
    /** Why labels were not used, where they were not. */
    notes: z.array(z.string()),
  })
  .meta({ id: "AggregationReport" });
export type AggregationReport = z.infer<typeof AggregationReport>;

export const ResultVersion = z.object({
  version: z.int().positive(),
  reducer: UsedReducer,
  labels: z.int().nonnegative(),
  created_at: Timestamp,
});
export type ResultVersion = z.infer<typeof ResultVersion>;

/** The job's newest results. Older versions stay: GET …/results?version=. */
export const JobAggregation = z
  .object({ version: z.int().positive(), versions: z.array(ResultVersion), report: AggregationReport })
  .meta({ id: "JobAggregation" });
export type JobAggregation = z.infer<typeof JobAggregation>;

/** POST /jobs/{id}/aggregate. */
export const Aggregate = z.object({ reducer: Reducer.optional() });
export type Aggregate = z.infer<typeof Aggregate>;

/** A record's id, or its number where the dataset has no id column. */
const RecordName = z.union([z.string().min(1).max(1_024), z.int().nonnegative()]);
const FeedbackLabel = z.object({
  record: RecordName,
  /** A class by name or position; for regression the right value. */
  label: z.union([z.string().min(1).max(512), z.number()]),
});
const FeedbackRating = z.object({
  record: RecordName,
  score: z.number().min(FEEDBACK_LIMITS.scoreMin).max(FEEDBACK_LIMITS.scoreMax),
  comment: z.string().max(FEEDBACK_LIMITS.commentChars).optional(),
});

/** POST /jobs/{id}/feedback. The same as CSV: columns record, label, score, comment. */
export const Feedback = z.object({
  labels: z.array(FeedbackLabel).max(FEEDBACK_LIMITS.rows).default([]),
  ratings: z.array(FeedbackRating).max(FEEDBACK_LIMITS.rows).default([]),
  /** New labels take the place of other ones that are there; otherwise a contradiction is refused. */
  replace: z.boolean().default(false),
});
export type Feedback = z.infer<typeof Feedback>;

export const FeedbackAnswer = z
  .object({
    object: z.literal("feedback"),
    /** Newly kept by this request. */
    labels: z.int().nonnegative(),
    ratings: z.int().nonnegative(),
    /** Of the job, with those of its dataset. */
    labels_total: z.int().nonnegative(),
    ratings_total: z.int().nonnegative(),
    /** Labels change the results: they are fitted again now, as the next version. */
    refit: z.boolean(),
  })
  .meta({ id: "FeedbackAnswer" });
export type FeedbackAnswer = z.infer<typeof FeedbackAnswer>;
