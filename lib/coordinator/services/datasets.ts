/** Datasets: an uploaded file, read once in its own thread into normalised sections, answered with what was understood. */
import { imagesOfModel } from "#lib/dataset/images-of-model.ts";
import type { CreateDataset, DatasetResource } from "#lib/protocol/api/uploads.ts";
import { DatasetDescription } from "#lib/protocol/datasets.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DatasetId, FileId, ModelId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";
import { datasetObjects } from "#lib/storage/names.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import type { DatasetRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Identity } from "../identity.ts";
import type { IngestInput } from "../isolated/ingest-dataset.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import { cleanName } from "./names.ts";

export interface DatasetService {
  create(caller: Identity, request: CreateDataset): Promise<DatasetResource>;
  get(caller: Identity, id: DatasetId): Promise<DatasetResource>;
  list(caller: Identity, page: PageRequest<DatasetId>): Promise<Page<DatasetResource>>;
  remove(caller: Identity, id: DatasetId): Promise<void>;
}

export interface DatasetServiceOptions {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  /** The disk object store's folder, which the ingesting thread opens itself. */
  readonly objectsFolder: string;
  readonly now: () => number;
}

const INGEST = new URL("../isolated/ingest-dataset.ts", import.meta.url);
const LIMITS: Isolation = {
  // The slowest reader takes in about 10 MB/s, so this is some gigabytes.
  timeMs: 600_000,
  heapMiB: 1024,
  onLimit: {
    code: "dataset_too_large",
    detail: "Reading the dataset took more time or memory than is allowed. Split it, or send it as NPY or CSV.",
  },
};

export function createDatasetService(options: DatasetServiceOptions): DatasetService {
  const { store, blobs, objects, objectsFolder, now } = options;
  return {
    async create(caller, request) {
      const file = await datasetFile(store, caller, request.file_id);
      const path = blobs.path(file.sha256);
      if (path === undefined) throw new Error("datasets are read from blobs on this machine's disk");
      const id = freshId("dst");
      const objectName = datasetObjects(id);
      const input: IngestInput = {
        path,
        fileName: file.filename,
        request,
        modelImages: request.model ? await imagesFor(store, caller, request.model) : null,
        objectsFolder,
        objectName,
      };
      try {
        const description = DatasetDescription.parse(await runIsolated(INGEST, input, LIMITS));
        const record: DatasetRecord = {
          id,
          tenantId: caller.tenantId,
          fileId: file.id,
          name: request.name ?? cleanName(file.filename),
          format: description.format,
          records: description.records,
          objectName,
          description,
          createdAtMs: now(),
        };
        await store.datasets.insert(record);
        return datasetResource(record);
      } catch (error) {
        await objects.removeAll(objectName);
        throw error;
      }
    },
    get: async (caller, id) => datasetResource(await store.datasets.get(caller.tenantId, id)),
    async list(caller, page) {
      const { items, hasMore } = await store.datasets.list(caller.tenantId, page);
      return { items: items.map(datasetResource), hasMore };
    },
    async remove(caller, id) {
      const { objectName } = await store.datasets.get(caller.tenantId, id);
      await store.datasets.remove(caller.tenantId, id);
      await objects.removeAll(objectName);
    },
  };
}

async function imagesFor(store: Store, caller: Identity, model: ModelId) {
  return imagesOfModel((await store.models.get(caller.tenantId, model)).details.inputs);
}

async function datasetFile(store: Store, caller: Identity, id: FileId) {
  const file = await store.files.get(caller.tenantId, id);
  if (file.purpose === "dataset") return file;
  throw new FluxError(
    "invalid_request",
    `${id} was uploaded as a ${file.purpose}: upload it again with purpose=dataset.`,
    {
      param: "file_id",
    },
  );
}

function datasetResource(record: DatasetRecord): DatasetResource {
  const { description } = record;
  return {
    id: record.id,
    object: "dataset",
    name: record.name,
    format: record.format,
    file_id: record.fileId,
    records: record.records,
    features: description.arrays.map(({ name, dtype, shape }) => ({ name, datatype: dtype, shape: [-1, ...shape] })),
    columns: description.columns,
    preview: description.preview.slice(0, 5),
    preprocessing: description.preprocessing,
    warnings: description.warnings,
    created_at: new Date(record.createdAtMs).toISOString(),
  };
}
