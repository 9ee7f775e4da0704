/**
 * What a dataset is read into, and how: the preprocessing that a submitter states once, and the description that every
 * upload is answered with. Both are plain JSON, stored with the job, so that results can be reproduced.
 */
import { z } from "zod";
import { Affine } from "./decode.ts";
import { DATASET_LIMITS } from "./limits.ts";
import { RecordTensor } from "./tensors.ts";

export const DatasetFormat = z.enum(["csv", "jsonl", "npy", "npz", "parquet", "images"]);
export type DatasetFormat = z.infer<typeof DatasetFormat>;

const Name = z.string().min(1).max(512);
const Categories = z.array(z.string().max(DATASET_LIMITS.categoryChars)).min(1).max(DATASET_LIMITS.categories);

/** How a column's cells become numbers. Text never becomes numbers without one of these being stated. */
export const ColumnEncoding = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("number") }),
  /** 1 for the words in `yes`, 0 for those in `no`. */
  z.object({ kind: z.literal("bool"), yes: Categories, no: Categories }),
  /** The position in the list, one feature. */
  z.object({ kind: z.literal("ordinal"), categories: Categories }),
  /** One feature per category, 1 at the cell's own. */
  z.object({ kind: z.literal("one_hot"), categories: Categories }),
]);
export type ColumnEncoding = z.infer<typeof ColumnEncoding>;

/** `fill` is a cell's text as it would stand in the file: "0", "12.5" or a category. */
export const MissingValues = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("error") }),
  z.object({ kind: z.literal("fill"), fill: z.string().max(512) }),
]);
export type MissingValues = z.infer<typeof MissingValues>;

export const ColumnUse = z.enum(["feature", "label", "id", "ignore"]);
export type ColumnUse = z.infer<typeof ColumnUse>;

export const ColumnSpec = z.object({
  name: Name,
  use: ColumnUse.optional(),
  encoding: ColumnEncoding.optional(),
  missing: MissingValues.optional(),
  /** The model reads number · scale + offset; (x − mean) / std is scale 1/std, offset −mean/std. */
  scale: z.number().optional(),
  offset: z.number().optional(),
});
export type ColumnSpec = z.infer<typeof ColumnSpec>;

/** For arrays with a name: those of an NPZ, nested lists of a JSONL field; "features" where a file has just one. */
export const ArraySpec = z.object({ name: Name, use: ColumnUse.optional(), ...Affine.partial().shape });
export type ArraySpec = z.infer<typeof ArraySpec>;

export const ImageSpec = z.object({
  width: z.int().min(1).max(DATASET_LIMITS.imageSidePixels),
  height: z.int().min(1).max(DATASET_LIMITS.imageSidePixels),
  /** stretch: to the size, whatever the aspect; cover: fill and cut the middle out; contain: whole, on black. */
  fit: z.enum(["stretch", "cover", "contain"]),
  channels: z.enum(["grey", "rgb", "bgr"]),
  layout: z.enum(["chw", "hwc"]),
  /** One number, or one per channel in the order of `channels`; the stored values are 0..255. */
  scale: Affine.shape.scale.optional(),
  offset: Affine.shape.offset.optional(),
  /** folder: cats/1.png has the label "cats". */
  label: z.enum(["none", "folder"]).optional(),
});
export type ImageSpec = z.infer<typeof ImageSpec>;

export const Preprocessing = z.object({
  version: z.literal(1),
  csv: z.object({ delimiter: z.enum([",", ";", "\t", "|"]).optional(), header: z.boolean().optional() }).optional(),
  /** The features in the order of the model's input; what is neither here nor label nor id is left out. File order without it. */
  features: z.array(Name).max(DATASET_LIMITS.columns).optional(),
  columns: z.array(ColumnSpec).max(DATASET_LIMITS.columns).optional(),
  arrays: z.array(ArraySpec).max(DATASET_LIMITS.arrays).optional(),
  images: ImageSpec.optional(),
  /** For every feature that states none itself. */
  scale: Affine.shape.scale.optional(),
  offset: Affine.shape.offset.optional(),
});
export type Preprocessing = z.infer<typeof Preprocessing>;

/** One array of the normalised dataset: section `section` holds `records` records of `shape`, little-endian, row-major. */
export const StoredArray = RecordTensor.extend({
  section: z.string(),
  /** What the submitter stated: the model reads stored · scale + offset. */
  ...Affine.shape,
  /** Over all stored values; null without any finite value. */
  min: z.number().nullable(),
  max: z.number().nullable(),
  /** Every stored value is an integer. */
  integer: z.boolean(),
  /** Feature names by position, where the array was made of columns. */
  columns: z.array(z.string()).nullable(),
});
export type StoredArray = z.infer<typeof StoredArray>;

export const ColumnInfo = z.object({
  name: z.string(),
  datatype: z.enum(["int", "float", "bool", "category", "text", "tensor"]),
  role: z.enum(["feature", "label", "id", "ignored"]),
  encoding: ColumnEncoding.nullable(),
  missing: z.int().nonnegative(),
  min: z.number().nullable(),
  max: z.number().nullable(),
});
export type ColumnInfo = z.infer<typeof ColumnInfo>;

export const PreviewRecord = z.object({
  record: z.int().nonnegative(),
  id: z.string(),
  label: z.union([z.string(), z.number()]).nullable(),
  /** What the model will read, after scale and offset; the first values of long arrays. */
  arrays: z.array(z.object({ name: z.string(), shape: z.array(z.int()), values: z.array(z.number().nullable()) })),
});
export type PreviewRecord = z.infer<typeof PreviewRecord>;

export const DatasetDescription = z.object({
  version: z.literal(1),
  format: DatasetFormat,
  records: z.int().nonnegative(),
  /** Values of one record over all arrays. */
  features: z.int().nonnegative(),
  arrays: z.array(StoredArray),
  columns: z.array(ColumnInfo),
  /** Section "labels": one little-endian float64 per record, NaN where it is missing; a position in `classes` if there are any. */
  label: z.object({ name: z.string(), classes: z.array(z.string()).nullable() }).nullable(),
  /** Sections "ids" (UTF-8, back to back) and "ids.ends" (one little-endian uint64 per record: where its id ends). */
  id: z.object({ name: z.string() }).nullable(),
  preview: z.array(PreviewRecord),
  warnings: z.array(z.string()),
  /** As stated, completed by what was understood from the file. */
  preprocessing: Preprocessing,
  /** Sections by name, as handed to the sink. */
  sections: z.array(z.object({ name: z.string(), bytes: z.int().nonnegative() })),
});
export type DatasetDescription = z.infer<typeof DatasetDescription>;

/** A first look at a file, from its beginning only: what a submitter is shown before stating how to read it. */
export const DatasetInspection = z.object({
  format: DatasetFormat,
  columns: z.array(
    z.object({
      name: z.string(),
      datatype: z.enum(["number", "bool", "category", "text", "tensor"]),
      /** Some of its values, as they stand in the file. */
      examples: z.array(z.string()),
      /** Among the sampled records. */
      missing: z.int().nonnegative(),
      /** A spec that would be accepted; the submitter may change it. */
      suggestion: ColumnSpec,
    }),
  ),
  arrays: z.array(RecordTensor),
  sampledRecords: z.int().nonnegative(),
  warnings: z.array(z.string()),
  /** Everything suggested, ready to be sent with POST /datasets. */
  suggestion: Preprocessing,
});
export type DatasetInspection = z.infer<typeof DatasetInspection>;

/** Which array (and which of its columns) feeds a model's input; what is left out is guessed and shown. */
export const InputMapping = z.object({
  input: Name,
  array: Name.optional(),
  columns: z.array(Name).min(1).max(DATASET_LIMITS.columns).optional(),
  ...Affine.partial().shape,
});
export type InputMapping = z.infer<typeof InputMapping>;
export const ColumnMapping = z.object({ inputs: z.array(InputMapping).max(64) });
export type ColumnMapping = z.infer<typeof ColumnMapping>;

/** Pieces of a record that are computed one by one and aggregated to one output (lib/dataset/segments.ts). */
export const SegmentSpec = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("window"),
    length: z.int().min(1),
    stride: z.int().min(1),
    /** The axis that is cut: 0 for [time] and [time, channels]. */
    axis: z.int().min(0).max(7).default(0),
  }),
  z.object({
    kind: z.literal("tile"),
    /** Height and width, or one number for both. */
    size: z.union([z.int().min(1), z.tuple([z.int().min(1), z.int().min(1)])]),
    /** Rows and columns that neighbours share at least. */
    overlap: z.int().min(0).default(0),
  }),
]);
export type SegmentSpec = z.infer<typeof SegmentSpec>;
