import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bindInputs } from "#lib/dataset/bind.ts";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { fileSource, sectionFiles } from "#lib/dataset/node/files.ts";
import { openDataset } from "#lib/dataset/reader.ts";

const DATA = "../shared/data";
const present = existsSync(DATA);
if (!present) console.info(`${DATA} is not here: the tests on real data are skipped`);

test.skipIf(!present)("MNIST: 8,000 images, one byte a pixel on disk, scaled for the model", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flux-dataset-"));
  try {
    await using source = await fileSource(join(DATA, "mnist/images.npy"));
    await using sections = await sectionFiles(folder);
    const description = await ingestDataset(source, { preprocessing: { version: 1, scale: 1 / 255 } }, sections);
    expect(description).toMatchObject({ format: "npy", records: 8000, features: 784 });
    expect(description.sections).toEqual([{ name: "array0", bytes: 8000 * 784 }]);
    const { inputs } = bindInputs(description, [{ name: "input", dtype: "FP32", shape: [1, 28, 28] }]);
    const reader = openDataset(description, sections);
    const file = await readFile(join(DATA, "mnist/images.npy"));
    const expected = Float32Array.from(file.subarray(file.length - 784), (pixel) => pixel / 255);
    expect(await reader.readInput(inputs[0]!, 7999, 1)).toEqual(expected);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.skipIf(!present)("abalone: the text column is named with its encoding, then read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "flux-dataset-"));
  try {
    await using source = await fileSource(join(DATA, "abalone/abalone.csv"));
    await using sections = await sectionFiles(folder);
    await expect(ingestDataset(source, { labelColumn: "rings" }, sections)).rejects.toMatchObject({
      code: "dataset_value",
      param: "sex",
      detail: expect.stringContaining('"categories": ["F","I","M"]'),
    });
    // Of all orders this one gives the trained model its least squared error (7.17): F 0, M 1, I 2.
    const categories = ["F", "M", "I"];
    const preprocessing = {
      version: 1 as const,
      columns: [{ name: "sex", encoding: { kind: "ordinal" as const, categories } }],
    };
    const description = await ingestDataset(source, { labelColumn: "rings", preprocessing }, sections);
    expect(description).toMatchObject({ records: 4176, features: 8, label: { name: "rings", classes: null } });
    expect(description.preview[0]?.arrays[0]?.values.slice(0, 3)).toEqual([1, Math.fround(0.455), Math.fround(0.365)]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
