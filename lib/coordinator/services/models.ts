/** Models: an uploaded file, inspected in its own thread, answered with what was understood of it. */
import { z } from "zod";
import { type CreateModel, ModelFormat, type ModelResource } from "#lib/protocol/api/uploads.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { FileId, ModelId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { BlobStore } from "#lib/storage/objects.ts";
import { ModelDetails, type ModelRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Identity } from "../identity.ts";
import { type Isolation, runIsolated } from "../isolated/run.ts";
import { runtimesOf } from "../jobs/runtimes.ts";
import { cleanName } from "./names.ts";

export interface ModelService {
  create(caller: Identity, request: CreateModel): Promise<ModelResource>;
  get(caller: Identity, id: ModelId): Promise<ModelResource>;
  list(caller: Identity, page: PageRequest<ModelId>): Promise<Page<ModelResource>>;
  remove(caller: Identity, id: ModelId): Promise<void>;
}

const INSPECT = new URL("../isolated/inspect-model.ts", import.meta.url);
const LIMITS: Isolation = {
  timeMs: 120_000,
  heapMiB: 1024,
  onLimit: {
    code: "model_too_large",
    detail:
      "Reading the model took more time or memory than files of its size need: it is damaged or made to do so. Save it again, or simplify it (onnxsim).",
  },
};
/**
 * Half a gigabyte of weights takes about 2 s, a small file some 100 ms; what takes longer is made to take long: the HDF5 library
 * goes round in circles on a heap whose sizes lie.
 */
const CPU_MS = 1_200;
const CPU_MS_PER_MIB = 50;
const Inspection = z.object({
  format: ModelFormat,
  details: ModelDetails.omit({ tfjs: true }),
  onnx: z.instanceof(Uint8Array).nullable(),
  tfjs: z.object({ format: z.enum(["layers", "graph"]), bytes: z.instanceof(Uint8Array) }).nullable(),
});

export function createModelService(store: Store, blobs: BlobStore, now: () => number): ModelService {
  return {
    async create(caller, request) {
      const file = await fileOf(store, caller, request.file_id);
      const path = blobs.path(file.sha256);
      const source = path === undefined ? { bytes: await blobs.read(file.sha256) } : { path };
      const limits = { ...LIMITS, cpuMs: CPU_MS + (CPU_MS_PER_MIB * file.bytes) / 2 ** 20 };
      const inspection = Inspection.parse(await runIsolated(INSPECT, { ...source, filename: file.filename }, limits));
      // A TensorFlow model is kept as what donors run: the ONNX file written from it, and TensorFlow.js' own file.
      const { onnx, tfjs } = inspection;
      const tfjsBlob = tfjs ? await blobs.put([tfjs.bytes]) : null;
      const onnxBlob = onnx ? await blobs.put([onnx]) : null;
      const record: ModelRecord = {
        id: freshId("mdl"),
        tenantId: caller.tenantId,
        fileId: file.id,
        name: request.name ?? cleanName(file.filename),
        format: inspection.format,
        sha256: onnxBlob?.digest ?? tfjsBlob?.digest ?? file.sha256,
        details: {
          ...inspection.details,
          tfjs: tfjs && tfjsBlob ? { digest: tfjsBlob.digest, format: tfjs.format } : null,
        },
        createdAtMs: now(),
      };
      await store.models.insert(record);
      return modelResource(record);
    },
    get: async (caller, id) => modelResource(await store.models.get(caller.tenantId, id)),
    async list(caller, page) {
      const { items, hasMore } = await store.models.list(caller.tenantId, page);
      return { items: items.map(modelResource), hasMore };
    },
    async remove(caller, id) {
      const { sha256, details } = await store.models.get(caller.tenantId, id);
      await store.models.remove(caller.tenantId, id);
      // What was written from a TensorFlow model goes with the last model that is it.
      for (const digest of new Set([sha256, details.tfjs?.digest ?? sha256])) {
        if (!(await store.files.refersTo(digest))) await blobs.remove(digest);
      }
    },
  };
}

async function fileOf(store: Store, caller: Identity, id: FileId) {
  const file = await store.files.get(caller.tenantId, id);
  if (file.purpose === "model") return file;
  throw new FluxError(
    "invalid_request",
    `${id} was uploaded as a ${file.purpose}: upload it again with purpose=model.`,
    {
      param: "file_id",
    },
  );
}

function modelResource(record: ModelRecord): ModelResource {
  const { tfjs, ...details } = record.details;
  return {
    id: record.id,
    object: "model",
    name: record.name,
    format: record.format,
    file_id: record.fileId,
    sha256: record.sha256,
    ...details,
    runtimes: runtimesOf(record).map(({ runtime }) => runtime),
    created_at: new Date(record.createdAtMs).toISOString(),
  };
}
