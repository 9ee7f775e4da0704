/**
 * Files made to harm: each is refused by its code with a fix, within 2 s of CPU and 256 MB, in a process of its own (Node and
 * sharp take about 90 MB of that).
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  hollowLists,
  largeJpegs,
  lyingPages,
  manyEntries,
  overlapping,
  parquetFooter,
  pngHeader,
  redeclared,
} from "#tests/support/hostile-datasets.ts";
import { npy } from "./support.ts";

const GiB = 2 ** 30;
const MAX_CPU_MS = 2_000;
const MAX_PEAK_MIB = 256;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flux-hostile-"));
});
afterAll(async () => {
  console.info(`costliest refusals: ${worst.cpuMs.toFixed(0)} ms of CPU, ${worst.peakMiB.toFixed(0)} MiB at the peak`);
  await rm(folder, { recursive: true, force: true });
});

const worst = { cpuMs: 0, peakMiB: 0 };

interface Outcome {
  outcome: "refused" | "accepted";
  code: string;
  detail: string;
  cpuMs: number;
  peakMiB: number;
}

const run = promisify(execFile);

async function attack(target: string, defence = "on"): Promise<Outcome> {
  const child = join(import.meta.dirname, "hostile.child.ts");
  const { stdout } = await run(process.execPath, ["--max-old-space-size=512", child, target, defence]);
  return JSON.parse(stdout);
}

interface Hostile {
  readonly name: string;
  readonly file: string;
  /** Null: `file` is a made-up source that hostile.child.ts understands. */
  readonly make: (() => Uint8Array | Promise<Uint8Array>) | null;
  readonly code: string;
  readonly detail: RegExp;
}

const cases: readonly Hostile[] = [
  {
    name: "zip bomb by ratio",
    file: "ratio.zip",
    make: () => zipSync({ "a.png": new Uint8Array(64 * 2 ** 20) }),
    code: "dataset_unsafe",
    detail: /more than 200 times its size.*upload it uncompressed/,
  },
  {
    name: "zip bomb that declares one byte",
    file: "liar.zip",
    make: () => redeclared(zipSync({ "a.png": new Uint8Array(64 * 2 ** 20) }), 1),
    code: "dataset_unreadable",
    detail: /does not have the 1 bytes that it declares/,
  },
  {
    name: "zip bomb by overlapping entries",
    file: "overlap.zip",
    make: overlapping,
    code: "dataset_unsafe",
    detail: /entries overlap.*usual zip tool/,
  },
  {
    name: "zip with ten million entries",
    file: "entries.zip",
    make: manyEntries,
    code: "dataset_unsafe",
    detail: /10000000 entries, at most 200000 are read: split it up/,
  },
  {
    name: "zip in a zip",
    file: "nested.zip",
    make: () => zipSync({ "a.png": new Uint8Array(9), "more.zip": zipSync({ "b.png": new Uint8Array(9) }) }),
    code: "dataset_unsafe",
    detail: /"more.zip" is an archive inside the archive: put its files in directly/,
  },
  ...["../../etc/passwd.png", "/etc/passwd.png", "C:/x.png", "a\\..\\b.png", "a/../../b.png"].map((path, index) => ({
    name: `zip entry named ${path}`,
    file: `path${index}.zip`,
    make: () => zipSync({ [path]: new Uint8Array(9) }),
    code: "dataset_unsafe",
    detail: /leads outside the archive: zip the folder itself/,
  })),
  {
    name: "PNG of 65,535 × 65,535",
    file: "huge.zip",
    make: () => zipSync({ "huge.png": pngHeader(65_535, 65_535) }),
    code: "dataset_unsafe",
    detail: /"huge.png" is 65535 × 65535 pixels.*make it smaller/,
  },
  {
    name: "progressive JPEG as large as allowed, four times, then a broken one",
    file: "progressive.zip",
    make: largeJpegs,
    code: "dataset_unreadable",
    detail: /"e.jpg" is not a PNG/,
  },
  {
    name: "SVG under another name",
    file: "svg.zip",
    make: () => zipSync({ "a.png": new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>') }),
    code: "dataset_unreadable",
    detail: /not a PNG, JPEG or WebP image: convert it/,
  },
  {
    name: "Parquet whose footer lists claim sixteen million elements, thirty deep",
    file: "lists.parquet",
    make: hollowLists,
    code: "dataset_unreadable",
    detail: /claims more elements than there are bytes/,
  },
  {
    name: "Parquet with a footer nested 100,000 deep",
    file: "deep.parquet",
    make: () => parquetFooter(new Uint8Array(100_000).fill(0x1c)),
    code: "dataset_unsafe",
    detail: /nested too deeply/,
  },
  {
    name: "Parquet whose pages have other lengths than its footer says",
    file: "rows.parquet",
    make: () => lyingPages(),
    code: "dataset_unreadable",
    detail: /claims .* values.*pyarrow/,
  },
  {
    name: "JSON with __proto__",
    file: "proto.jsonl",
    make: () => new TextEncoder().encode('{"a":1,"__proto__":{"admin":true}}\n'),
    code: "dataset_unsafe",
    detail: /Line 1 has the key "__proto__", which is never read: rename it/,
  },
  {
    name: "JSON nested sixteen million deep",
    file: "deep.jsonl",
    make: () => new Uint8Array(15 * 2 ** 20).fill(0x5b),
    code: "dataset_unsafe",
    detail: /nested deeper than 16 levels: flatten/,
  },
  {
    name: "NPY with pickles",
    file: "pickle.npy",
    make: () => npy({ descr: "|O", shape: [2], data: new TextEncoder().encode("cos\nsystem\n(S'true'\ntR.") }),
    code: "dataset_unsafe",
    detail: /pickled Python objects, which are never opened.*allow_pickle=False/,
  },
  {
    name: "NPY with an absurd shape",
    file: "shape.npy",
    make: () => npy({ descr: "<f8", shape: [2 ** 31, 2 ** 31, 2 ** 31], data: new Uint8Array(8) }),
    code: "dataset_unreadable",
    detail: /declares shape \(2147483648, 2147483648, 2147483648\).*but 8 follow/,
  },
  {
    name: "NPY with a header of 4 GB",
    file: "header.npy",
    make: () => new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x20]),
    code: "dataset_unreadable",
    detail: /header claims 4294967295 bytes/,
  },
  {
    name: "NPZ whose array is a bomb",
    file: "bomb.npz",
    make: () => zipSync({ "x.npy": npy({ descr: "|u1", shape: [64 * 2 ** 20], data: new Uint8Array(64 * 2 ** 20) }) }),
    code: "dataset_unsafe",
    detail: /more than 200 times its size/,
  },
  {
    name: "gzip bomb",
    file: "bomb.csv.gz",
    make: () => gzipSync(Buffer.alloc(256 * 2 ** 20, "1,2,3\n")),
    code: "dataset_unsafe",
    detail: /more than 200 times its size/,
  },
  {
    name: "gzip in gzip",
    file: "twice.gz",
    make: () => gzipSync(gzipSync(Buffer.alloc(1000, "1,2\n"))),
    code: "dataset_unreadable",
    detail: /gzip inside gzip: upload/,
  },
  {
    name: "CSV of one line of 1 GB",
    file: `line:${GiB}:…7`,
    make: null,
    code: "dataset_too_large",
    detail: /first row is longer.*check the line ends/,
  },
  {
    name: "CSV with a header of 500 million columns",
    file: `line:${GiB}:…a,`,
    make: null,
    code: "dataset_too_large",
    detail: /Row 1 has more than 65536 values: use NPY/,
  },
  {
    name: "CSV with one value of 1 GB",
    file: `line:${GiB}:a,b\n1,2\n…7`,
    make: null,
    code: "dataset_too_large",
    detail: /Row 3 is longer than 16777216 bytes.*Check the quotes/,
  },
  {
    name: "CSV with a quote that is never closed",
    file: `line:${GiB}:a,b\n1,"…1,\n`,
    make: null,
    code: "dataset_too_large",
    detail: /Row 2 is longer than 16777216 bytes: a quote is opened/,
  },
  {
    name: "CSV with a row of 500 million values",
    file: `line:${GiB}:a,b\n1,2\n…1,`,
    make: null,
    code: "dataset_too_large",
    detail: /Row 3 has more than 65536 values: use NPY/,
  },
  {
    name: "JSONL of one line of 1 GB",
    file: `line:${GiB}:[…1,`,
    make: null,
    code: "dataset_too_large",
    detail: /Line 1 is longer than 16777216 bytes: put one record on each line/,
  },
];

describe("refused, cheaply", () => {
  for (const { name, file, make, code, detail } of cases) {
    test(name, async () => {
      const path = make ? join(folder, file) : file;
      if (make) await writeFile(path, await make());
      const outcome = await attack(path);
      worst.cpuMs = Math.max(worst.cpuMs, outcome.cpuMs);
      worst.peakMiB = Math.max(worst.peakMiB, outcome.peakMiB);
      expect(outcome).toMatchObject({ outcome: "refused", code });
      expect(outcome.detail).toMatch(detail);
      expect(outcome.cpuMs).toBeLessThan(MAX_CPU_MS);
      expect(outcome.peakMiB).toBeLessThan(MAX_PEAK_MIB);
    });
  }
});

test("positive control: without the check the same Parquet footer exhausts the process", async () => {
  const path = join(folder, "control.parquet");
  await writeFile(path, hollowLists());
  await expect(attack(path, "off")).rejects.toMatchObject({
    stderr: expect.stringMatching(/heap out of memory|Array buffer allocation/),
  });
});
