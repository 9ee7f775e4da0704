/** What became of a job's microtasks, summed by the database: for its page, never on the hot path. */
import { z } from "zod";
import { DonorId, type JobId } from "#lib/protocol/ids.ts";
import { RuntimeId } from "#lib/protocol/stage.ts";
import type { JobInsight } from "../store.ts";
import type { Sqlite } from "./database.ts";
import { RefusalRow } from "./rows.ts";

const Range = z.object({ batch: z.number(), prime: z.number(), unitStart: z.number(), unitCount: z.number() });
const Runtime = z.object({
  runtime: RuntimeId,
  microtasks: z.number(),
  units: z.number(),
  computeMs: z.number(),
  unitsChecked: z.number(),
  resultsChecked: z.number(),
});
const Donor = z.object({ donorId: DonorId });
const Span = z.object({ fromMs: z.number().nullable(), toMs: z.number().nullable() });
const Step = z.object({ step: z.number(), units: z.number() });
const Refused = z.object({ code: RefusalRow.shape.code, results: z.number() });

/** Results come in whole microtasks: in shorter steps a rate would only be noise. */
const STEP_AT_LEAST_MS = 500;

export function sqliteInsight(sqlite: Sqlite): (id: JobId, steps: number) => JobInsight {
  const own = "with own as (select id from stages where job_id = @id)";
  const results = "results join microtasks m on m.id = microtask_id where m.stage_id in own";
  // Members of an ensemble share their batches' lanes: the strip shows the first member's.
  const first = "stage_id = (select id from stages where job_id = @id order by member limit 1)";
  const range = "batch, prime, unit_start as unitStart, unit_count as unitCount";
  const statements = {
    accepted: sqlite.prepare(`select ${range} from microtasks where ${first} and state = 'accepted'`),
    leased: sqlite.prepare(
      `select ${range} from microtasks where ${first} and state = 'pending' and id in (select microtask_id from leases)`,
    ),
    runtimes: sqlite.prepare(
      `${own} select runtime, count(*) as microtasks, sum(unit_count) as units, sum(compute_ms) as computeMs,
         sum(checked_units) as unitsChecked, sum(checked_units > 0) as resultsChecked
       from ${results} group by runtime order by microtasks desc`,
    ),
    donors: sqlite.prepare(`${own} select distinct donor_id as donorId from ${results}`),
    span: sqlite.prepare(
      `${own} select min(accepted_at_ms - compute_ms) as fromMs, max(accepted_at_ms) as toMs from ${results}`,
    ),
    steps: sqlite.prepare(
      `${own} select cast((accepted_at_ms - @fromMs) / @stepMs as integer) as step, sum(unit_count) as units
       from ${results} group by step`,
    ),
    refused: sqlite.prepare(
      `${own} select code, count(*) as results from refusals where stage_id in own group by code order by results desc`,
    ),
  };

  return (id, mostSteps) => {
    const { fromMs, toMs } = Span.parse(statements.span.get({ id }));
    const spanMs = fromMs === null || toMs === null ? 0 : toMs - fromMs;
    const stepMs = Math.max(STEP_AT_LEAST_MS, spanMs / mostSteps);
    const steps = fromMs === null ? 0 : Math.max(1, Math.ceil(spanMs / stepMs));
    const unitsPerStep = Array.from({ length: steps }, () => 0);
    if (fromMs !== null) {
      for (const row of statements.steps.all({ id, fromMs, stepMs })) {
        const { step, units } = Step.parse(row);
        // The last result lies on the edge of the last step.
        const at = Math.min(steps - 1, Math.max(0, step));
        unitsPerStep[at] = (unitsPerStep[at] ?? 0) + units;
      }
    }
    return {
      accepted: statements.accepted.all({ id }).map((row) => Range.parse(row)),
      leased: statements.leased.all({ id }).map((row) => Range.parse(row)),
      runtimes: statements.runtimes.all({ id }).map((row) => Runtime.parse(row)),
      donorIds: statements.donors.all({ id }).map((row) => Donor.parse(row).donorId),
      timeline: { fromMs, stepMs, unitsPerStep },
      refused: statements.refused.all({ id }).map((row) => Refused.parse(row)),
    };
  };
}
