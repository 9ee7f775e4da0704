/** What every format's reader is given, and what it gives back. */
import type { ColumnInfo, Preprocessing } from "../protocol/datasets.ts";
import type { ArrayWriter, StoredDtype } from "./array-writer.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { IdWriter, LabelWriter } from "./labels.ts";
import type { SectionSink } from "./sections.ts";
import type { ByteSource } from "./source.ts";

export interface IngestContext {
  readonly source: ByteSource;
  /** File name for errors. */
  readonly name: string;
  readonly preprocessing: Preprocessing;
  readonly sink: SectionSink;
  /** Type for values that come as doubles; null for the narrowest that fits. */
  readonly storeAs: StoredDtype | null;
  readonly warnings: string[];
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
