/**
 * A zip of images (PNG, JPEG, WebP): one record an image, in archive order, with the entry's name as its id. Pixels are stored as
 * bytes 0..255; size, channels, layout and scale are what the submitter states, or the first image's own.
 */
import type { ColumnInfo, ImageSpec } from "../protocol/datasets.ts";
import { FluxError, isFluxError } from "../protocol/errors.ts";
import { DATASET_LIMITS } from "../protocol/limits.ts";
import { arrayWriter } from "./array-writer.ts";
import { joined } from "./byte-stream.ts";
import type { ImageDecoder, IngestContext, Ingested } from "./context.ts";
import { type ImageHeader, imageHeader } from "./image-size.ts";
import { idWriter, labelWriter } from "./labels.ts";
import type { ByteSource } from "./source.ts";
import { openEntry, readZipDirectory, shown, type ZipEntry } from "./zip.ts";

/** Decoded side by side; decoders work on threads of their own. */
const CONCURRENT = 4;
/** A progressive JPEG takes some 4 bytes a pixel while it is decoded. */
const CONCURRENT_PIXELS = 8 * 1024 * 1024;

interface Decoded {
  readonly entry: ZipEntry;
  readonly pixels: Uint8Array<ArrayBuffer>;
}

export async function readImages(context: IngestContext): Promise<Ingested> {
  const { source, preprocessing, sink, decoders, warnings } = context;
  const entries = imageEntries(await readZipDirectory(source), warnings);
  const decode = decoders.image;
  if (!decode) throw new FluxError("unsupported_media_type", "Images are not decoded here: upload them as NPY.");
  const { first, spec } = await imageSpec(context, entries);
  const channels = spec.channels === "grey" ? 1 : 3;
  const shape = spec.layout === "chw" ? [channels, spec.height, spec.width] : [spec.height, spec.width, channels];
  const inner = spec.layout === "chw" ? spec.height * spec.width : 1;
  const setup = {
    name: "images",
    section: "array0",
    shape,
    scale: spec.scale ?? preprocessing.scale ?? 1,
    offset: spec.offset ?? preprocessing.offset ?? 0,
    inner,
    columns: null,
  };
  checkChannels(setup, channels);
  if (channels * spec.height * spec.width > DATASET_LIMITS.recordElements) {
    throw new FluxError(
      "dataset_too_large",
      `${spec.width} × ${spec.height} pixels of ${channels} channels are more than ${DATASET_LIMITS.recordElements} values: state the ` +
        `size that your model wants, preprocessing.images = {"width": 224, "height": 224, "fit": "cover", "channels": "rgb", "layout": "chw"}.`,
      { param: "images" },
    );
  }
  const writer = arrayWriter(sink, setup, "UINT8");
  const ids = idWriter(sink, "file");
  const labels = spec.label === "folder" ? labelWriter(sink, "folder", statedClasses(context)) : null;
  const stated = (preprocessing.images ?? context.modelImages) !== undefined;

  let group: Promise<Decoded>[] = [];
  let groupPixels = 0;
  async function drain(): Promise<void> {
    for (const { entry, pixels } of await Promise.all(group)) {
      await writer.writeStored(arranged(pixels, spec, channels));
      ids.add(entry.name, `"${shown(entry.name)}"`);
      labels?.addText(folderOf(entry), `"${shown(entry.name)}"`);
    }
    await ids.flush(false);
    await labels?.flush(false);
    group = [];
    groupPixels = 0;
  }

  for (const entry of entries) {
    const file = await entryBytes(source, entry);
    const header = checkedHeader(entry, file);
    if (!stated) checkSameSize(entry, header, first);
    const pixels = header.width * header.height;
    if (group.length === CONCURRENT || (group.length > 0 && groupPixels + pixels > CONCURRENT_PIXELS)) await drain();
    groupPixels += pixels;
    group.push(decodeEntry(decode, entry, file, spec, channels).then((decoded) => ({ entry, pixels: decoded })));
  }
  await drain();
  await ids.flush(true);
  await labels?.flush(true);
  return {
    records: entries.length,
    arrays: [writer],
    columns: columnsOf(labels !== null),
    labels,
    ids,
    understood: { images: spec },
  };
}

/** As stated, else as the model reads them, else the first image's own. */
export async function imageSpec(context: IngestContext, entries: readonly ZipEntry[]) {
  const { source, preprocessing, modelImages, warnings } = context;
  const first = checkedHeader(entries[0]!, await entryBytes(source, entries[0]!));
  const spec = preprocessing.images ?? (modelImages ? modelSpec(modelImages, warnings) : ownSpec(first, warnings));
  return { first, spec };
}

export function imageEntries(entries: readonly ZipEntry[], warnings: string[]): ZipEntry[] {
  const images = entries.filter(({ name }) => /\.(png|jpe?g|webp)$/i.test(name) && !/(^|\/)(\.|__MACOSX\/)/.test(name));
  if (images.length === 0) {
    throw new FluxError(
      "dataset_empty",
      "The zip holds no .png, .jpg or .webp images (and no .npy arrays): put the files in directly.",
    );
  }
  const others = entries.length - images.length;
  if (others > 0) warnings.push(`${others} entries of the zip that are no images are left out.`);
  return images;
}

function modelSpec(spec: ImageSpec, warnings: string[]): ImageSpec {
  const { width, height, channels, layout } = spec;
  warnings.push(
    `Images are brought to ${width} × ${height} ${channels}, channels ${layout === "chw" ? "first" : "last"}, as the model reads them, values 0 to 255. ` +
      `If it was trained on scaled values, state scale and offset (or mean and std).`,
  );
  return spec;
}

/** Without a statement the images' own size is taken, which then has to be the same for all. */
function ownSpec(first: ImageHeader, warnings: string[]): ImageSpec {
  const channels = first.grey ? "grey" : "rgb";
  warnings.push(
    `Images are taken as ${first.width} × ${first.height} ${channels}, channels first, values 0 to 255. ` +
      `If the model was trained otherwise, state preprocessing.images (width, height, fit, channels, layout, scale, offset).`,
  );
  return { width: first.width, height: first.height, fit: "stretch", channels, layout: "chw" };
}

async function entryBytes(source: ByteSource, entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> {
  if (entry.bytes > DATASET_LIMITS.imageBytes) {
    throw new FluxError(
      "dataset_too_large",
      `"${shown(entry.name)}" has ${entry.bytes} bytes, an image at most ${DATASET_LIMITS.imageBytes}: make it smaller.`,
    );
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of openEntry(source, entry)) parts.push(part);
  return joined(parts);
}

function checkedHeader(entry: ZipEntry, file: Uint8Array): ImageHeader {
  const header = imageHeader(file);
  if (!header) {
    throw new FluxError(
      "dataset_unreadable",
      `"${shown(entry.name)}" is not a PNG, JPEG or WebP image: convert it or leave it out.`,
    );
  }
  const { width, height } = header;
  const side = DATASET_LIMITS.imageSidePixels;
  if (width < 1 || height < 1 || width > side || height > side || width * height > DATASET_LIMITS.imagePixels) {
    throw new FluxError(
      "dataset_unsafe",
      `"${shown(entry.name)}" is ${width} × ${height} pixels, at most ${side} on a side and ${DATASET_LIMITS.imagePixels} together are decoded: make it smaller.`,
    );
  }
  return header;
}

function checkSameSize(entry: ZipEntry, header: ImageHeader, first: ImageHeader): void {
  if (header.width === first.width && header.height === first.height) return;
  throw new FluxError(
    "dataset_ragged",
    `"${shown(entry.name)}" is ${header.width} × ${header.height}, the first image ${first.width} × ${first.height}: state the size that all are brought to, ` +
      `preprocessing.images = {"width": …, "height": …, "fit": "cover", "channels": "rgb", "layout": "chw"}.`,
  );
}

async function decodeEntry(
  decode: ImageDecoder,
  entry: ZipEntry,
  file: Uint8Array<ArrayBuffer>,
  spec: ImageSpec,
  channels: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const pixels = await decode(file, spec);
    if (pixels.byteLength === spec.width * spec.height * channels) return pixels;
    throw new RangeError(`${pixels.byteLength} bytes of pixels`);
  } catch (cause) {
    if (isFluxError(cause)) throw cause;
    throw new FluxError("dataset_unreadable", `"${shown(entry.name)}" is damaged: replace the image or leave it out.`, {
      cause,
    });
  }
}

/** From [height, width, channels] in RGB to the stated order and layout. */
function arranged(pixels: Uint8Array<ArrayBuffer>, spec: ImageSpec, channels: number): Uint8Array<ArrayBuffer> {
  if (channels === 1 || (spec.layout === "hwc" && spec.channels === "rgb")) return pixels;
  const plane = spec.width * spec.height;
  const out = new Uint8Array(pixels.length);
  for (let channel = 0; channel < channels; channel++) {
    const from = spec.channels === "bgr" ? channels - 1 - channel : channel;
    const [step, base] = spec.layout === "chw" ? [1, channel * plane] : [channels, channel];
    for (let pixel = 0; pixel < plane; pixel++) out[base + pixel * step] = pixels[pixel * channels + from]!;
  }
  return out;
}

function folderOf({ name }: ZipEntry): string {
  return name.split("/").at(-2) ?? "";
}

function statedClasses({ preprocessing }: IngestContext): readonly string[] | null {
  const encoding = preprocessing.columns?.find(({ use }) => use === "label")?.encoding;
  return encoding?.kind === "ordinal" ? encoding.categories : null;
}

function checkChannels(
  { scale, offset }: { scale: number | number[]; offset: number | number[] },
  channels: number,
): void {
  for (const [name, entries] of [
    ["scale", scale],
    ["offset", offset],
  ] as const) {
    if (typeof entries === "number" || entries.length === 1 || entries.length === channels) continue;
    throw new FluxError(
      "invalid_request",
      `${name} has ${entries.length} entries for ${channels} channels: state one number, or one per channel.`,
    );
  }
}

function columnsOf(labelled: boolean): ColumnInfo[] {
  const empty = { encoding: null, missing: 0, min: null, max: null };
  return [
    { name: "images", datatype: "tensor", role: "feature", ...empty },
    { name: "file", datatype: "text", role: "id", ...empty },
    ...(labelled ? [{ name: "folder", datatype: "category" as const, role: "label" as const, ...empty }] : []),
  ];
}
