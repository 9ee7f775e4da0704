/**
 * Task: puts the parts of an uploaded batch together into the object that its lanes are read from, and checks on the way that every
 * residue is below its prime: what donors are sent is well formed, whoever made it.
 */
import { z } from "zod";
import { laneBytes, limbCount, unpackLanes } from "#lib/lanes/block.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  objectsFolder: z.string(),
  parts: z.array(ObjectName).min(1),
  objectName: ObjectName,
  ring: z.object({ n: z.int(), primes: z.array(z.int()) }),
  features: z.int().positive(),
});
export type AssembleBatchInput = z.input<typeof Input>;

/** Lanes looked at together. */
const RUN_LANES = 128;

await serveTask(async (raw) => {
  const { objectsFolder, parts, objectName, ring, features } = Input.parse(raw);
  const objects = openDiskObjects(objectsFolder);
  const check = laneCheck(ring, features);
  const writer = await objects.create(objectName);
  try {
    for (const part of parts) {
      const bytes = await objects.read(part);
      check.take(bytes);
      await writer.append(bytes);
    }
    check.end();
    return await writer.close();
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  }
});

/** Takes a blob `[prime][lane]` in pieces of any size and checks it run by run. */
function laneCheck({ n, primes }: { n: number; primes: readonly number[] }, features: number) {
  let held: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  let prime = 0;
  let lane = 0;
  const runBytes = () => Math.min(RUN_LANES, n - lane) * laneBytes(primes[prime] ?? 0, features);

  return {
    take(bytes: Uint8Array<ArrayBuffer>): void {
      held = held.length === 0 ? bytes : joined(held, bytes);
      let at = 0;
      while (prime < primes.length && at + runBytes() <= held.length) {
        const q = primes[prime] ?? 0;
        const lanes = Math.min(RUN_LANES, n - lane);
        const size = runBytes();
        // Throws where a residue is not below q.
        unpackLanes(held.subarray(at, at + size), q, features, new Uint8Array(lanes * limbCount(q) * features));
        at += size;
        lane += lanes;
        if (lane === n) {
          lane = 0;
          prime++;
        }
      }
      held = held.slice(at);
    },
    end(): void {
      if (prime < primes.length || held.length > 0) throw new Error("the parts are not the size of a batch");
    },
  };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
