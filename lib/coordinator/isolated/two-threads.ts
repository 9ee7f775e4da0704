/**
 * Encrypts a batch in two threads: this one takes the first half of the features, a second one with the same key the other
 * half. Records and phases are shared memory, so nothing is copied back.
 */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { encryptFeatures, encryptPhases, type MakePhases } from "#lib/keyholder/encrypt-batch.ts";
import { encryptedFeatures } from "#lib/lanes/plan.ts";
import type { EncryptFeaturesInput } from "./encrypt-features.ts";
import { type Isolation, runIsolated } from "./run.ts";

const TASK = new URL("./encrypt-features.ts", import.meta.url);
/** The first thread has limits of its own, and ends this one with it. */
const LIMITS: Isolation = {
  timeMs: 600_000,
  heapMiB: 1024,
  onLimit: { code: "unavailable", detail: "Encrypting a batch took too long. Try a smaller model." },
};
const Half = z.object({ clippedValues: z.int().nonnegative(), ms: z.number() });
/** Below, a second thread costs more than it saves: it loads SEAL and opens the key, about 0.4 s. */
const LEAST_FEATURES = 128;

export const encryptInTwoThreads: MakePhases = async (plan, key, records) => {
  const features = encryptedFeatures(plan);
  if (features < LEAST_FEATURES || availableParallelism() < 2) return encryptPhases(plan, key, records);
  const phases = plan.ring.primes.map(() => new SharedArrayBuffer(4 * features * plan.ring.n));
  const views = phases.map((phase) => new Int32Array(phase));
  const data = new SharedArrayBuffer(8 * records.data.length);
  new Float64Array(data).set(records.data);
  // The second thread starts later: it has its own SEAL to load.
  const half = Math.ceil(0.53 * features);
  const input: EncryptFeaturesInput = {
    plan,
    secret: new Uint8Array(key.exportSecret()),
    rows: records.rows,
    features: records.features,
    data,
    first: half,
    end: features,
    phases,
  };
  const second = runIsolated(TASK, input, LIMITS);
  // This thread is busy until its half is done: what the other one's failure is, it hears then.
  second.catch(() => {});
  await new Promise((turn) => setImmediate(turn));
  const started = performance.now();
  const clippedValues = encryptFeatures(plan, key, records, { first: 0, end: half }, views);
  const ms = performance.now() - started;
  const other = Half.parse(await second);
  return { phases: views, clippedValues: clippedValues + other.clippedValues, sealMs: ms + other.ms };
};
