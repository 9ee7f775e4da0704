/** Task: learns the scorer's start over the labelled aggregation sets of earlier jobs. Seconds of arithmetic, away from the event loop. */
import { z } from "zod";
import type { AggregationSet } from "#lib/aggregation/aggregation-set.ts";
import { withOwnProfile } from "#lib/aggregation/job-profile.ts";
import { metaLearn } from "#lib/aggregation/meta-learn.ts";
import { seeded } from "#lib/aggregation/random.ts";
import { freshPrior } from "#lib/aggregation/train.ts";
import { serveTask } from "./task.ts";

export interface Lesson {
  readonly set: AggregationSet;
  readonly targets: Float64Array;
}

const floats = z.instanceof(Float64Array);
const DiscriminantSchema = z.object({ centre: floats, weights: floats, bias: floats }).nullable();
const ProfileSchema = z.object({ standing: floats, balance: floats, discriminant: DiscriminantSchema });
const LessonSchema = z.object({
  set: z.object({
    task: z.enum(["classification", "regression"]),
    records: z.int(),
    classes: z.int(),
    members: z.int(),
    offsets: z.instanceof(Int32Array),
    outputs: floats,
    member: z.instanceof(Int32Array),
    position: floats,
    coverage: floats,
    precisionClass: z.instanceof(Uint8Array),
    // Kept with a profile of another kind: the labelled records alone give a new one.
    profile: ProfileSchema.optional().catch(undefined),
  }),
  targets: floats,
});
const Input = z.object({ lessons: z.array(LessonSchema).min(1), version: z.string(), seed: z.int() });

await serveTask(async (raw) => {
  const { lessons, version, seed } = Input.parse(raw);
  const jobs = lessons.map(({ set, targets }) => ({
    set: set.profile ? set : withOwnProfile(set, set.task === "classification" ? targets : []),
    targets,
  }));
  return metaLearn(jobs, freshPrior(), version, seeded(seed)).shared;
});
