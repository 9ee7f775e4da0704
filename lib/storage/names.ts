/** Names in the object store: one place, so that what is written can be found and deleted. */
import type { DatasetId, MicrotaskId, StageId } from "#lib/protocol/ids.ts";
import { ObjectName } from "./objects.ts";

/** One large result. The fence is in the name: two attempts at one microtask never write the same object. */
export const resultObject = (stageId: StageId, microtaskId: MicrotaskId, fence: number): ObjectName =>
  ObjectName.parse(`results/${stageId}/${microtaskId}.${fence}`);

/** A normalised dataset: one object per section, all under one name. */
export const datasetObjects = (datasetId: DatasetId): ObjectName => ObjectName.parse(`datasets/${datasetId}`);
export const datasetSection = (dataset: ObjectName, section: string): ObjectName =>
  ObjectName.parse(`${dataset}/${section}`);
