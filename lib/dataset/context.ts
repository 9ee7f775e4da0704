/** What every format's reader is given, and what it gives back. */
import type { ColumnInfo, ImageSpec, Preprocessing } from "../protocol/datasets.ts";
import type { ArrayWriter, StoredDtype } from "./array-writer.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IdWriter, LabelWriter } from "./labels.ts";
import type { SectionSink } from "./sections.ts";
import type { ByteSource } from "./source.ts";

/** Pixels `[height, width, channels]` of exactly the wanted size; grey is one channel, the others three. */
export type ImageDecoder = (file: Uint8Array<ArrayBuffer>, wanted: WantedImage) => Promise<Uint8Array<ArrayBuffer>>;
export type WantedImage = Pick<ImageSpec, "width" | "height" | "fit" | "channels">;

/** What Node and browsers do each in their way (node/decoders.ts, browser/decoders.ts). */
export interface Decoders {
  readonly image?: ImageDecoder;
  /** Unpacks to exactly `bytes` or throws. */
  readonly zstd?: (packed: Uint8Array, bytes: number) => Uint8Array;
  readonly brotli?: (packed: Uint8Array, bytes: number) => Uint8Array;
}

export interface IngestContext {
  readonly source: ByteSource;
  /** File name for errors. */
  readonly name: string;
  readonly preprocessing: Preprocessing;
  /** What the model reads, where the preprocessing says nothing of images. */
  readonly modelImages?: ImageSpec;
  readonly sink: SectionSink;
  /** Type for values that come as doubles; null for the narrowest that fits. */
  readonly storeAs: StoredDtype | null;
  readonly warnings: string[];
  readonly decoders: Decoders;
  /** The file from its start, unpacked if it was gzipped; can be called again. */
  open(): ByteStream;
}

export interface Ingested {
  readonly records: number;
  readonly arrays: readonly ArrayWriter[];
  readonly columns: readonly ColumnInfo[];
  readonly labels: LabelWriter | null;
  readonly ids: IdWriter | null;
  /** What the reader found out, to complete the stated preprocessing. */
  readonly understood: Partial<Preprocessing>;
}
