/**
 * `npm run bench:upload [-- --megabytes 1000]`: a dataset of 1 GB by the SDK's resumable upload, through a network that breaks
 * five times, to a coordinator in a process of its own. It must arrive whole; printed are the bytes that were sent twice, the time,
 * and the peak memory of both ends.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream, openAsBlob } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FluxClient } from "#lib/client/flux-client.ts";
import { startCuttingProxy } from "#tests/support/cutting-proxy.ts";
import { freePort, startKillable } from "#tests/support/killable-coordinator.ts";
import { peakMegabytes } from "#tests/support/mnist.ts";

const CUTS = 5;
const MEGABYTE = 1_000_000;

const { values } = parseArgs({ options: { megabytes: { type: "string", default: "1000" } } });
const bytes = Number(values.megabytes) * MEGABYTE;
console.log(
  `${cpus()[0]?.model ?? "unknown CPU"}, load average at the start ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`,
);

const folder = await mkdtemp(join(tmpdir(), "flux-bench-upload-"));
try {
  const path = join(folder, "large.npy");
  const digest = await writeRandom(path, bytes);
  const server = await startKillable(join(folder, "data"), await freePort());
  const cutAt = Array.from({ length: CUTS }, (_, cut) => Math.floor((bytes * (cut + 1)) / (CUTS + 1)));
  const proxy = await startCuttingProxy(new URL(server.started.url), cutAt);
  const client = new FluxClient({ url: proxy.url, apiKey: server.started.firstKey ?? "" });

  const startedAt = performance.now();
  const file = await client.uploadFile(await openAsBlob(path), "large.npy", "dataset");
  const seconds = (performance.now() - startedAt) / 1000;

  const whole = file.bytes === bytes && file.sha256 === digest;
  const coordinatorMb = peakMegabytes(server.child.pid ?? 0);
  console.log(`${bytes / MEGABYTE} MB, ${proxy.cuts} interruptions: ${whole ? "arrived intact" : "DAMAGED"}`);
  console.log(`${seconds.toFixed(1)} s, ${(bytes / MEGABYTE / seconds).toFixed(0)} MB/s`);
  console.log(`sent twice: ${((proxy.sentBytes - bytes) / MEGABYTE).toFixed(1)} MB`);
  console.log(
    `peak memory: coordinator ${coordinatorMb.toFixed(0)} MB, client ${peakMegabytes(process.pid).toFixed(0)} MB`,
  );
  await proxy.close();
  server.child.kill("SIGTERM");
  await once(server.child, "exit");
  if (!whole || proxy.cuts !== CUTS) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @returns its SHA-256 as the disk has it */
async function writeRandom(path: string, length: number): Promise<string> {
  const file = await open(path, "w");
  for (let written = 0; written < length; written += 4 * MEGABYTE) {
    await file.write(randomBytes(Math.min(4 * MEGABYTE, length - written)));
  }
  await file.close();
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
