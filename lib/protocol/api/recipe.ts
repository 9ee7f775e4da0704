/**
 * What a job's results were made of: the files by digest, how the dataset was read, which of its parts fed which input. Fixed when the
 * job is made, so that the results can be made again, here or elsewhere.
 */
import { z } from "zod";
import { DatasetFormat, Preprocessing, SegmentSpec } from "../datasets.ts";
import { Affine } from "../decode.ts";
import { DatasetId, Digest, ModelId } from "../ids.ts";
import { Dtype } from "../tensors.ts";
import { ModelFormat } from "./uploads.ts";

/** An input reads `stored · scale + offset`. */
export const InputReading = z.object({
  input: z.string(),
  array: z.string(),
  /** Of a table, in the order in which the input reads them; null for other arrays. */
  columns: z.array(z.string()).nullable(),
  stored: Dtype,
  /** As the model reads it, without the batch axis. */
  datatype: Dtype,
  shape: z.array(z.int()),
  ...Affine.shape,
});

export const Recipe = z
  .object({
    version: z.literal(1),
    models: z.array(z.object({ id: ModelId, name: z.string(), format: ModelFormat, file_sha256: Digest })),
    dataset: z.object({
      id: DatasetId,
      name: z.string(),
      format: DatasetFormat,
      records: z.int().nonnegative(),
      file_sha256: Digest,
      /** As stated, completed by what was understood from the file: send it again and the same records are read. */
      preprocessing: Preprocessing,
    }),
    /** How records were cut before the models read them; null where they were read whole. */
    segments: SegmentSpec.nullable().default(null),
    inputs: z.array(InputReading),
    /** What was guessed about the inputs, in words. */
    notes: z.array(z.string()),
  })
  .meta({ id: "Recipe" });
export type Recipe = z.infer<typeof Recipe>;
