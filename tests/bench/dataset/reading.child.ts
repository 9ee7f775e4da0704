/** Reads one file in a process of its own and prints what it took. Arguments: "flux" or "csv-parse", the file. */
import { createReadStream, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { nodeDecoders } from "#lib/dataset/node/decoders.ts";
import { fileSource, sectionFiles } from "#lib/dataset/node/files.ts";

const [reader, path = ""] = process.argv.slice(2);
const started = performance.now();
const before = process.cpuUsage();
const records = reader === "csv-parse" ? await withCsvParse() : await withFlux();
const { user, system } = process.cpuUsage(before);
const peakKiB = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
console.log(
  JSON.stringify({
    records,
    wallMs: performance.now() - started,
    cpuMs: (user + system) / 1000,
    peakMiB: peakKiB / 1024,
  }),
);

async function withFlux(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "flux-bench-sections-"));
  try {
    await using source = await fileSource(path);
    await using sections = await sectionFiles(folder);
    const preprocessing = path.endsWith(".zip")
      ? {
          version: 1 as const,
          images: { width: 28, height: 28, fit: "stretch" as const, channels: "grey" as const, layout: "chw" as const },
        }
      : { version: 1 as const };
    const description = await ingestDataset(
      source,
      { fileName: path, preprocessing, decoders: nodeDecoders },
      sections,
    );
    return description.records;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The baseline: cells cast to numbers, into a float32 buffer that is thrown away. */
async function withCsvParse(): Promise<number> {
  const rows = createReadStream(path, { highWaterMark: 1024 * 1024 }).pipe(parse({ from_line: 2 }));
  let records = 0;
  let values = new Float32Array(0);
  for await (const row of rows as AsyncIterable<string[]>) {
    if (values.length !== row.length) values = new Float32Array(row.length);
    for (let i = 0; i < row.length; i++) values[i] = Number(row[i]);
    records++;
  }
  return records;
}
