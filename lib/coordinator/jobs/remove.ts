/** Everything of a job that has ended: rows, results, ciphertexts, and the blobs that only it used. */
import { FluxError } from "#lib/protocol/errors.ts";
import type { Digest } from "#lib/protocol/ids.ts";
import { type BlobStore, ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { JobRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { removeJobFiles } from "../encrypted/job-file.ts";
import { isEnded } from "./lifecycle.ts";
import { removeRecipe } from "./recipe.ts";
import { outputsFolder } from "./results.ts";

export interface JobRemoval {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
}

/** @throws FluxError conflict while it has not ended */
export async function removeJob({ store, blobs, objects }: JobRemoval, job: JobRecord): Promise<void> {
  if (!isEnded(job.status)) throw new FluxError("conflict", `The job is ${job.status}: cancel it first.`);
  const stages = await store.stages.ofJob(job.id);
  const digests = new Set<Digest>(
    stages.flatMap(({ specDigest, definition }) => [specDigest, ...definition.artefacts.map(({ digest }) => digest)]),
  );
  await store.jobs.remove(job.tenantId, job.id);
  await objects.removeAll(outputsFolder(job.id));
  await removeJobFiles(objects, job.id);
  await removeRecipe(objects, job.id);
  for (const { id } of stages) await objects.removeAll(ObjectName.parse(`results/${id}`));
  for (const digest of digests) if (!(await store.files.refersTo(digest))) await blobs.remove(digest);
}
