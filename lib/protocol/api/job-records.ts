/** Records of a job beside their answers, a page at a time: what a person looks through. */
import { z } from "zod";
import { PreviewRecord } from "../datasets.ts";
import { JobId } from "../ids.ts";
import { RecordTensor } from "../tensors.ts";

/** Records in one answer. */
export const JOB_RECORDS_MOST = 50;

export const JobRecordsQuery = z.object({
  start: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(JOB_RECORDS_MOST).default(24),
  version: z.coerce.number().int().positive().optional(),
});

export const AnsweredRecord = PreviewRecord.extend({
  /** The first values of each output; null where the record has no result. */
  outputs: z.array(z.array(z.number()).nullable()),
});
export type AnsweredRecord = z.infer<typeof AnsweredRecord>;

export const JobRecords = z
  .object({
    object: z.literal("job_records"),
    job: JobId,
    /** Of the whole job. */
    records: z.int().nonnegative(),
    /** Names of the label's classes, where the dataset's labels are words. */
    classes: z.array(z.string()).nullable(),
    outputs: z.array(RecordTensor),
    data: z.array(AnsweredRecord).max(JOB_RECORDS_MOST),
  })
  .meta({ id: "JobRecords" });
export type JobRecords = z.infer<typeof JobRecords>;
