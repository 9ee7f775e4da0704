/** A payload of random residues: speed does not depend on what they are. */
import { laneBytes, PAYLOAD_HEADER_BYTES, packLanes, payloadHeader } from "#lib/lanes/block.ts";
import { expandMask, importMaskSeed } from "#lib/lanes/mask.ts";
import type { LaneProgram, LaneRun } from "#lib/lanes/program.ts";

/** The public mask seed of every payload here. */
export const SEED = new Uint8Array(16).fill(1);

export async function randomPayload(program: LaneProgram, run: LaneRun): Promise<Uint8Array<ArrayBuffer>> {
  const { ring, inputs } = program;
  const q = ring.primes[run.primeIndex]!;
  const bytes = new Uint8Array(PAYLOAD_HEADER_BYTES + run.laneCount * laneBytes(q, inputs));
  bytes.set(payloadHeader(ring, inputs, run, SEED));
  // Any other seed's mask is as random as a ciphertext.
  const planes = await expandMask(await importMaskSeed(new Uint8Array(16).fill(2)), q, inputs, run);
  packLanes(planes, q, inputs, bytes.subarray(PAYLOAD_HEADER_BYTES));
  return bytes;
}
