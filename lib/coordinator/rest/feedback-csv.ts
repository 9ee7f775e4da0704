/** Feedback as CSV, read within its limit. */
import type { IncomingMessage } from "node:http";
import { readFeedbackCsv } from "#lib/dataset/feedback-csv.ts";
import { Feedback } from "#lib/protocol/api/aggregation.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { FEEDBACK_LIMITS } from "#lib/protocol/limits.ts";
import { invalidRequest } from "./route.ts";

export function isCsv(request: IncomingMessage): boolean {
  return (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() === "text/csv";
}

/**
 * @param idColumn the dataset's id column, which names records too
 * @throws FluxError payload_too_large, invalid_request, dataset_ragged
 */
export async function feedbackFromCsv(request: IncomingMessage, idColumn: string | undefined): Promise<Feedback> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > FEEDBACK_LIMITS.csvBytes) {
      throw new FluxError(
        "payload_too_large",
        `Feedback as CSV may have up to ${FEEDBACK_LIMITS.csvBytes} bytes: send it in parts.`,
      );
    }
    chunks.push(chunk);
  }
  const rows = await readFeedbackCsv(new Uint8Array(Buffer.concat(chunks)), idColumn);
  const parsed = Feedback.safeParse(rows);
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}
