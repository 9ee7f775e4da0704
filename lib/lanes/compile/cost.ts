/** What an encrypted plan costs everybody, per record: the arithmetic that a submitter decides by. */
import { laneBytes, maxLanesPerPayload, PAYLOAD_HEADER_BYTES, RESULT_HEADER_BYTES, resultLaneBytes } from "../block.ts";
import { SECURITY_BITS_128 } from "../limits.ts";
import type { KeyholderPlan } from "../plan.ts";
import { bitLength } from "../primes.ts";
import type { LaneProgram, LaneRing } from "../program.ts";
import type { NormalizedGraph } from "./normal-form.ts";
import { groupNs, LOAD_NS, RESULT_NS, SQUARE_NS } from "./product-cost.ts";
import { modulusBits, wireBits } from "./rings.ts";

export interface CostReport {
  readonly ringDegree: number;
  readonly modulusBits: number;
  readonly primeBits: readonly number[];
  /** All primes with SEAL's own, and what the ring degree allows at 128-bit security. */
  readonly securityBits: { readonly level: 128; readonly usedBits: number; readonly allowedBits: number };
  readonly recordsPerBatch: number;
  readonly encryptedFeatures: number;
  readonly bytesDownPerRecord: number;
  readonly bytesUpPerRecord: number;
  readonly bytesPerInputValue: number;
  readonly microtasksPerBatch: number;
  /** Estimated, one WASM thread on a 2024 core. */
  readonly donorCoreSecondsPerRecord: number;
  /** Estimated: encryption and decryption. */
  readonly keyholderMsPerRecord: number;
  /** Multiply-adds of the plain model per record, and what they take a core at 4 G/s. */
  readonly plainMultiplyAdds: number;
  readonly plainMsPerRecord: number;
}

/** Measured: SEAL in WASM takes 0.3 µs per value and data prime to encrypt, and 0.8 µs per value and prime to decrypt. */
const ENCRYPT_US_PER_VALUE_AND_PRIME = 0.32;
const DECRYPT_US_PER_VALUE_AND_PRIME = 0.8;
/** A plain float32 model in WASM, one thread. */
const PLAIN_MULTIPLY_ADDS_PER_MS = 4e6;

/** What a plan costs donors and the wire: all that the programs alone tell. */
export type LaneCost = Omit<
  CostReport,
  "securityBits" | "keyholderMsPerRecord" | "plainMultiplyAdds" | "plainMsPerRecord"
>;

export function laneCost(ring: LaneRing, features: number, programs: readonly LaneProgram[]): LaneCost {
  const { n, primes } = ring;
  const records = n / 2;
  const microtasks = primes.reduce((sum, q) => sum + Math.ceil(n / maxLanesPerPayload(q, features)), 0);
  const down = primes.reduce((sum, q) => sum + n * laneBytes(q, features), 0) + microtasks * PAYLOAD_HEADER_BYTES;
  const up = programs.reduce(
    (sum, program) =>
      primes.reduce((bytes, q) => bytes + n * resultLaneBytes(q, program.polysOut * program.outputs), sum) +
      microtasks * RESULT_HEADER_BYTES,
    0,
  );
  const laneMicroseconds = programs.reduce((sum, program) => sum + donorMicrosecondsPerLane(program), 0);
  return {
    ringDegree: n,
    modulusBits: modulusBits(primes),
    primeBits: primes.map(bitLength),
    recordsPerBatch: records,
    encryptedFeatures: features,
    bytesDownPerRecord: down / records,
    bytesUpPerRecord: up / records,
    bytesPerInputValue: down / records / features,
    microtasksPerBatch: microtasks,
    donorCoreSecondsPerRecord: (laneMicroseconds * n * primes.length) / records / 1e6,
  };
}

export function costReport(
  plan: KeyholderPlan,
  programs: readonly LaneProgram[],
  models: readonly NormalizedGraph[],
): CostReport {
  const { n, primes, specialPrime } = plan.ring;
  const features = plan.input.index.length;
  const decrypted = programs.reduce((sum, program) => sum + program.outputs * (program.polysOut / 5), 0);
  const plainMultiplyAdds = models.reduce((sum, { normal }) => {
    const layers = normal.layers.reduce((count, { forms }) => count + forms.column.length, 0);
    return sum + layers + normal.final.column.length;
  }, 0);
  return {
    ...laneCost(plan.ring, features, programs),
    securityBits: {
      level: 128,
      usedBits: wireBits(specialPrime === undefined ? primes : [...primes, specialPrime]),
      allowedBits: SECURITY_BITS_128[n]!,
    },
    keyholderMsPerRecord:
      ((features * ENCRYPT_US_PER_VALUE_AND_PRIME + decrypted * DECRYPT_US_PER_VALUE_AND_PRIME) * primes.length) / 1000,
    plainMultiplyAdds,
    plainMsPerRecord: plainMultiplyAdds / PLAIN_MULTIPLY_ADDS_PER_MS,
  };
}

/** By the cost table of product-cost.ts. */
export function donorMicrosecondsPerLane(program: LaneProgram): number {
  let polys = 2;
  let ns = LOAD_NS * program.inputs + RESULT_NS * program.polysOut * program.outputs;
  for (const step of program.steps) {
    switch (step.kind) {
      case "affine":
        for (const group of step.groups) {
          const { k, m, digits } = program.matrices[group.matrix]!;
          ns += polys * groupNs(k, m, digits.length);
        }
        break;
      case "square":
        polys = 2 * polys - 1;
        ns += polys * step.width * SQUARE_NS;
        break;
    }
  }
  return ns / 1000;
}
