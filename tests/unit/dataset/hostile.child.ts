/** Ingests one hostile file in a process of its own and prints what it cost. Arguments: file path, or "line:BYTES:TEXT" (a made-up endless line). */
import { readFileSync } from "node:fs";
import { parquetMetadataAsync } from "hyparquet";
import { ingestDataset } from "#lib/dataset/ingest.ts";
import { fileSource } from "#lib/dataset/node/files.ts";
import { memorySections } from "#lib/dataset/sections.ts";
import type { ByteSource } from "#lib/dataset/source.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

const preprocessing = {
  version: 1 as const,
  images: { width: 28, height: 28, fit: "cover" as const, channels: "rgb" as const, layout: "chw" as const },
};
const [target = "", defence = "on"] = process.argv.slice(2);
const source = await sourceOf(target);
const before = process.cpuUsage();
const outcome = await (defence === "off" ? undefended() : defended());
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ...outcome, cpuMs: (user + system) / 1000, peakMiB: peakMiB() }));

/** Of this process alone: ru_maxrss starts at the parent's. */
function peakMiB(): number {
  if (process.platform !== "linux") return process.memoryUsage().rss / 2 ** 20;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

async function defended() {
  try {
    const decoders = target.endsWith(".zip") ? (await import("#lib/dataset/node/decoders.ts")).nodeDecoders : {};
    const description = await ingestDataset(source, { fileName: target, decoders, preprocessing }, memorySections());
    return { outcome: "accepted", code: "", detail: `${description.records} records` };
  } catch (error) {
    if (!isFluxError(error)) throw error;
    return { outcome: "refused", code: error.code, detail: error.detail };
  }
}

/** The positive control: the library alone, on the same file. */
async function undefended() {
  const slice = async (start: number, end = source.bytes) => (await source.read(start, end - start)).slice().buffer;
  await parquetMetadataAsync({ byteLength: source.bytes, slice });
  return { outcome: "accepted", code: "", detail: "" };
}

async function sourceOf(name: string): Promise<ByteSource> {
  const [kind, bytes, text] = name.split(":");
  if (kind !== "line") return fileSource(name);
  const [head = "", body = ""] = (text ?? "").split("…");
  const pattern = new TextEncoder().encode(body);
  return {
    bytes: Number(bytes),
    async read(start, length) {
      const part = new Uint8Array(length);
      for (let at = 0; at < length; at++) part[at] = pattern[(start + at) % pattern.length]!;
      if (start < head.length) part.set(new TextEncoder().encode(head).subarray(start, start + length));
      return part;
    },
  };
}
