/**
 * A complete batch of lane results → answers and a verdict: decryption, range check, canaries, rounding, tail.
 *
 * The verdict is for the operator and for the coordinator's re-audit. Nothing that a donor can see may depend on it: it is a function of
 * decrypted values.
 */
import { type Outputs, runTail } from "#lib/lanes/compile/fidelity.ts";
import { decodeTail, type KeyholderPlan, type PlanMember } from "#lib/lanes/plan.ts";
import type { ResultAssembler } from "./assemble.ts";
import { type Canary, canaryTolerance } from "./canaries.ts";
import type { SealKey } from "./seal.ts";

export type BatchVerdict =
  | {
      readonly kind: "sane" /** Records with an output beyond twice the calibrated maximum. */;
      readonly outliers: number;
    }
  /** Some lane is wrong: the whole batch is noise. Audit all of it again and redo it under a new key. */
  | { readonly kind: "noise"; readonly impossibleSlots: number; readonly wrongCanaries: number };

export interface OpenedBatch {
  readonly verdict: BatchVerdict;
  /** The model's outputs by name, `[rows, …]`; of a batch that is noise, meaningless. */
  readonly outputs: Outputs;
  /** What the tail was given: `[rows, outputs]`, row-major. */
  readonly values: Float64Array;
}

/**
 * Decrypts one member's outputs of a batch of `rows` records. Throws only on a programming error: a batch that decrypts to noise is a
 * verdict. Values are rounded to the plan's precision, because raw CKKS values carry noise that depends on the key (Li and Micciancio,
 * EUROCRYPT 2021).
 */
export function openBatch(
  plan: KeyholderPlan,
  member: PlanMember,
  key: SealKey,
  assembler: ResultAssembler,
  rows: number,
  canaries: readonly Canary[],
): OpenedBatch {
  const values = new Float64Array(rows * member.outputs);
  const outlier = new Uint8Array(rows);
  const impossible = new Uint8Array(plan.ring.n / 2);
  const wrongCanaries = new Set<number>();
  const tolerance = canaryTolerance(member);
  for (let output = 0; output < member.outputs; output++) {
    const slots = key.decrypt(assembler.ciphertext(member.firstOutput + output), member.polysOut, member.scaleOut);
    for (let slot = 0; slot < slots.length; slot++) {
      // An honest slot beyond the capacity would be an outlier of more than the plan's margin; a wrong lane puts most slots at about
      // √N times the capacity.
      if (!(Math.abs(slots[slot]!) <= 4 * member.capacity)) impossible[slot] = 1;
    }
    for (const { slot, expected } of canaries) {
      if (!(Math.abs(slots[slot]! - expected[output]!) <= tolerance)) wrongCanaries.add(slot);
    }
    const factor = member.factor[output]!;
    const center = member.center[output]!;
    for (let row = 0; row < rows; row++) {
      const value = slots[row]!;
      if (!(Math.abs(value) <= 2 * member.expectedMax)) outlier[row] = 1;
      values[row * member.outputs + output] = roundTo(value * factor + center, member.precisionBits);
    }
  }
  const impossibleSlots = count(impossible);
  const sane = wrongCanaries.size === 0 && impossibleSlots <= plan.ring.n / 8;
  return {
    verdict: sane
      ? { kind: "sane", outliers: count(outlier) }
      : { kind: "noise", impossibleSlots, wrongCanaries: wrongCanaries.size },
    outputs: runTail(decodeTail(member), values, rows),
    values,
  };
}

function roundTo(value: number, bits: number): number {
  const scale = 2 ** bits;
  return Math.round(value * scale) / scale;
}

function count(flags: Uint8Array): number {
  return flags.reduce((sum, flag) => sum + flag, 0);
}
