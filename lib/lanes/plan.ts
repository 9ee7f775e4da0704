/**
 * The key-holder's half of a compiled job, as plain JSON: how records become ciphertexts and how decrypted slots become outputs.
 * Donors get lane programs only; this stays with whoever holds the key (it holds the calibrated ranges of the data).
 *
 * One plan may have several members (an ensemble): models that read the same ciphertexts. Those whose programs join
 * (join-programs.ts) share one, so that a lane's payload serves all of them.
 */
import { z } from "zod";
import type { Graph } from "#lib/model/graph.ts";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { writeOnnx } from "#lib/model/onnx/write.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { LANE_LIMITS } from "./limits.ts";

/** A tail is what comes after the last weighted layer: small. */
const MAX_TAIL_CHARACTERS = 16 * 1024 * 1024;

const finite = z.number();
const count = z.int().min(1).max(LANE_LIMITS.maxWidth);

const ringSchema = z.object({
  n: z.int().min(LANE_LIMITS.minRingDegree).max(LANE_LIMITS.maxRingDegree),
  primes: z.array(z.int()).min(1).max(LANE_LIMITS.maxPrimes),
  /** SEAL keeps one prime for key switching, which Flux never does; absent with a single data prime. */
  specialPrime: z.int().optional(),
});

/** How a record's values become the plaintext values of its slot: (x − center)·factor at scale `scale`. */
const inputSchema = z.object({
  /** Values per record as the dataset gives them: all model inputs, flattened, one after another. */
  sourceFeatures: count,
  /** `[features]` which of them are encrypted; values that the model never reads are not. */
  index: z.array(z.int().min(0)).min(1).max(LANE_LIMITS.maxFeatures),
  center: z.array(finite),
  factor: z.array(finite),
  /** `[features]` the range that the plan was calibrated for, in the dataset's units. */
  low: z.array(finite),
  high: z.array(finite),
  /** What to do with a value outside it: clip to the range, or refuse the record's batch. */
  outside: z.enum(["clip", "refuse"]),
  scale: finite.positive(),
});

const memberSchema = z.object({
  /** SHA-256 of the lane program that computes it, alone or with other members. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Where its outputs begin among the program's. */
  firstOutput: z.int().min(0).max(LANE_LIMITS.maxWidth).default(0),
  outputs: count,
  polysOut: z
    .int()
    .min(2)
    .max(2 ** LANE_LIMITS.maxSquares + 1),
  scaleOut: finite.positive(),
  /** `[outputs]` value = slot·factor + center. */
  factor: z.array(finite),
  center: z.array(finite),
  /** Largest |slot| seen in calibration, and the one that the modulus has room for: beyond it a batch did not decrypt. */
  expectedMax: finite.positive(),
  capacity: finite.positive(),
  /** Bits after the binary point to which results are rounded: finer digits are noise that depends on the key. Below 0 for large outputs. */
  precisionBits: z.int().min(-1_000).max(64),
  /** What the key-holder computes on the decrypted values: an ONNX model (base64) whose inputs are the program's outputs, in order. */
  tail: z.base64().max(MAX_TAIL_CHARACTERS),
});

export const keyholderPlanSchema = z
  .object({
    version: z.literal(1),
    ring: ringSchema,
    input: inputSchema,
    members: z.array(memberSchema).min(1).max(64),
  })
  .superRefine((plan, context) => {
    const { index, center, factor, low, high, sourceFeatures } = plan.input;
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    for (const list of [center, factor, low, high])
      if (list.length !== index.length) refuse("input lists differ in length");
    for (const position of index) if (position >= sourceFeatures) refuse(`input index ${position} is out of range`);
    for (const member of plan.members) {
      if (member.factor.length !== member.outputs || member.center.length !== member.outputs) {
        refuse("output lists differ in length");
      }
    }
  });

export type KeyholderPlan = z.infer<typeof keyholderPlanSchema>;
export type PlanMember = z.infer<typeof memberSchema>;
export type OutsidePolicy = z.infer<typeof inputSchema>["outside"];

/** Parses a stored plan. Throws FluxError("invalid_request"). */
export function parseKeyholderPlan(json: unknown): KeyholderPlan {
  const parsed = keyholderPlanSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new FluxError(
    "invalid_request",
    `This is not a key-holder plan: ${z.prettifyError(parsed.error)}. Plan the job again.`,
  );
}

/** Ciphertexts per batch = values of a lane. */
export function encryptedFeatures(plan: KeyholderPlan): number {
  return plan.input.index.length;
}

/** A member's tail as a plan keeps it, and back. */
export function encodeTail(tail: Graph): string {
  let binary = "";
  for (const byte of writeOnnx(tail)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function decodeTail(member: PlanMember): Graph {
  return importOnnx(Uint8Array.from(atob(member.tail), (char) => char.charCodeAt(0)));
}
