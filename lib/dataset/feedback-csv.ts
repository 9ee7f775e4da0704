/**
 * Feedback as CSV: a column "record" (the record's id, or its number) beside "label" for labels, or "score" and "comment" for
 * ratings. A row may hold both; empty cells say nothing.
 */
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { csvLayout, withoutMark } from "./csv.ts";
import { csvScanner } from "./csv-scan.ts";

export interface FeedbackRows {
  readonly labels: readonly { readonly record: string; readonly label: string }[];
  readonly ratings: readonly { readonly record: string; readonly score: number; readonly comment?: string }[];
}

/** `idName`: the dataset's id column, which serves as "record" too, so that an edited results file can be sent back. */
export async function readFeedbackCsv(bytes: Uint8Array<ArrayBuffer>, idName = "record"): Promise<FeedbackRows> {
  if (bytes.length === 0)
    throw new FluxError("invalid_request", "The CSV is empty: send a header and at least one row.");
  async function* whole() {
    yield bytes;
  }
  const layout = await csvLayout(whole, { version: 1, csv: { header: true } });
  const at = (name: string) => layout.names.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  const record = at("record") >= 0 ? at("record") : at(idName);
  const columns = { label: at("label"), score: at("score"), comment: at("comment") };
  if (record < 0 || (columns.label < 0 && columns.score < 0)) {
    throw new FluxError(
      "invalid_request",
      `The columns are ${layout.names.slice(0, 20).join(", ")}: "record" and "label" (or "score") are needed. Rename them in the first row.`,
    );
  }
  const labels: { record: string; label: string }[] = [];
  const ratings: { record: string; score: number; comment?: string }[] = [];
  const scanner = csvScanner(layout.delimiter.charCodeAt(0));
  scanner.push(withoutMark(bytes));
  scanner.end();
  scanner.next();
  while (scanner.next()) {
    if (scanner.fields !== layout.names.length) {
      throw new FluxError(
        "dataset_ragged",
        `Row ${scanner.row} has ${scanner.fields} values, the header ${layout.names.length}: add or remove delimiters.`,
      );
    }
    if (labels.length + ratings.length >= DATASET_LIMITS.feedbackRows) {
      throw new FluxError(
        "payload_too_large",
        `More than ${DATASET_LIMITS.feedbackRows} labels and ratings: send them in parts.`,
      );
    }
    const text = (column: number) => (column < 0 ? "" : scanner.text(column));
    const id = text(record);
    if (id === "") throw new FluxError("invalid_request", `Row ${scanner.row} names no record: fill in "record".`);
    if (text(columns.label) !== "") labels.push({ record: id, label: text(columns.label) });
    const score = text(columns.score);
    if (score === "") continue;
    if (!Number.isFinite(Number(score))) {
      throw new FluxError("invalid_request", `Row ${scanner.row}: the score "${score.slice(0, 40)}" is not a number.`);
    }
    const comment = text(columns.comment);
    ratings.push({ record: id, score: Number(score), ...(comment === "" ? {} : { comment }) });
  }
  return { labels, ratings };
}
