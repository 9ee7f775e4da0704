/**
 * Datasets as people have them, stated on the command line: categories, yes/no, gaps, a scale, images of all sizes, two inputs. The
 * results are what the model gives on the stated values, with the id column, in the format asked for; the job says how it was read.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Recipe } from "#lib/protocol/api/recipe.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { linearModel } from "#tests/support/linear-model.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";
import { npy } from "#tests/unit/dataset/support.ts";
import { onnxFile } from "#tests/unit/model/onnx/model-file.ts";

const FLUX = join(import.meta.dirname, "../../lib/client/cli/flux.js");
/** y = x · W with weights that tell the inputs apart. */
const WEIGHTS = Float32Array.of(1, 10, 100, 1000, 10_000);

const PEOPLE = [
  "name;sex;age;smoker;weight;comment",
  "ann;F;30;yes;60.5;likes tea",
  'bob;M;;no;80;"semi;colon"',
  "eve;F;50;yes;NA;",
].join("\n");

/** Everything that PEOPLE needs to be read as five features. */
const ENOUGH = [
  ...["--id", "name", "--ignore", "comment", "--bool", "smoker=yes/no", "--one-hot", "sex=F,M"],
  ...["--fill", "age=40", "--fill", "weight=70"],
];

describe("npx flux submit, datasets as people have them", () => {
  let coordinator: TestCoordinator;
  let donor: NodeDonor;
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    donor = await startNodeDonor({ url: coordinator.url });
    folder = await mkdtemp(join(tmpdir(), "flux-cli-data-"));
    await writeFile(file("linear.onnx"), linearModel(WEIGHTS, WEIGHTS.length));
  });
  afterAll(async () => {
    await donor.stop();
    await coordinator.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function flux(...args: readonly string[]): Promise<{ out: string; err: string }> {
    const env = {
      NODE_ENV: "test" as const,
      PATH: process.env.PATH ?? "",
      FLUX_URL: coordinator.url,
      FLUX_KEY: coordinator.key,
      XDG_CONFIG_HOME: file("config"),
    };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [FLUX, ...args], { env, cwd: folder });
    return { out: stdout, err: stderr };
  }

  it("a table: encodings, fills, ids, gzip; Parquet results with the id column and the recipe", async () => {
    await writeFile(file("people.csv.gz"), gzipSync(PEOPLE));
    const stated = ["--id", "name", "--ignore", "comment", "--bool", "smoker=yes/no", "--one-hot", "sex=F,M"];
    const fills = ["--fill", "age=40", "--fill", "weight=70", "--columns", "sex,age,smoker,weight"];
    const { err, out } = await flux(
      ...["submit", "linear.onnx", "people.csv.gz", "--privacy", "public", "--json", "-o", "out.parquet"],
      ...stated,
      ...fills,
    );
    expect(err).toMatch(/x \[5\] ← features \(sex=F, sex=M, age, smoker, weight\)/);
    // sex=F, sex=M, age, smoker, weight.
    const rows = [
      [1, 0, 30, 1, 60.5],
      [0, 1, 40, 0, 80],
      [1, 0, 50, 1, 70],
    ];
    const bytes = new Uint8Array(await readFile(file("out.parquet")));
    const results = await parquetReadObjects({ file: bytes.buffer });
    expect(results).toEqual(
      ["ann", "bob", "eve"].map((name, row) => ({
        name,
        y: expect.closeTo(
          rows[row]!.reduce((sum, value, i) => sum + value * WEIGHTS[i]!, 0),
          1,
        ),
      })),
    );
    const kept = parquetMetadata(bytes.buffer).key_value_metadata?.find(({ key }) => key === "flux.recipe")?.value;
    const inFile = Recipe.parse(JSON.parse(kept ?? ""));
    const job = z.object({ id: z.string(), recipe: Recipe }).parse(JSON.parse(out));
    expect(inFile).toEqual(job.recipe);
    expect(job.recipe).toMatchObject({
      dataset: { format: "csv", records: 3, preprocessing: { csv: { delimiter: ";", header: true } } },
      inputs: [{ input: "x", array: "features", columns: ["sex=F", "sex=M", "age", "smoker", "weight"], shape: [5] }],
    });
    expect(job.recipe.dataset.preprocessing.columns).toContainEqual({
      name: "weight",
      use: "feature",
      encoding: { kind: "number" },
      missing: { kind: "fill", fill: "70" },
    });

    // What was kept is enough to read the same records again.
    await writeFile(file("how.json"), JSON.stringify(job.recipe.dataset.preprocessing));
    await flux(
      "submit",
      "linear.onnx",
      "people.csv.gz",
      "--privacy",
      "public",
      "--preprocessing",
      "how.json",
      "-o",
      "again.parquet",
    );
    expect(await parquetReadObjects({ file: new Uint8Array(await readFile(file("again.parquet"))).buffer })).toEqual(
      results,
    );
  });

  it("images of several sizes: resized, grey, scaled by mean and std", async () => {
    const picture = (width: number, height: number, grey: number) =>
      sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } });
    await writeFile(
      file("pictures.zip"),
      zipSync({
        "dark/a.png": new Uint8Array(await picture(30, 20, 51).png().toBuffer()),
        "light/b.webp": new Uint8Array(await picture(64, 64, 204).webp({ lossless: true }).toBuffer()),
      }),
    );
    await writeFile(file("pixels.onnx"), pixelSum());
    await flux(
      ...["submit", "pixels.onnx", "pictures.zip", "--privacy", "public", "-o", "pictures.csv"],
      ...[
        "--image-size",
        "4x3",
        "--channels",
        "grey",
        "--scale",
        "1/255",
        "--mean",
        "0.5",
        "--std",
        "0.1",
        "--folder-labels",
      ],
    );
    const [header, ...rows] = (await readFile(file("pictures.csv"), "utf8")).trimEnd().split("\r\n");
    expect(header).toBe("file,out");
    // 12 pixels of (51/255 − 0.5) / 0.1 = −3 and (204/255 − 0.5) / 0.1 = 3.
    expect(rows.map((row) => row.split(",")[0])).toEqual(["dark/a.png", "light/b.webp"]);
    expect(rows.map((row) => Number(row.split(",")[1]))).toEqual([expect.closeTo(-36, 3), expect.closeTo(36, 3)]);
  });

  it("several arrays to several inputs, by name and as stated", async () => {
    await writeFile(file("sum.onnx"), twoInputs());
    const array = (...values: number[]) =>
      npy({ descr: "<f4", shape: [2, 2], data: new Uint8Array(Float32Array.from(values).buffer) });
    await writeFile(file("two.npz"), zipSync({ "a.npy": array(1, 2, 3, 4), "other.npy": array(10, 20, 30, 40) }));
    await flux("submit", "sum.onnx", "two.npz", "--privacy", "public", "--input", "b=other", "-o", "two.jsonl");
    const lines = (await readFile(file("two.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).outputs.out)).toEqual([
      [11, 22],
      [33, 44],
    ]);
    await writeFile(file("wide.csv"), "p,q,r,s\n1,2,10,20\n3,4,30,40\n");
    const { err } = await flux(
      ...["submit", "sum.onnx", "wide.csv", "--privacy", "public", "-o", "wide.jsonl"],
      ...["--input", "a=features:s,r", "--input", "b=features:p,q"],
    );
    expect(err).toMatch(/a \[2\] ← features \(s, r\)/);
    expect(
      (await readFile(file("wide.jsonl"), "utf8"))
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).outputs.out),
    ).toEqual([
      [21, 12],
      [43, 34],
    ]);
  });

  it.each([
    {
      name: "text that nothing is said of",
      args: ["--category", "sex=F"],
      says: /"smoker" holds text[\s\S]*--one-hot column=a,b/,
    },
    { name: "an option without its value", args: ["--fill", "age"], says: /column=/ },
    { name: "mean of another length than std", args: ["--mean", "1,2,3", "--std", "1,2"], says: /--std has 2 values/ },
    {
      name: "a preprocessing that is none",
      args: ["--preprocessing", "linear.onnx"],
      says: /linear\.onnx is not JSON.*flux inspect/,
    },
    { name: "TensorFlow.js for an ONNX file", args: [...ENOUGH, "--runtime", "tfjs"], says: /no TensorFlow\.js model/ },
  ])("$name: one line that says what to do", async ({ args, says }) => {
    await writeFile(file("people.csv"), PEOPLE);
    const error = await flux("submit", "linear.onnx", "people.csv", "--privacy", "public", ...args).catch(
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
    expect(error.stderr).not.toMatch(/\n\s+at /);
  });

  it("inspect shows what a table would be read as, and gives it to submit", async () => {
    await writeFile(file("people.csv"), PEOPLE);
    const { out } = await flux("inspect", "people.csv");
    expect(out).toMatch(/age: number, 1 missing.*gaps as 0/);
    expect(out).toMatch(/sex: category \(F, M\) → one-hot: F, M/);
    const found = await flux("inspect", "people.csv", "--json");
    await writeFile(file("inspected.json"), found.out);
    await flux(
      "submit",
      "linear.onnx",
      "people.csv",
      "--privacy",
      "public",
      "--preprocessing",
      "inspected.json",
      "--columns",
      "sex,age,weight,smoker",
      "-o",
      "inspected.csv",
    ).catch((error) => expect(error.stderr).toMatch(/wants \[5\] per record/));
  });
});

/** Sum of a grey 4 × 3 image, channels first. */
function pixelSum(): Uint8Array {
  return onnxFile({
    opset: 13,
    inputs: [{ name: "image", shape: ["batch", 1, 3, 4] }],
    outputs: [{ name: "out" }],
    initializers: { axes: { dtype: "int64", shape: [3], data: [1, 2, 3] } },
    nodes: [{ op: "ReduceSum", inputs: ["image", "axes"], outputs: ["out"], attributes: { keepdims: 0 } }],
  });
}

function twoInputs(): Uint8Array {
  return onnxFile({
    inputs: [
      { name: "a", shape: ["batch", 2] },
      { name: "b", shape: ["batch", 2] },
    ],
    outputs: [{ name: "out" }],
    nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["out"] }],
  });
}
