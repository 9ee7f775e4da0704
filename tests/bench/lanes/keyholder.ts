/** The key-holder's time per record, measured on a part of the features of a batch and scaled to all of them. */

import { encryptBatch } from "#lib/keyholder/encrypt-batch.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import type { KeyholderPlan } from "#lib/lanes/plan.ts";
import { nttPrimes } from "#lib/lanes/primes.ts";
import { measure } from "./measure.ts";

const N = 8192;
const FEATURES = 784;
/** One in eight. */
const MEASURED_FEATURES = 98;
const OUTPUTS = 10;
const POLYS_OUT = 5;

export interface KeyholderCost {
  readonly encryptMsPerRecord: number;
  readonly sealMsPerRecord: number;
  readonly layoutMsPerRecord: number;
  readonly decryptMsPerRecord: number;
}

export async function measureKeyholder(primes: readonly number[]): Promise<KeyholderCost> {
  const ring = { n: N, primes: [...primes], specialPrime: nttPrimes(N, 20, 1, primes)[0]! };
  const list = (value: number) => new Array<number>(MEASURED_FEATURES).fill(value);
  const plan: KeyholderPlan = {
    version: 1,
    ring,
    input: {
      sourceFeatures: MEASURED_FEATURES,
      index: list(0).map((_, i) => i),
      center: list(0),
      factor: list(1),
      low: list(0),
      high: list(1),
      outside: "refuse",
      scale: 2 ** 16,
    },
    members: [],
  };
  const rows = N / 2;
  const data = Float32Array.from({ length: rows * MEASURED_FEATURES }, (_, i) => (i % 256) / 255);
  const records = { rows, features: MEASURED_FEATURES, data };
  using key = await SealKey.create(ring);
  let sealMs = 0;
  let layoutMs = 0;
  let runs = 0;
  const encrypt = await measure(2, async () => {
    const { timing } = await encryptBatch(plan, key, records, () => {});
    sealMs += timing.sealMs;
    layoutMs += timing.layoutMs;
    runs++;
  });
  const result = new Int32Array(POLYS_OUT * primes.length * N).fill(12345);
  const decrypt = await measure(3, () => key.decrypt(result, POLYS_OUT, 2 ** 40));
  const scale = FEATURES / MEASURED_FEATURES / rows;
  const share = encrypt.cpuMs / ((sealMs + layoutMs) / runs);
  return {
    encryptMsPerRecord: encrypt.cpuMs * scale,
    sealMsPerRecord: (sealMs / runs) * share * scale,
    layoutMsPerRecord: (layoutMs / runs) * share * scale,
    decryptMsPerRecord: (decrypt.cpuMs * OUTPUTS) / rows,
  };
}
