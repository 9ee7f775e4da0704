/**
 * Canaries: records in random slots whose answers the key-holder works out itself before the batch goes out. They are real records of
 * the batch, so they take no room and nobody can tell them from the others.
 */

import { plainProgram } from "#lib/lanes/plain.ts";
import { encryptedFeatures, type KeyholderPlan, type PlanMember } from "#lib/lanes/plan.ts";
import type { LaneProgram } from "#lib/lanes/program.ts";
import { encodeRecord, type RecordMatrix } from "./encode.ts";

export interface Canary {
  readonly slot: number;
  /** `[outputs]` slot values that an honest computation decrypts to, within `canaryTolerance`. */
  readonly expected: readonly number[];
}

/** A wrong lane moves every slot by far more than the range of honest values: a few canaries are plenty. */
export const CANARIES_PER_BATCH = 8;

/** Draws canaries for one member of a batch. `randomBelow` must not be guessable by donors: use cryptographic randomness. */
export function drawCanaries(
  plan: KeyholderPlan,
  member: PlanMember,
  program: LaneProgram,
  records: RecordMatrix,
  randomBelow: (n: number) => number = cryptoRandomBelow,
): Canary[] {
  const evaluate = plainProgram(program, plan.input.scale, member.scaleOut);
  const slots = new Set<number>();
  while (slots.size < Math.min(CANARIES_PER_BATCH, records.rows)) slots.add(randomBelow(records.rows));
  const encoded = new Float64Array(encryptedFeatures(plan));
  return [...slots].map((slot) => {
    encodeRecord(plan, records, slot, encoded);
    return { slot, expected: [...evaluate(encoded).subarray(member.firstOutput, member.firstOutput + member.outputs)] };
  });
}

/** How far honest noise may move a canary: many times the plan's precision, far below what a single wrong lane does. */
export function canaryTolerance(member: PlanMember): number {
  return Math.max(128 * 2 ** -member.precisionBits, 1e-6 * member.expectedMax);
}

/** Uniform below n ≤ 2^32 from `crypto`, by rejection. */
export function cryptoRandomBelow(n: number): number {
  const word = new Uint32Array(1);
  const limit = Math.floor(2 ** 32 / n) * n;
  do crypto.getRandomValues(word);
  while (word[0]! >= limit);
  return word[0]! % n;
}
