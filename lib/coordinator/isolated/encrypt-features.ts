/** Task: encrypts some features of a batch into phases that another thread shares (two-threads.ts). */
import { z } from "zod";
import { encryptFeatures } from "#lib/keyholder/encrypt-batch.ts";
import { ringOf } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { serveTask } from "./task.ts";

const shared = z.instanceof(SharedArrayBuffer);
const Input = z.object({
  plan: z.unknown(),
  secret: z.instanceof(Uint8Array),
  rows: z.int().positive(),
  features: z.int().positive(),
  /** Float64, `[rows, features]`. */
  data: shared,
  first: z.int().nonnegative(),
  end: z.int().positive(),
  /** Int32 per prime, `[encrypted features][lane]`. */
  phases: z.array(shared),
});
export type EncryptFeaturesInput = z.input<typeof Input>;

await serveTask(async (raw) => {
  const { secret, rows, features, first, end, ...input } = Input.parse(raw);
  const plan = parseKeyholderPlan(input.plan);
  using key = await SealKey.create(ringOf(plan), { secret });
  const records = { rows, features, data: new Float64Array(input.data) };
  const phases = input.phases.map((phase) => new Int32Array(phase));
  const started = performance.now();
  const clippedValues = encryptFeatures(plan, key, records, { first, end }, phases);
  return { clippedValues, ms: performance.now() - started };
});
