/** What an encrypted stage's `definition.source` holds: enough to size, cut, check and put together its lanes. No secrets. */
import { z } from "zod";
import { laneBytes, PAYLOAD_HEADER_BYTES, RESULT_HEADER_BYTES, resultLaneBytes } from "#lib/lanes/block.ts";
import type { LaneRing, LaneRun } from "#lib/lanes/program.ts";
import { Digest } from "#lib/protocol/ids.ts";
import type { StageRecord, UnitRange } from "#lib/storage/records.ts";

export const LaneSource = z.object({
  kind: z.literal("lanes"),
  ring: z.object({ n: z.int().positive(), primes: z.array(z.int().positive()).min(1).max(16) }),
  /** Encrypted values of a lane. */
  features: z.int().positive(),
  outputs: z.int().positive(),
  polysOut: z.int().positive(),
  /** The lane program. */
  program: Digest,
});
export type LaneSource = z.infer<typeof LaneSource>;

const parsed = new WeakMap<StageRecord, LaneSource>();

export function laneSourceOf(stage: StageRecord): LaneSource {
  let source = parsed.get(stage);
  if (!source) {
    source = LaneSource.parse(stage.definition.source);
    parsed.set(stage, source);
  }
  return source;
}

/** Units of a lane stage are lanes of one prime of one batch. */
export function runOf(range: UnitRange): LaneRun {
  return { primeIndex: range.prime, firstLane: range.unitStart, laneCount: range.unitCount };
}

export function payloadBytesOf({ ring, features }: LaneSource, range: UnitRange): number {
  return PAYLOAD_HEADER_BYTES + range.unitCount * laneBytes(primeOf(ring, range), features);
}

export function resultBytesOf({ ring, polysOut, outputs }: LaneSource, range: UnitRange): number {
  return RESULT_HEADER_BYTES + range.unitCount * resultLaneBytes(primeOf(ring, range), polysOut * outputs);
}

/** Upper bounds of one lane, the headers' share included however a range is cut. */
export function unitBytes(source: LaneSource): { readonly bytesIn: number; readonly bytesOut: number } {
  const widest = Math.max(...source.ring.primes.map((q) => laneBytes(q, source.features)));
  return {
    bytesIn: widest + PAYLOAD_HEADER_BYTES,
    bytesOut:
      Math.max(...source.ring.primes.map((q) => resultLaneBytes(q, source.polysOut * source.outputs))) +
      RESULT_HEADER_BYTES,
  };
}

function primeOf(ring: LaneRing, range: UnitRange): number {
  const q = ring.primes[range.prime];
  if (q === undefined) throw new RangeError(`prime ${range.prime} of ${ring.primes.length}`);
  return q;
}
