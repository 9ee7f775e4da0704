/**
 * A job's results by version: one object per output (FP32, `[records, …shape]`, little-endian) beside a small JSON description
 * with the report of how they came about. Versions are never changed; feedback adds new ones.
 */
import { z } from "zod";
import { AggregationReport, type JobAggregation } from "#lib/protocol/api/aggregation.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { RecordTensor } from "#lib/protocol/tensors.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import { Gap } from "../aggregation/raw-outputs.ts";

export const ResultsDescription = z.object({
  version: z.int().positive(),
  records: z.int().nonnegative(),
  outputs: z.array(RecordTensor),
  /** Where each output lies; where left out, under this version's own name. */
  parts: z.array(ObjectName).optional(),
  missing: z.array(Gap),
  report: AggregationReport.nullable().default(null),
  createdAtMs: z.number(),
});
export type ResultsDescription = z.infer<typeof ResultsDescription>;

/** Every version, oldest first: what lists and pages show without opening them. */
const Versions = z.array(
  ResultsDescription.pick({ version: true, createdAtMs: true }).extend({
    reducer: AggregationReport.shape.reducer,
    labels: z.int().nonnegative(),
    /** How often feedback had changed the labels when it was made. */
    feedback: z.int().nonnegative(),
  }),
);
export type VersionEntry = z.infer<typeof Versions>[number];

const versionsName = (jobId: JobId): ObjectName => ObjectName.parse(`outputs/${jobId}/versions`);

export const outputsFolder = (jobId: JobId): ObjectName => ObjectName.parse(`outputs/${jobId}`);

export function resultsName(jobId: JobId, version: number, part: string): ObjectName {
  return ObjectName.parse(`${outputsFolder(jobId)}/${version}/${part}`);
}
export const outputPart = (index: number): string => `output${index}`;

/** Where an output of a version lies. */
export function partOf(jobId: JobId, { version, parts }: ResultsDescription, output: number): ObjectName {
  return parts?.[output] ?? resultsName(jobId, version, outputPart(output));
}

/** The newest version; 1 where none is listed. */
export async function newestVersion(objects: ObjectStore, jobId: JobId): Promise<number> {
  return (await readVersions(objects, jobId)).at(-1)?.version ?? 1;
}

/** Written last: a version exists when its description does, and is listed after that. */
export async function writeResults(
  objects: ObjectStore,
  jobId: JobId,
  description: ResultsDescription,
  entry: VersionEntry,
): Promise<void> {
  await objects.put(resultsName(jobId, description.version, "description"), json(description));
  const others = (await readVersions(objects, jobId)).filter(({ version }) => version !== entry.version);
  await objects.put(versionsName(jobId), json([...others, entry]));
}

/** Oldest first; empty before there are results. */
export async function readVersions(objects: ObjectStore, jobId: JobId): Promise<VersionEntry[]> {
  if (!(await objects.stat(versionsName(jobId)))) return [];
  return Versions.parse(parse(await objects.read(versionsName(jobId))));
}

export async function readResults(objects: ObjectStore, jobId: JobId, version: number): Promise<ResultsDescription> {
  const name = resultsName(jobId, version, "description");
  if (!(await objects.stat(name))) {
    throw new FluxError("not_found", `There is no version ${version} of this job's results.`, { param: "version" });
  }
  return ResultsDescription.parse(parse(await objects.read(name)));
}

/** How the newest results came about, and which versions there are; null before there are any. */
export async function readAggregation(objects: ObjectStore, jobId: JobId): Promise<JobAggregation | null> {
  const versions = await readVersions(objects, jobId);
  const newest = versions.at(-1);
  if (!newest) return null;
  const { report } = await readResults(objects, jobId, newest.version);
  if (!report) return null;
  return {
    version: newest.version,
    versions: versions.map(({ version, reducer, labels, createdAtMs }) => ({
      version,
      reducer,
      labels,
      created_at: new Date(createdAtMs).toISOString(),
    })),
    report,
  };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
