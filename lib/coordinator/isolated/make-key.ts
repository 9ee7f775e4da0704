/** Task: a fresh secret key for a plan's ring. */
import { z } from "zod";
import { ringOf } from "#lib/keyholder/rehearse.ts";
import { SealKey } from "#lib/keyholder/seal.ts";
import { parseKeyholderPlan } from "#lib/lanes/plan.ts";
import { serveTask } from "./task.ts";

const Input = z.object({ plan: z.unknown() });

await serveTask(async (raw) => {
  using key = await SealKey.create(ringOf(parseKeyholderPlan(Input.parse(raw).plan)));
  return key.exportSecret();
});
