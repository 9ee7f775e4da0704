/**
 * `npm run bench:dataset [-- --large]`: how fast each format is read into the normalised form, and how much memory it takes; for
 * CSV beside csv-parse in the same run. Every reading is a process of its own. `--large` adds a 2 GB CSV and 50,000 images.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { largeFiles, type Made, madeFiles } from "./dataset/files.ts";
import { median, printTable } from "./lanes/measure.ts";

const RUNS = 3;
const MEGABYTES = 200;
const Reading = z.object({ records: z.int(), wallMs: z.number(), cpuMs: z.number(), peakMiB: z.number() });

const folder = mkdtempSync(join(tmpdir(), "flux-bench-dataset-"));
const run = promisify(execFile);
console.log(
  `${cpus()[0]?.model ?? "unknown CPU"}, load average at the start ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`,
);
try {
  const rows: Awaited<ReturnType<typeof measured>>[] = [];
  for (const made of madeFiles(MEGABYTES)) {
    await made.make(join(folder, made.file));
    rows.push(await measured(made, "flux", RUNS));
    if (made.file.endsWith(".csv")) rows.push(await measured(made, "csv-parse", RUNS));
    rmSync(join(folder, made.file));
  }
  if (process.argv.includes("--large")) {
    for (const made of largeFiles()) {
      await made.make(join(folder, made.file));
      rows.push(await measured(made, "flux", 1));
      rmSync(join(folder, made.file));
    }
  }
  printTable(`median of ${RUNS} runs, files in the page cache`, [
    ["file", "reader", "MB", "records", "MB/s wall", "MB/s CPU", "records/s CPU", "peak MiB"],
    ...rows.map((row) => [
      row.name,
      row.reader,
      (row.bytes / 1e6).toFixed(0),
      String(row.records),
      (row.bytes / 1e3 / row.wallMs).toFixed(0),
      (row.bytes / 1e3 / row.cpuMs).toFixed(0),
      ((row.records / row.cpuMs) * 1e3).toFixed(0),
      row.peakMiB.toFixed(0),
    ]),
  ]);
  mkdirSync("bench-results", { recursive: true });
  writeFileSync("bench-results/dataset.json", `${JSON.stringify(rows, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measured({ name, file }: Made, reader: "flux" | "csv-parse", runs: number) {
  const path = join(folder, file);
  const readings: z.infer<typeof Reading>[] = [];
  for (let index = 0; index < runs; index++) {
    const { stdout } = await run(process.execPath, [
      join(import.meta.dirname, "dataset/reading.child.ts"),
      reader,
      path,
    ]);
    readings.push(Reading.parse(JSON.parse(stdout)));
  }
  const middle = (pick: (reading: z.infer<typeof Reading>) => number) => median(readings.map(pick));
  return {
    name,
    reader,
    bytes: statSync(path).size,
    records: readings[0]!.records,
    wallMs: middle(({ wallMs }) => wallMs),
    cpuMs: middle(({ cpuMs }) => cpuMs),
    peakMiB: Math.max(...readings.map(({ peakMiB }) => peakMiB)),
  };
}
