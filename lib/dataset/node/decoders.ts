/** What Node decodes with: sharp for images, zlib for Parquet pages. */
import { brotliDecompressSync, zstdDecompressSync } from "node:zlib";
import { DATASET_LIMITS } from "../../protocol/limits.ts";
import type { Decoders, WantedImage } from "../context.ts";

const FIT = { stretch: "fill", cover: "cover", contain: "contain" } as const;

export const nodeDecoders: Decoders = {
  image: decodeImage,
  zstd: (packed, bytes) => zstdDecompressSync(packed, { maxOutputLength: bytes }),
  brotli: (packed, bytes) => brotliDecompressSync(packed, { maxOutputLength: bytes }),
};

/** Transparent pixels are shown on black; resizing is bilinear, as browsers do it. */
async function decodeImage(file: Uint8Array<ArrayBuffer>, wanted: WantedImage): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await loadSharp();
  const image = sharp(file, { limitInputPixels: DATASET_LIMITS.imagePixels, failOn: "error", sequentialRead: true })
    .autoOrient()
    .flatten({ background: "black" })
    .resize(wanted.width, wanted.height, { fit: FIT[wanted.fit], background: "black", kernel: "linear" });
  const coloured = wanted.channels === "grey" ? image.greyscale() : image.toColourspace("srgb");
  const { data, info } = await coloured.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const channels = wanted.channels === "grey" ? 1 : 3;
  if (info.channels !== channels) throw new RangeError(`${info.channels} channels`);
  return new Uint8Array(data);
}

/** By the first image: sharp takes 0.1 s and 25 MB that a CSV does not need. */
async function loadSharp() {
  const { default: sharp } = await import("sharp");
  // No image comes twice, and the cache keeps four progressive 50-megapixel JPEGs at 666 MB where one takes 233.
  sharp.cache(false);
  return sharp;
}
