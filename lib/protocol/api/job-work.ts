/** What became of a job's microtasks: the lanes of its page, its speed over time, who computed, and what was checked. */
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../errors.ts";
import { JobId } from "../ids.ts";
import { RuntimeId } from "../stage.ts";
import { Timestamp } from "./common.ts";
import { DonorsByCountry } from "./donors.ts";

/** Cells of a row; a row is one prime of one batch, or a stretch of the records. */
export const STRIP_CELLS = 160;
/** More rows than these are joined, neighbour with neighbour. */
export const STRIP_ROWS = 64;

const Share = z.number().min(0).max(1);

export const StripRow = z.object({
  /** Which part of the job it is, in words. */
  label: z.string(),
  /** For each cell, the share of its units that have an accepted result. */
  accepted: z.array(Share).length(STRIP_CELLS),
  /** For each cell, the share that is with donors now. */
  leased: z.array(Share).length(STRIP_CELLS),
});
export type StripRow = z.infer<typeof StripRow>;

const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

export const JobWork = z
  .object({
    object: z.literal("job_work"),
    job: JobId,
    unit: z.enum(["records", "lanes"]),
    rows: z.array(StripRow).max(STRIP_ROWS),
    /** Units accepted per second, in equal stretches of time. */
    throughput: z.object({
      from: Timestamp.nullable(),
      seconds_per_step: z.number().nonnegative(),
      units_per_second: z.array(z.number().nonnegative()),
    }),
    donors: DonorsByCountry,
    runtimes: z.array(
      z.object({
        runtime: RuntimeId,
        microtasks: z.int().nonnegative(),
        units: z.int().nonnegative(),
        compute_seconds: z.number().nonnegative(),
      }),
    ),
    checks: z.object({
      results: z.int().nonnegative(),
      /** Results of which at least one unit was recomputed. */
      results_checked: z.int().nonnegative(),
      units: z.int().nonnegative(),
      units_recomputed: z.int().nonnegative(),
      refused: z.array(z.object({ code: z.enum(codes), results: z.int().positive() })),
    }),
  })
  .meta({ id: "JobWork" });
export type JobWork = z.infer<typeof JobWork>;
