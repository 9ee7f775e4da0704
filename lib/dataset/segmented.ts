/**
 * A dataset whose records are cut into segments, seen as a dataset of its own: unit `record · segments + segment` is one
 * segment. Models are bound to it, payloads and ciphertexts are made from it, as from any dataset; only aggregation knows that
 * several of its rows belong together.
 */
import type { DatasetDescription, SegmentSpec, StoredArray } from "../protocol/datasets.ts";
import { decodeInput } from "../protocol/decode.ts";
import { FluxError } from "../protocol/errors.ts";
import { DTYPE_BYTES } from "../protocol/tensors.ts";
import type { DatasetReader } from "./reader.ts";
import { cutSegments, planSegments, type SegmentPlan } from "./segments.ts";

export interface SegmentedDataset {
  /** Of the segments: `records · segments` rows of the segment's shape, without labels and ids. */
  readonly description: DatasetDescription;
  /** Segments of a record. */
  readonly segments: number;
  /** Null where records are computed whole. */
  readonly plan: SegmentPlan | null;
}

/**
 * How a dataset looks to the models of a job.
 * @throws FluxError dataset_mismatch where its records cannot be cut so
 */
export function segmentDataset(dataset: DatasetDescription, spec: SegmentSpec | undefined): SegmentedDataset {
  if (!spec) return { description: dataset, segments: 1, plan: null };
  const array = onlyArray(dataset);
  const plan = planSegments(array.shape, spec);
  const segments = plan.segments.length;
  const units = dataset.records * segments;
  const cut: StoredArray = { ...array, shape: [...plan.shape], columns: null };
  return {
    description: { ...dataset, records: units, arrays: [cut], label: null, id: null, preview: [] },
    segments,
    plan,
  };
}

/** Reads segments of the dataset that `reader` reads. */
export function openSegments(reader: DatasetReader, { description, segments, plan }: SegmentedDataset): DatasetReader {
  if (!plan) return reader;
  const array = onlyArray(reader.description);
  const bytesEach = DTYPE_BYTES[array.dtype];
  const unitBytes = plan.shape.reduce((product, axis) => product * axis, bytesEach);
  const whole = { ...array, columns: null, stored: { name: array.name, dtype: array.dtype, shape: [...array.shape] } };

  async function readStored(start: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (count === 0) return new Uint8Array(0);
    const first = Math.floor(start / segments);
    const records = Math.ceil((start + count) / segments) - first;
    const binding = { ...whole, array: array.name, model: whole.stored };
    const cut = cutSegments(plan!, await reader.readStored(binding, first, records), bytesEach, records);
    const from = (start - first * segments) * unitBytes;
    return cut.slice(from, from + count * unitBytes);
  }

  return {
    description,
    readStored: (binding, start, count) => {
      if (binding.columns !== null) throw columnsOfSegments();
      return readStored(start, count);
    },
    async readInput(binding, start, count) {
      return decodeInput(binding, await readStored(start, count), count);
    },
    readLabels: async () => null,
    readIds: async (start, count) => Array.from({ length: count }, (_, i) => String(start + i)),
    findIds: async () => new Map(),
  };
}

function onlyArray(dataset: DatasetDescription): StoredArray {
  const [array, ...others] = dataset.arrays;
  if (!array || others.length > 0) {
    throw new FluxError(
      "dataset_mismatch",
      `Segments are cut from datasets with one array; this one has ${dataset.arrays.length}. Leave "segments" out, or upload the array alone.`,
      { param: "segments" },
    );
  }
  if (typeof array.scale !== "number" || typeof array.offset !== "number") {
    throw new FluxError(
      "dataset_mismatch",
      "Segments are cut from arrays with one scale and one offset: this one has several. Scale the values before uploading.",
      { param: "segments" },
    );
  }
  return array;
}

function columnsOfSegments(): FluxError {
  return new FluxError("dataset_mismatch", 'Inputs of a job with segments cannot name "columns": a segment is whole.', {
    param: "inputs",
  });
}
