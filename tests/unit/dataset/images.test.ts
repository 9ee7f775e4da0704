import { zipSync } from "fflate";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { imageHeader } from "#lib/dataset/image-size.ts";
import { imagesOfModel } from "#lib/dataset/images-of-model.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import type { ImageSpec } from "#lib/protocol/datasets.ts";
import { ingest, refusal, values } from "./support.ts";

/** Left half red, right half blue. */
function picture(width: number, height: number) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) pixels[3 * i + (i % width < width / 2 ? 0 : 2)] = 255;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

async function bytes(image: ReturnType<typeof sharp>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await image.toBuffer());
}

const decoders = nodeDecoders;
const png = await bytes(picture(4, 2).png());
const spec: ImageSpec = { width: 4, height: 2, fit: "stretch", channels: "rgb", layout: "chw" };
const RED = [255, 255, 0, 0, 255, 255, 0, 0];
const BLUE = [0, 0, 255, 255, 0, 0, 255, 255];
const NONE = [0, 0, 0, 0, 0, 0, 0, 0];

test("header of each kind", async () => {
  expect(imageHeader(png)).toEqual({ kind: "png", width: 4, height: 2, grey: false });
  expect(imageHeader(await bytes(picture(40, 30).jpeg()))).toEqual({
    kind: "jpeg",
    width: 40,
    height: 30,
    grey: false,
  });
  expect(imageHeader(await bytes(picture(40, 30).toColourspace("b-w").jpeg()))).toMatchObject({
    kind: "jpeg",
    grey: true,
  });
  for (const options of [{ lossless: true }, { lossless: false }]) {
    expect(imageHeader(await bytes(picture(40, 30).webp(options)))).toMatchObject({
      kind: "webp",
      width: 40,
      height: 30,
    });
  }
  expect(imageHeader(new TextEncoder().encode('<svg width="9" height="9"></svg>'.padEnd(64)))).toBeNull();
});

test("a zip of images: pixels, ids and folder labels", async () => {
  const zip = zipSync({ "red/a.png": png, "red/b.png": png, "blue/c.png": png, "notes.txt": new Uint8Array(3) });
  const preprocessing = { version: 1 as const, images: { ...spec, label: "folder" as const, scale: 1 / 255 } };
  const { description, reader } = await ingest(zip, { decoders, preprocessing });
  expect(description).toMatchObject({
    format: "images",
    records: 3,
    label: { name: "folder", classes: ["red", "blue"] },
  });
  expect(description.arrays[0]).toMatchObject({ dtype: "UINT8", shape: [3, 2, 4], max: 255 });
  expect(description.warnings[0]).toMatch(/1 entries.*left out/);
  expect(await reader.readIds(0, 3)).toEqual(["red/a.png", "red/b.png", "blue/c.png"]);
  expect(description.preview[0]?.arrays[0]?.values).toEqual([...RED, ...NONE, ...BLUE].map((value) => value / 255));
});

describe("as stated", () => {
  const zip = zipSync({ "a.png": png });
  const read = (images: ImageSpec) => values(zip, { decoders, preprocessing: { version: 1, images } });
  test("channel order", async () =>
    expect(await read({ ...spec, channels: "bgr" })).toEqual([...BLUE, ...NONE, ...RED]));
  test("channels last", async () => {
    const pixel = (i: number) => [RED[i], 0, BLUE[i]];
    expect(await read({ ...spec, layout: "hwc" })).toEqual(RED.flatMap((_, i) => pixel(i)));
    expect(await read({ ...spec, layout: "hwc", channels: "bgr" })).toEqual(RED.flatMap((_, i) => pixel(i).reverse()));
  });
  test("grey", async () => {
    const grey = await read({ ...spec, channels: "grey" });
    expect(grey.length).toBe(8);
    expect(grey[0]).toBeGreaterThan(grey[3]!);
  });
  test("mean and deviation per channel", async () => {
    const read8 = await read({ ...spec, scale: [1, 2, 3], offset: [0, 5, -1] });
    expect(read8).toEqual([...RED, ...NONE.map(() => 5), ...BLUE.map((value) => 3 * value - 1)]);
  });
  test("cut and contained", async () => {
    expect(await read({ ...spec, width: 2, height: 2, fit: "cover", channels: "rgb" })).toEqual([
      255, 0, 255, 0, 0, 0, 0, 0, 0, 255, 0, 255,
    ]);
    const contained = await read({ ...spec, width: 4, height: 4, fit: "contain" });
    expect(contained.slice(0, 8)).toEqual([0, 0, 0, 0, 255, 255, 0, 0]);
  });
});

test("without a statement the images' own size and kind are taken, and said", async () => {
  const grey = await bytes(picture(3, 3).greyscale().toColourspace("b-w").png());
  const { description } = await ingest(zipSync({ "a.png": grey }), { decoders });
  expect(description.arrays[0]?.shape).toEqual([1, 3, 3]);
  expect(description.warnings[0]).toMatch(/3 × 3 grey.*0 to 255/);
  expect(description.preprocessing.images).toEqual({
    width: 3,
    height: 3,
    fit: "stretch",
    channels: "grey",
    layout: "chw",
  });
});

describe("refusals name the entry and the fix", () => {
  const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 2, 0, 4, 1, 0, 0, 0]);
  const cases = [
    {
      name: "sizes differ",
      entries: { "a.png": png, "b.png": picture(5, 2) },
      code: "dataset_ragged",
      detail: /"b.png" is 5 × 2, the first image 4 × 2.*fit/,
    },
    {
      name: "not an image",
      entries: { "a.png": new Uint8Array(100) },
      code: "dataset_unreadable",
      detail: /"a.png" is not a PNG/,
    },
    { name: "damaged", entries: { "a.jpg": jpeg }, code: "dataset_unreadable", detail: /"a.jpg" is damaged/ },
    { name: "no images", entries: { "a.txt": new Uint8Array(1) }, code: "dataset_empty", detail: /no \.png/ },
  ];
  for (const { name, entries, code, detail } of cases) {
    test(name, async () => {
      const files: Record<string, Uint8Array> = {};
      for (const [path, content] of Object.entries(entries)) {
        files[path] = content instanceof Uint8Array ? content : await bytes(content.png());
      }
      const refused = await refusal(ingest(zipSync(files), { decoders }));
      expect(refused.code).toBe(code);
      expect(refused.detail).toMatch(detail);
    });
  }
});

describe("images as the model reads them", () => {
  const input = (...shape: number[]) => [{ name: "x", datatype: "FP32", shape: [-1, ...shape] }];

  test.each([
    {
      name: "channels first",
      shape: [3, 2 * 112, 224],
      expected: { width: 224, height: 224, channels: "rgb", layout: "chw" },
    },
    { name: "channels last", shape: [48, 64, 3], expected: { width: 64, height: 48, channels: "rgb", layout: "hwc" } },
    { name: "grey", shape: [1, 28, 28], expected: { width: 28, height: 28, channels: "grey", layout: "chw" } },
    { name: "any size", shape: [3, -1, -1], expected: null },
    { name: "no picture", shape: [128], expected: null },
    { name: "a volume", shape: [16, 16, 16], expected: null },
  ])("$name", ({ shape, expected }) => {
    const found = imagesOfModel(input(...shape));
    if (expected) expect(found).toMatchObject(expected);
    else expect(found).toBeNull();
  });

  test("bring images of several sizes to it, and say so; what is stated wins", async () => {
    const zip = zipSync({ "a.png": png, "b.png": await bytes(picture(40, 20).png()) });
    const modelImages = { ...spec, fit: "cover" as const };
    const { description } = await ingest(zip, { decoders, modelImages });
    expect(description).toMatchObject({ records: 2, preprocessing: { images: modelImages } });
    expect(description.warnings).toEqual([expect.stringMatching(/brought to 4 × 2 rgb.*as the model reads them/)]);
    const stated = { version: 1 as const, images: { ...spec, width: 2 } };
    const other = await ingest(zip, { decoders, modelImages, preprocessing: stated });
    expect(other.description.arrays[0]!.shape).toEqual([3, 2, 2]);
  });
});
