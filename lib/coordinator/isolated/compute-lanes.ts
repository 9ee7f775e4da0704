/** Task: computes lanes that no donor got right, from the uploaded ciphertexts. It takes no key. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { blobRange, PAYLOAD_HEADER_BYTES, payloadHeader } from "#lib/lanes/block.ts";
import { decodeProgram } from "#lib/lanes/program-codec.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import { ObjectName } from "#lib/storage/objects.ts";
import { prepareOnThisThread } from "#worker/kernels/lanes/program-runner.ts";
import { serveTask } from "./task.ts";

const Input = z.object({
  objectsFolder: z.string(),
  programPath: z.string(),
  /** The batch's ciphertexts. */
  objectName: ObjectName,
  maskSeed: z.string(),
  runs: z.array(z.object({ primeIndex: z.int(), firstLane: z.int(), laneCount: z.int() })),
  /** Takes the results, one after another. */
  resultName: ObjectName,
});
export type ComputeLanesInput = z.input<typeof Input>;

await serveTask(async (raw) => {
  const input = Input.parse(raw);
  const program = decodeProgram(await readFile(input.programPath));
  const objects = openDiskObjects(input.objectsFolder);
  const seed = Uint8Array.from(Buffer.from(input.maskSeed, "hex"));
  const runner = await prepareOnThisThread(program);
  const writer = await objects.create(input.resultName);
  try {
    for (const run of input.runs) {
      const { offset, length } = blobRange(program.ring, program.inputs, run);
      const payload = new Uint8Array(PAYLOAD_HEADER_BYTES + length);
      payload.set(payloadHeader(program.ring, program.inputs, run, seed));
      payload.set(await objects.read(input.objectName, { offset, bytes: length }), PAYLOAD_HEADER_BYTES);
      await writer.append(await runner.run(payload));
    }
    return await writer.close();
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  } finally {
    await runner.dispose();
  }
});
