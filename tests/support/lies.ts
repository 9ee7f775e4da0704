/** What a lying donor may send instead of an encrypted result. All of them parse: only recomputing tells. */
import { encodeResult, parseResult } from "#lib/lanes/block.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import type { Lease } from "#lib/protocol/donor.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";

export type Lie = (
  result: Uint8Array<ArrayBuffer>,
  lease: Lease,
  program: LaneProgram | null,
) => Uint8Array<ArrayBuffer>;

/** Changes the residues `[lane][poly][output]` of an encrypted result; others are left alone. */
function lie(change: (residues: Uint32Array, q: number) => void): Lie {
  return (result, lease, program) => {
    if (!program) return result;
    const run = { primeIndex: lease.prime, firstLane: lease.unitStart, laneCount: lease.unitCount };
    const residues = parseResult(result, program, run);
    change(residues, program.ring.primes[lease.prime] ?? 2);
    return encodeResult(program, run, residues);
  };
}

/** Makes one lie; one that replays remembers what it sent before. */
const LIES: Readonly<Record<string, () => Lie>> = {
  "random garbage": () =>
    lie((residues, q) => {
      for (let i = 0; i < residues.length; i++) residues[i] = Math.floor(Math.random() * q);
    }),
  zeros: () => lie((residues) => residues.fill(0)),
  "one changed lane": () =>
    lie((residues, q) => {
      const middle = residues.length >> 1;
      residues[middle] = ((residues[middle] ?? 0) + 1) % q;
    }),
  "a constant added to all lanes": () =>
    lie((residues, q) => {
      for (let i = 0; i < residues.length; i++) residues[i] = ((residues[i] ?? 0) + 12_345) % q;
    }),
  "stale replay of another block": () => {
    let old: Uint32Array | undefined;
    return lie((residues, q) => {
      old ??= residues.slice().reverse();
      for (let i = 0; i < residues.length; i++) residues[i] = (old[i % old.length] ?? 0) % q;
    });
  },
  "the neighbour's lanes": () =>
    lie((residues) => {
      const first = residues.slice(0, residues.length >> 3);
      residues.copyWithin(0, first.length);
      residues.set(first, residues.length - first.length);
    }),
};

/**
 * One lie of each kind, for as many donors. Together they leave every lane its last attempt: one more refusal would set
 * its microtask aside for good, and which microtasks meet that many liars is chance.
 */
export function everyLie(): { readonly name: string; readonly falsify: Lie }[] {
  const told: Lease[] = [];
  const about = (lease: Lease) =>
    told.filter(
      ({ stageId, batch, prime, unitStart, unitCount }) =>
        stageId === lease.stageId &&
        batch === lease.batch &&
        prime === lease.prime &&
        unitStart < lease.unitStart + lease.unitCount &&
        lease.unitStart < unitStart + unitCount,
    ).length;
  return Object.entries(LIES).map(([name, make]) => {
    const lie = make();
    return {
      name,
      falsify(result, lease, program) {
        if (about(lease) >= LEASE_LIMITS.attemptsBeforeQuarantine - 1) return result;
        told.push(lease);
        return lie(result, lease, program);
      },
    };
  });
}
