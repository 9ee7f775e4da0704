/** Small datasets made in memory, and their normalised form read back. */
import { type IngestOptions, ingestDataset } from "#lib/dataset/ingest.ts";
import { openDataset } from "#lib/dataset/reader.ts";
import { memorySections } from "#lib/dataset/sections.ts";
import { memorySource } from "#lib/dataset/source.ts";
import type { DatasetDescription } from "#lib/protocol/datasets.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

export async function ingest(content: string | Uint8Array<ArrayBuffer>, options: IngestOptions = {}) {
  const sections = memorySections();
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const description = await ingestDataset(memorySource(bytes), options, sections);
  return { description, sections, reader: openDataset(description, sections) };
}

/** All values of an array as the model reads them, flat. */
export async function values(content: string | Uint8Array<ArrayBuffer>, options: IngestOptions = {}, array = 0) {
  const { description, reader } = await ingest(content, options);
  const stored = description.arrays[array]!;
  const data = await reader.readInput(
    {
      name: stored.name,
      array: stored.name,
      columns: null,
      stored,
      model: { ...stored, dtype: "FP32" },
      scale: stored.scale,
      offset: stored.offset,
      inner: stored.inner,
    },
    0,
    description.records,
  );
  return Array.from(data, Number);
}

export async function refusal(work: Promise<unknown>): Promise<{ code: string; detail: string }> {
  try {
    await work;
  } catch (error) {
    if (isFluxError(error)) return { code: error.code, detail: error.detail };
    throw error;
  }
  throw new Error("it was accepted");
}

export interface NpySpec {
  readonly descr: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
  readonly fortranOrder?: boolean;
}

/** An NPY 1.0 file, byte by byte as the format's description has it. */
export function npy({ descr, shape, data, fortranOrder = false }: NpySpec): Uint8Array<ArrayBuffer> {
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortranOrder ? "True" : "False"}, 'shape': (${axes}), }`;
  const header = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + header.length + data.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

export function bytesOf(view: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export function featureNames(description: DatasetDescription): string[] {
  return description.arrays[0]?.columns ?? [];
}
