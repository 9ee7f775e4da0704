/** How the scheduler stands with its donors and jobs: counts and reasons, never a person. */
import { z } from "zod";

const count = z.int().nonnegative();

/** How often durations fell where they were predicted. */
export const Coverage = z.object({
  observations: count,
  within_80: z.number().meta({ description: "Share inside the 80 % interval; 0.8 is honest. 0 while there are none" }),
  below_p90: z.number(),
});
export type Coverage = z.infer<typeof Coverage>;

export const FleetReport = z
  .object({
    object: z.literal("fleet"),
    donors_online: count,
    donors_idle: count,
    /** Why idle donors have nothing to do, most donors first. */
    idle_because: z.array(z.object({ reason: z.string(), why: z.string(), donors: count })),
    /** Jobs with work left, by where they stand. */
    jobs: z.array(z.object({ standing: z.string(), jobs: count, example: z.string() })),
    predictions: Coverage.extend({ classes: z.array(Coverage.extend({ device_class: z.string() })) }),
    /** Bundles whose every lease was accepted, and how many of them took at most three seconds. */
    bundles: z.object({ finished: count, in_time: count }),
    mean_session_seconds: z.number(),
  })
  .meta({ id: "FleetReport" });
export type FleetReport = z.infer<typeof FleetReport>;
