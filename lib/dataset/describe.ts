/** The answer to an upload: what was understood, with the first records as the model will read them. */
import type { DatasetDescription, DatasetFormat, PreviewRecord } from "../protocol/datasets.ts";
import { FluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { elementsPerRecord } from "../protocol/tensors.ts";
import type { IngestContext, Ingested } from "./context.ts";

export function describeDataset(format: DatasetFormat, read: Ingested, context: IngestContext): DatasetDescription {
  if (read.records === 0) {
    throw new FluxError("dataset_empty", `"${context.name}" has no records: upload a file with at least one.`);
  }
  const arrays = read.arrays.map((writer) => writer.finish());
  if (arrays.length === 0) {
    throw new FluxError(
      "dataset_empty",
      `"${context.name}" has no features: every column is the label, the id or ignored. Keep at least one as a feature.`,
    );
  }
  const { labels, ids } = read;
  return {
    version: 1,
    format,
    records: read.records,
    features: arrays.reduce((sum, array) => sum + elementsPerRecord(array), 0),
    arrays,
    columns: [...read.columns],
    label: labels && { name: labels.name, classes: labels.classes ? [...labels.classes] : null },
    id: ids && { name: ids.name },
    preview: preview(read),
    warnings: [...context.warnings, ...classWarning(read)],
    preprocessing: { ...context.preprocessing, ...read.understood },
    sections: [
      ...arrays.map(({ section }, index) => ({ name: section, bytes: read.arrays[index]!.bytes })),
      ...(labels ? [{ name: "labels", bytes: labels.records * 8 }] : []),
      ...(ids
        ? [
            { name: "ids", bytes: ids.bytes },
            { name: "ids.ends", bytes: ids.records * 8 },
          ]
        : []),
    ],
  };
}

function preview({ records, arrays, labels, ids }: Ingested): PreviewRecord[] {
  return Array.from({ length: Math.min(records, DATASET_LIMITS.previewRecords) }, (_, record) => ({
    record,
    id: ids ? ids.preview(record) : String(record),
    label: labels ? labels.preview(record) : null,
    arrays: arrays.map((writer) => {
      const { name, shape } = writer.finish();
      return { name, shape, values: writer.preview(record) };
    }),
  }));
}

/** A model's class 0 has to be the label's class 0: with text labels only the submitter knows the order. */
function classWarning({ labels, understood }: Ingested): string[] {
  const classes = labels?.classes;
  if (!labels || !classes) return [];
  const stated = understood.columns?.find(({ name }) => name === labels.name)?.encoding;
  if (stated && stated.kind !== "number") return [];
  const shown = classes.slice(0, 10).join(", ") + (classes.length > 10 ? ", …" : "");
  return [
    `The label's classes are numbered as they appear: ${shown}. If the model's outputs are in another order, state it: ` +
      `{"name": "${labels.name}", "use": "label", "encoding": {"kind": "ordinal", "categories": […]}}.`,
  ];
}
