/** Files, models and datasets as the REST interface shows them. */
import { z } from "zod";
import { ColumnInfo, DatasetFormat, Preprocessing, PreviewRecord } from "../datasets.ts";
import { DatasetId, Digest, FileId, ModelId } from "../ids.ts";
import { Timestamp } from "./common.ts";

export const FilePurpose = z.enum(["model", "dataset", "program"]);
export type FilePurpose = z.infer<typeof FilePurpose>;

/** The fields of a multipart upload. */
export const UploadForm = z.object({
  file: z.string().meta({ format: "binary", description: "The file itself" }),
  purpose: FilePurpose,
});

export const FileResource = z
  .object({
    id: FileId,
    object: z.literal("file"),
    filename: z.string(),
    purpose: FilePurpose,
    bytes: z.int().nonnegative(),
    sha256: Digest,
    created_at: Timestamp,
  })
  .meta({ id: "File" });
export type FileResource = z.infer<typeof FileResource>;

export const TensorInfo = z.object({
  name: z.string(),
  datatype: z.string(),
  /** −1 is an axis that is not fixed (the batch axis). */
  shape: z.array(z.int()),
});
export type TensorInfo = z.infer<typeof TensorInfo>;

export const CreateModel = z.object({ file_id: FileId, name: z.string().trim().min(1).max(120).optional() });
export type CreateModel = z.infer<typeof CreateModel>;

/** What can run a model on donors in a public job. */
export const ModelRuntime = z.enum(["onnxruntime", "tfjs"]);
export type ModelRuntime = z.infer<typeof ModelRuntime>;

export const ModelFormat = z.enum(["onnx", "tfjs-layers", "tfjs-graph", "keras", "savedmodel", "graphdef"]);

export const ModelResource = z
  .object({
    id: ModelId,
    object: z.literal("model"),
    name: z.string(),
    format: ModelFormat,
    file_id: FileId,
    sha256: Digest,
    opset: z.int().nullable(),
    inputs: z.array(TensorInfo),
    outputs: z.array(TensorInfo),
    operators: z.array(z.object({ operator: z.string(), count: z.int().positive() })),
    weights_bytes: z.int().nonnegative(),
    /** In public jobs; a job may name one of them, otherwise the faster one is taken. */
    runtimes: z.array(ModelRuntime).min(1),
    encrypted: z.object({ supported: z.boolean(), reasons: z.array(z.string()) }),
    created_at: Timestamp,
  })
  .meta({ id: "Model" });
export type ModelResource = z.infer<typeof ModelResource>;

export const CreateDataset = z.object({
  file_id: FileId,
  name: z.string().trim().min(1).max(120).optional(),
  format: DatasetFormat.optional(),
  /** Columns that are features, in the order of the model's input; all but label and id when left out. */
  columns: z.array(z.string().max(512)).max(65_536).optional(),
  label_column: z.string().max(512).optional(),
  id_column: z.string().max(512).optional(),
  /** value · scale + offset is what the model reads, e.g. scale 1/255 for images stored 0..255. */
  scale: z.number().optional(),
  offset: z.number().optional(),
  /** The model that will read it: size, channels and layout of images are taken from its input where they are not stated. */
  model: ModelId.optional(),
  /** Everything else that is stated about the data: encodings, fills, image sizes. The fields above win. */
  preprocessing: Preprocessing.optional(),
});
export type CreateDataset = z.infer<typeof CreateDataset>;

export const DatasetResource = z
  .object({
    id: DatasetId,
    object: z.literal("dataset"),
    name: z.string(),
    format: DatasetFormat,
    file_id: FileId,
    records: z.int().nonnegative(),
    features: z.array(TensorInfo),
    columns: z.array(ColumnInfo),
    preview: z.array(PreviewRecord).max(5),
    /** As stated, completed by what was understood from the file. */
    preprocessing: Preprocessing,
    warnings: z.array(z.string()),
    created_at: Timestamp,
  })
  .meta({ id: "Dataset" });
export type DatasetResource = z.infer<typeof DatasetResource>;
