/** Where the feedback on a job is kept: one JSON object, replaced whole by each request; requests of one job come one after another. */
import { NO_FEEDBACK, StoredFeedback } from "#lib/dataset/merge-feedback.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";

const feedbackName = (jobId: JobId): ObjectName => ObjectName.parse(`outputs/${jobId}/feedback`);

export async function readFeedback(objects: ObjectStore, jobId: JobId): Promise<StoredFeedback> {
  if (!(await objects.stat(feedbackName(jobId)))) return NO_FEEDBACK;
  return StoredFeedback.parse(JSON.parse(new TextDecoder().decode(await objects.read(feedbackName(jobId)))));
}

export async function writeFeedback(objects: ObjectStore, jobId: JobId, feedback: StoredFeedback): Promise<void> {
  await objects.put(feedbackName(jobId), new TextEncoder().encode(JSON.stringify(feedback)));
}
