/** Made-up datasets of a wanted size, by a fixed generator. A block of some megabytes is repeated: readers cannot tell. */
import { createWriteStream } from "node:fs";
import { gzipSync } from "node:zlib";
import { Zip, ZipPassThrough, zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";

export interface Made {
  readonly name: string;
  readonly file: string;
  make(path: string): Promise<void>;
}

export function madeFiles(megabytes: number): Made[] {
  return [
    { name: "CSV, 20 decimals a row", file: "decimals.csv", make: (path) => csv(path, megabytes, 20, decimal) },
    { name: "CSV, 784 pixels a row", file: "pixels.csv", make: (path) => csv(path, megabytes, 784, pixel) },
    { name: "JSONL, 20 decimals a line", file: "decimals.jsonl", make: (path) => jsonl(path, megabytes) },
    {
      name: "CSV in gzip",
      file: "decimals.csv.gz",
      make: (path) => writeAll(path, [gzipSync(csvBlock(20, decimal, 2e5))]),
    },
    { name: "NPY, float32 [n, 784]", file: "floats.npy", make: (path) => writeAll(path, npy("<f4", megabytes, 4)) },
    { name: "NPY, uint8 [n, 28, 28]", file: "pixels.npy", make: (path) => writeAll(path, npy("|u1", megabytes, 1)) },
    { name: "NPZ, deflated uint8", file: "pixels.npz", make: npz },
    { name: "Parquet, 20 doubles, snappy", file: "decimals.parquet", make: parquet },
    { name: "2,000 PNGs of 28 × 28 in a zip", file: "images.zip", make: (path) => images(path, 2_000) },
  ];
}

/** The sizes of issue 6: a 2 GB CSV and 50,000 images. */
export function largeFiles(): Made[] {
  return [
    { name: "CSV of 2 GB", file: "large.csv", make: (path) => csv(path, 2_000, 20, decimal) },
    { name: "50,000 PNGs in a zip", file: "large.zip", make: (path) => images(path, 50_000) },
  ];
}

let state = 1;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
const decimal = () => (random() * 100).toFixed(4);
const pixel = () => (random() < 0.8 ? "0" : String(Math.floor(random() * 256)));

function csvBlock(columns: number, cell: () => string, rows: number): Buffer {
  const lines = Array.from({ length: rows }, () => `${Array.from({ length: columns }, cell).join(",")}\n`);
  return Buffer.from(lines.join(""));
}

function csv(path: string, megabytes: number, columns: number, cell: () => string): Promise<void> {
  const header = Buffer.from(`${Array.from({ length: columns }, (_, i) => `c${i}`).join(",")}\n`);
  return writeAll(path, repeated(header, csvBlock(columns, cell, Math.ceil(8e5 / columns)), megabytes));
}

function jsonl(path: string, megabytes: number): Promise<void> {
  const lines = Array.from({ length: 20_000 }, () => {
    return `${JSON.stringify(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`c${i}`, Number(decimal())])))}\n`;
  });
  return writeAll(path, repeated(Buffer.alloc(0), Buffer.from(lines.join("")), megabytes));
}

function* repeated(header: Buffer, block: Buffer, megabytes: number): Generator<Uint8Array> {
  yield header;
  for (let bytes = 0; bytes < megabytes * 1e6; bytes += block.length) yield block;
}

function* npy(descr: string, megabytes: number, elementBytes: number): Generator<Uint8Array> {
  const records = Math.floor((megabytes * 1e6) / (784 * elementBytes));
  const axes = elementBytes === 1 ? "28, 28" : "784";
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${records}, ${axes}), }`;
  const header = Buffer.alloc(128, " ");
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  header.write(dict, 10);
  header[127] = 10;
  yield header;
  const perBlock = 1_000;
  const block =
    elementBytes === 1
      ? Uint8Array.from({ length: perBlock * 784 }, () => random() * 256)
      : new Uint8Array(Float32Array.from({ length: perBlock * 784 }, random).buffer);
  for (let record = 0; record < records; record += perBlock) {
    yield block.subarray(0, Math.min(perBlock, records - record) * 784 * elementBytes);
  }
}

async function npz(path: string): Promise<void> {
  const array = Buffer.concat([...npy("|u1", 30, 1)].map((part) => Buffer.from(part)));
  await writeAll(path, [zipSync({ "x.npy": array }, { level: 1 })]);
}

async function parquet(path: string): Promise<void> {
  const columnData = Array.from({ length: 20 }, (_, i) => ({
    name: `c${i}`,
    data: Float64Array.from({ length: 200_000 }, () => Number(decimal())),
  }));
  await writeAll(path, [new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 50_000 }))]);
}

async function images(path: string, count: number): Promise<void> {
  const pictures = await Promise.all(
    Array.from({ length: 64 }, () => {
      const pixels = Uint8Array.from({ length: 784 }, () => Number(pixel()));
      return sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
        .toColourspace("b-w")
        .png()
        .toBuffer();
    }),
  );
  const parts: Uint8Array[] = [];
  const zip = new Zip((error, part) => {
    if (error) throw error;
    parts.push(part);
  });
  for (let index = 0; index < count; index++) {
    const entry = new ZipPassThrough(`${index % 10}/${index}.png`);
    zip.add(entry);
    entry.push(new Uint8Array(pictures[index % pictures.length]!), true);
  }
  zip.end();
  await writeAll(path, parts);
}

async function writeAll(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  const out = createWriteStream(path);
  for (const part of parts)
    if (!out.write(part)) await new Promise<void>((resolve) => out.once("drain", () => resolve()));
  await new Promise<void>((resolve, reject) => out.on("error", reject).end(() => resolve()));
}
