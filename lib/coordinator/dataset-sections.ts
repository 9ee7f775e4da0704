/** Normalised datasets in the object store: one object a section, all under the dataset's name. */
import type { SectionReader, SectionSink } from "#lib/dataset/sections.ts";
import { datasetSection } from "#lib/storage/names.ts";
import type { ObjectName, ObjectStore, ObjectWriter } from "#lib/storage/objects.ts";

export function objectSections(objects: ObjectStore, dataset: ObjectName): SectionReader {
  return {
    read: (section, start, length) => objects.read(datasetSection(dataset, section), { offset: start, bytes: length }),
  };
}

export interface ObjectSink extends SectionSink {
  /** Makes every section readable. */
  close(): Promise<void>;
  /** Throws away what was written. */
  abort(): Promise<void>;
}

export function objectSink(objects: ObjectStore, dataset: ObjectName): ObjectSink {
  const writers = new Map<string, ObjectWriter>();

  async function abort(): Promise<void> {
    const open = [...writers.values()];
    writers.clear();
    for (const writer of open) await writer.abort();
  }

  return {
    async write(section, bytes) {
      let writer = writers.get(section);
      if (!writer) {
        writer = await objects.create(datasetSection(dataset, section));
        writers.set(section, writer);
      }
      await writer.append(bytes);
    },
    clear: abort,
    abort,
    async close() {
      for (const writer of writers.values()) await writer.close();
      writers.clear();
    },
  };
}
