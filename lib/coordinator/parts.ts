/** Opens what the coordinator consists of, in the order in which the parts need each other, and closes it in reverse. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "#lib/storage/disk/blobs.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import type { BlobStore, ObjectStore } from "#lib/storage/objects.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Config } from "./config.ts";
import { createFirstKey } from "./identity.ts";
import type { Log } from "./log.ts";
import { openApiDocument } from "./rest/openapi.ts";
import type { Route } from "./rest/route.ts";
import { createRest, type Rest } from "./rest/router.ts";
import { accessRoutes } from "./rest/routes/access.ts";
import { datasetRoutes } from "./rest/routes/datasets.ts";
import { fileRoutes } from "./rest/routes/files.ts";
import { metaRoutes } from "./rest/routes/meta.ts";
import { modelRoutes } from "./rest/routes/models.ts";
import { createDatasetService, type DatasetService } from "./services/datasets.ts";
import { createFileService, type FileService } from "./services/files.ts";
import { createModelService, type ModelService } from "./services/models.ts";

export interface Services {
  readonly files: FileService;
  readonly models: ModelService;
  readonly datasets: DatasetService;
}

export interface Parts {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly services: Services;
  readonly routes: readonly Route[];
  readonly rest: Rest;
  /** Shown once, at the very first start. */
  readonly firstKey: string | undefined;
  readonly close: () => Promise<void>;
}

export async function openParts(config: Config, log: Log, now: () => number): Promise<Parts> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  const store = openSqliteStore(join(config.dataFolder, "flux.sqlite"));
  const blobs = openDiskBlobs(config.dataFolder);
  const objects = openDiskObjects(config.dataFolder);
  const firstKey = await createFirstKey(store, now());

  const services: Services = {
    files: createFileService(store, blobs, now),
    models: createModelService(store, blobs, now),
    datasets: createDatasetService({ store, blobs, objects, objectsFolder: config.dataFolder, now }),
  };
  const routes: Route[] = [
    ...fileRoutes(services.files),
    ...modelRoutes(services.models),
    ...datasetRoutes(services.datasets),
    ...accessRoutes({ store, now, secure: config.publicUrl?.startsWith("https:") ?? false }),
    ...metaRoutes(() => document),
  ];
  const document = openApiDocument(routes);
  const rest = createRest({ routes, store, log, now });

  return { store, blobs, objects, services, routes, rest, firstKey, close: () => store.close() };
}
