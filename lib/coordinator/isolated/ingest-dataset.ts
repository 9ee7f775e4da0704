/** Task: reads an uploaded dataset into sections of the object store and answers its description. */
import { z } from "zod";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { fileSource } from "#lib/dataset/node/files.ts";
import { CreateDataset } from "#lib/protocol/api/uploads.ts";
import { ImageSpec } from "#lib/protocol/datasets.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { objectSink } from "../dataset-sections.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  path: z.string(),
  fileName: z.string(),
  request: CreateDataset,
  modelImages: ImageSpec.nullable(),
  objectsFolder: z.string(),
  objectName: ObjectName,
});
export type IngestInput = z.input<typeof Input>;

await serveTask(async (input) => {
  const { path, fileName, request, modelImages, objectsFolder, objectName } = Input.parse(input);
  const sink = objectSink(openDiskObjects(objectsFolder), objectName);
  await using source = await fileSource(path);
  try {
    const preprocessing = {
      version: 1 as const,
      ...request.preprocessing,
      ...(request.scale === undefined ? {} : { scale: request.scale }),
      ...(request.offset === undefined ? {} : { offset: request.offset }),
    };
    const description = await ingestDataset(
      source,
      {
        fileName,
        preprocessing,
        decoders: nodeDecoders,
        ...(modelImages ? { modelImages } : {}),
        ...(request.format === undefined ? {} : { format: request.format }),
        ...(request.columns === undefined ? {} : { columns: request.columns }),
        ...(request.label_column === undefined ? {} : { labelColumn: request.label_column }),
        ...(request.id_column === undefined ? {} : { idColumn: request.id_column }),
      },
      sink,
    );
    await sink.close();
    return description;
  } catch (error) {
    await sink.abort();
    throw error;
  }
});
