/** Task: learns the scorer's start over the labelled aggregation sets of earlier jobs. Seconds of arithmetic, away from the event loop. */
import { z } from "zod";
import type { AggregationSet } from "#lib/aggregation/aggregation-set.ts";
import { metaLearn } from "#lib/aggregation/meta-learn.ts";
import { seeded } from "#lib/aggregation/random.ts";
import { freshPrior } from "#lib/aggregation/train.ts";
import { serveTask } from "./task.ts";

export interface Lesson {
  readonly set: AggregationSet;
  readonly targets: Float64Array;
}

const floats = z.instanceof(Float64Array);
/** Kept before jobs had discriminants: without one. */
const DiscriminantSchema = z.object({ centre: floats, weights: floats, bias: floats }).nullable().default(null);
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
    profile: z.object({ standing: floats, marginal: floats, discriminant: DiscriminantSchema }).optional(),
  }),
  targets: floats,
});
const Input = z.object({ lessons: z.array(LessonSchema).min(1), version: z.string(), seed: z.int() });

await serveTask(async (raw) => {
  const { lessons, version, seed } = Input.parse(raw);
  return metaLearn(lessons, freshPrior(), version, seeded(seed)).shared;
});
