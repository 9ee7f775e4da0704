/** The optimizer's log: newest first. */
import { z } from "zod";

export const OptimizerEntry = z
  .object({
    at: z.iso.datetime(),
    about: z.enum(["class-prior", "microtask-size", "audit-rate", "plan-cost"]),
    words: z.string().meta({ description: "What changed and what it gained, one sentence" }),
  })
  .meta({ id: "OptimizerEntry" });

export const OptimizerLog = z
  .object({ object: z.literal("list"), data: z.array(OptimizerEntry) })
  .meta({ id: "OptimizerLog" });
export type OptimizerLog = z.infer<typeof OptimizerLog>;
