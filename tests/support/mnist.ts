/** The shared real digits, beside the repository where they are present, and the plain model run here. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect } from "@playwright/test";
import * as ort from "onnxruntime-web/wasm";
import { z } from "zod";

export const MNIST = resolve(import.meta.dirname, "../../../shared/data/mnist");
export const CLASSES = 10;
const PIXELS = 28 * 28;
const Row = z.object({ record: z.number(), outputs: z.object({ logits: z.array(z.number()).length(CLASSES) }) });

export async function firstImages(records: number): Promise<Uint8Array> {
  const file = await readFile(join(MNIST, "images.npy"));
  const start = 10 + file.readUInt16LE(8);
  return file.subarray(start, start + records * PIXELS);
}

export function npy(images: Uint8Array, records: number): Uint8Array<ArrayBuffer> {
  const literal = `{'descr': '|u1', 'fortran_order': False, 'shape': (${records}, 28, 28), }`;
  const bytes = new Uint8Array(128 + images.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]);
  bytes.set(new TextEncoder().encode(`${literal.padEnd(117)}\n`), 10);
  bytes.set(images, 128);
  return bytes;
}

export function parseRows(jsonl: string, records: number): number[][] {
  const rows = jsonl
    .trimEnd()
    .split("\n")
    .map((line) => Row.parse(JSON.parse(line)));
  expect(rows.map(({ record }) => record)).toEqual(Array.from({ length: records }, (_, i) => i));
  return rows.map(({ outputs }) => outputs.logits);
}

export async function plainLogits(model: string, images: Uint8Array, records: number): Promise<Float32Array> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await readFile(model));
  const input = Float32Array.from(images, (value) => value * (1 / 255));
  const results = await session.run({
    [session.inputNames[0]!]: new ort.Tensor("float32", input, [records, 1, 28, 28]),
  });
  return results[session.outputNames[0]!]!.data as Float32Array;
}

export function best(row: ArrayLike<number>): number {
  let top = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[top]!) top = i;
  return top;
}

/** The kernel's high-water mark of the process's memory; 0 where it does not tell. */
export function peakMegabytes(pid: number): number {
  try {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Math.round(Number(peak ?? 0) / 1024);
  } catch {
    return 0;
  }
}
