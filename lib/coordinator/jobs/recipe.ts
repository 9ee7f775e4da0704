/** A job's recipe (lib/protocol/api/recipe.ts): worked out once, kept as an object beside the job's results. */
import { bindInputs } from "#lib/dataset/bind.ts";
import { modelInputs } from "#lib/dataset/model-inputs.ts";
import { segmentDataset } from "#lib/dataset/segmented.ts";
import type { CreateJob } from "#lib/protocol/api/jobs.ts";
import { Recipe } from "#lib/protocol/api/recipe.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { ObjectName, type ObjectStore } from "#lib/storage/objects.ts";
import type { DatasetRecord, ModelRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";

const folderOf = (jobId: JobId): ObjectName => ObjectName.parse(`recipes/${jobId}`);
const nameOf = (jobId: JobId): ObjectName => ObjectName.parse(`recipes/${jobId}/recipe`);

/** @throws FluxError dataset_mismatch, model_unsupported as planning does */
export async function recipeOf(
  store: Store,
  request: CreateJob,
  models: readonly ModelRecord[],
  dataset: DatasetRecord,
): Promise<Recipe> {
  const [first] = models;
  if (!first) throw new Error("a job has at least one model");
  const { description } = dataset;
  const named = { name: first.name, inputs: first.details.inputs };
  // Models read segments where records are cut.
  const cut = segmentDataset(description, request.segments).description;
  const { inputs, notes } = bindInputs(cut, modelInputs(named), { inputs: request.inputs });
  const digestOf = async ({ fileId }: ModelRecord | DatasetRecord) => (await store.files.get(SYSTEM, fileId)).sha256;
  return {
    version: 1,
    models: await Promise.all(
      models.map(async (model) => ({
        id: model.id,
        name: model.name,
        format: model.format,
        file_sha256: await digestOf(model),
      })),
    ),
    dataset: {
      id: dataset.id,
      name: dataset.name,
      format: dataset.format,
      records: dataset.records,
      file_sha256: await digestOf(dataset),
      preprocessing: description.preprocessing,
    },
    segments: request.segments ?? null,
    inputs: inputs.map(({ name, array, columns, stored, model, scale, offset, inner }) => {
      const names = cut.arrays.find((candidate) => candidate.name === array)?.columns ?? null;
      return {
        input: name,
        array,
        columns: names && columns ? columns.map((column) => names[column]!) : names,
        stored: stored.dtype,
        datatype: model.dtype,
        shape: [...model.shape],
        scale,
        offset,
        ...(inner === undefined ? {} : { inner }),
      };
    }),
    notes: [...notes],
  };
}

export async function writeRecipe(objects: ObjectStore, jobId: JobId, recipe: Recipe): Promise<void> {
  await objects.put(nameOf(jobId), new TextEncoder().encode(JSON.stringify(recipe)));
}

/** Null where there is none: the submitter's custody keeps it at home. */
export async function readRecipe(objects: ObjectStore, jobId: JobId): Promise<Recipe | null> {
  if (!(await objects.stat(nameOf(jobId)))) return null;
  return Recipe.parse(JSON.parse(new TextDecoder().decode(await objects.read(nameOf(jobId)))));
}

export const removeRecipe = (objects: ObjectStore, jobId: JobId): Promise<void> => objects.removeAll(folderOf(jobId));
