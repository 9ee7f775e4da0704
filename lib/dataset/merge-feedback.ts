/**
 * What submitters say about a job's records: labels, which results are fitted to, and ratings, which are kept and shown and
 * move nothing. The same at the coordinator and where a submitter keeps the key.
 */
import { z } from "zod";
import type { Feedback } from "../protocol/api/aggregation.ts";
import type { DatasetDescription } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import type { DatasetReader } from "./reader.ts";

export const StoredFeedback = z.object({
  /** How often labels have changed. */
  changes: z.int().nonnegative(),
  /** Record number and target (a class index, or a value), by record. */
  labels: z.array(z.tuple([z.int().nonnegative(), z.number()])),
  ratings: z.array(
    z.object({ record: z.int().nonnegative(), score: z.number(), comment: z.string().optional(), atMs: z.number() }),
  ),
});
export type StoredFeedback = z.infer<typeof StoredFeedback>;

export const NO_FEEDBACK: StoredFeedback = { changes: 0, labels: [], ratings: [] };

/** What must be known of a dataset to take feedback on its records. */
export interface RatedRecords extends Pick<DatasetReader, "readLabels" | "findIds"> {
  readonly description: Pick<DatasetDescription, "records" | "id" | "label">;
}

export interface MergedFeedback {
  readonly feedback: StoredFeedback;
  /** Labels that are new or other than before. */
  readonly labels: number;
  readonly ratings: number;
}

/** Findings that one answer names; the rest is counted. */
const NAMED = 20;

/**
 * Adds what was sent, whole or not at all.
 * @throws FluxError invalid_request for duplicates and labels that cannot be, not_found for records that are not there, conflict for
 *   labels that contradict others
 */
export async function mergeFeedback(
  sent: Feedback,
  before: StoredFeedback,
  dataset: RatedRecords,
  nowMs: number,
): Promise<MergedFeedback> {
  const records = await recordNumbers(sent, dataset);
  refuse("invalid_request", duplicates(sent, records), "Name each record once", "labels");
  const targets = sent.labels.map(({ label }) => targetOf(label, dataset.description.label?.classes ?? null));
  refuse(
    "invalid_request",
    sent.labels.filter((_, i) => targets[i] === undefined).map(({ record, label }) => `record ${record}: "${label}"`),
    classesText(dataset.description.label?.classes ?? null),
    "labels",
  );

  const known = new Map(before.labels);
  const own = ownLabels(dataset);
  const labels = new Map(before.labels);
  const conflicts: string[] = [];
  let changed = 0;
  for (const [i, { record }] of sent.labels.entries()) {
    const number = records.get(nameOf(record))!;
    const target = targets[i]!;
    const earlier = known.get(number) ?? (await own(number));
    if (earlier === target && known.has(number)) continue;
    if (earlier !== undefined && earlier !== target && !sent.replace) {
      conflicts.push(`record ${record} is labelled ${labelText(earlier, dataset)}, not ${labelText(target, dataset)}`);
    }
    labels.set(number, target);
    changed++;
  }
  refuse("conflict", conflicts, 'Send "replace": true to replace the labels that are there', "labels");
  const ratings = sent.ratings.map(({ record, score, comment }) => ({
    record: records.get(nameOf(record))!,
    score,
    ...(comment === undefined ? {} : { comment }),
    atMs: nowMs,
  }));
  const rated = new Map([...before.ratings, ...ratings].map((rating) => [rating.record, rating]));
  return {
    feedback: {
      changes: before.changes + (changed > 0 ? 1 : 0),
      labels: [...labels].sort(([a], [b]) => a - b),
      ratings: [...rated.values()],
    },
    labels: changed,
    ratings: ratings.length,
  };
}

const nameOf = (record: string | number): string => String(record);

/** Numbers of all named records. */
async function recordNumbers(sent: Feedback, dataset: RatedRecords): Promise<Map<string, number>> {
  const names = new Set([...sent.labels, ...sent.ratings].map(({ record }) => nameOf(record)));
  const { id, records } = dataset.description;
  const found = new Map<string, number>();
  if (id) for (const [name, number] of await dataset.findIds(names)) found.set(name, number);
  else {
    for (const name of names) {
      const number = Number(name);
      if (/^\d{1,15}$/.test(name) && number < records) found.set(name, number);
    }
  }
  const unknown = [...names].filter((name) => !found.has(name)).map((name) => `record ${name}`);
  const what = id ? `Use the ids of the column "${id.name}"` : `Records are numbered 0 to ${records - 1}`;
  refuse("not_found", unknown, what, "record");
  return found;
}

function duplicates(sent: Feedback, records: ReadonlyMap<string, number>): string[] {
  const twice: string[] = [];
  for (const list of [sent.labels, sent.ratings]) {
    const seen = new Set<number>();
    for (const { record } of list) {
      const number = records.get(nameOf(record))!;
      if (seen.has(number)) twice.push(`record ${record} is named twice`);
      seen.add(number);
    }
  }
  return twice;
}

/** The label as a number: a position among the classes, or a value. Undefined where it can be neither. */
function targetOf(label: string | number, classes: readonly string[] | null): number | undefined {
  if (classes) {
    const at = classes.indexOf(String(label));
    return at >= 0 ? at : undefined;
  }
  const value = typeof label === "number" ? label : label.trim() === "" ? Number.NaN : Number(label);
  return Number.isFinite(value) ? value : undefined;
}

function labelText(target: number, dataset: RatedRecords): string {
  return dataset.description.label?.classes?.[target] ?? String(target);
}

function classesText(classes: readonly string[] | null): string {
  return classes
    ? `The classes are ${classes.slice(0, NAMED).join(", ")}`
    : "Labels are numbers: the position of the class";
}

const BLOCK_RECORDS = 64 * 1024;

/** What the dataset's own label column says of a record; undefined where it says nothing. */
function ownLabels(dataset: RatedRecords): (record: number) => Promise<number | undefined> {
  const blocks = new Map<number, Float64Array | null>();
  return async (record) => {
    const block = Math.floor(record / BLOCK_RECORDS);
    let labels = blocks.get(block);
    if (labels === undefined) {
      const start = block * BLOCK_RECORDS;
      labels = await dataset.readLabels(start, Math.min(BLOCK_RECORDS, dataset.description.records - start));
      blocks.set(block, labels);
    }
    const label = labels?.[record % BLOCK_RECORDS];
    return label === undefined || Number.isNaN(label) ? undefined : label;
  };
}

function refuse(
  code: "invalid_request" | "not_found" | "conflict",
  findings: readonly string[],
  fix: string,
  param: string,
): void {
  if (findings.length === 0) return;
  const more = findings.length > NAMED ? `, and ${findings.length - NAMED} more` : "";
  const heading = {
    invalid_request: "This feedback cannot be used",
    not_found: "There are no such records",
    conflict: "Labels contradict what is known",
  }[code];
  throw new FluxError(code, `${heading}: ${findings.slice(0, NAMED).join("; ")}${more}. ${fix}. Nothing was kept.`, {
    param,
    errors: findings.slice(0, NAMED).map((detail) => ({ param, detail })),
  });
}
