/**
 * End-to-end custody reads datasets in the submitter's browser: the same files give the same records there as in Node, from a
 * File, with the browser's own gunzip and image decoder.
 */
import { gzipSync } from "node:zlib";
import { expect, type Page, test } from "@playwright/test";
import { build } from "esbuild";
import { zipSync } from "fflate";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { read } from "./dataset/read.ts";
import type { ReadDataset } from "./dataset/reader.page.ts";

declare const readDataset: ReadDataset;

const pixels = Uint8Array.from({ length: 12 * 8 * 3 }, (_, i) => (i * 37) % 256);
const raw = { raw: { width: 12, height: 8, channels: 3 } } as const;
const colour = await sharp(pixels, raw).png().toBuffer();
const images = { width: 12, height: 8, fit: "stretch", channels: "rgb", layout: "chw" } as const;

const cases = [
  { name: "table.csv", bytes: Buffer.from("id,a,b,label\nr1,1,2.5,cat\nr2,3,4,dog\n"), preprocessing: { version: 1 } },
  { name: "table.csv.gz", bytes: gzipSync("a,b\n1,2\n3,4\n"), preprocessing: { version: 1 } },
  {
    name: "table.parquet",
    bytes: Buffer.from(parquetWriteBuffer({ columnData: [{ name: "x", data: new Float64Array([1, 2, 0.5]) }] })),
    preprocessing: { version: 1 },
  },
  {
    name: "images.zip",
    bytes: Buffer.from(zipSync({ "a.png": new Uint8Array(colour) })),
    preprocessing: { version: 1, images },
  },
] as const;

async function loadReader(page: Page): Promise<void> {
  const bundle = await build({
    entryPoints: ["tests/e2e/dataset/reader.page.ts"],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
  });
  await page.addScriptTag({ content: bundle.outputFiles[0]!.text });
}

test("a File is read to the same records as in Node", async ({ page }) => {
  await loadReader(page);
  for (const { name, bytes, preprocessing } of cases) {
    const inBrowser = await page.evaluate(([file, content, stated]) => readDataset(file, content, stated), [
      name,
      [...bytes],
      preprocessing,
    ] as const);
    const inNode = await read(new File([new Uint8Array(bytes)], name), preprocessing, nodeDecoders);
    expect(inBrowser, name).toEqual(inNode);
  }
});

test("images are resized, cut and turned grey nearly as in Node", async ({ page }) => {
  await loadReader(page);
  const smooth = Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => Math.floor((i / (32 * 24 * 3)) * 255));
  const png = await sharp(smooth, { raw: { width: 32, height: 24, channels: 3 } })
    .png()
    .toBuffer();
  const zip = zipSync({ "a.png": new Uint8Array(png) });
  for (const fit of ["stretch", "cover", "contain"] as const) {
    for (const channels of ["rgb", "grey"] as const) {
      const preprocessing = { version: 1, images: { ...images, width: 16, height: 16, fit, channels } } as const;
      const inBrowser = await page.evaluate(([content, stated]) => readDataset("a.zip", content, stated), [
        [...zip],
        preprocessing,
      ] as const);
      const inNode = await read(new File([zip], "a.zip"), preprocessing, nodeDecoders);
      const differences = inNode.values[0]!.map((value, i) => Math.abs(value - inBrowser.values[0]![i]!));
      expect(Math.max(...differences), `${fit} ${channels}`).toBeLessThanOrEqual(8);
    }
  }
});
