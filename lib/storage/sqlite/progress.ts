/** Counts of a job or of one of its stages, from the rows. The dispatcher keeps the live ones; this is for jobs that it no longer holds. */
import type { JobId, StageId } from "#lib/protocol/ids.ts";
import type { JobProgress } from "../store.ts";
import type { Sqlite } from "./database.ts";

export function sqliteProgress(sqlite: Sqlite): (id: JobId | StageId) => JobProgress {
  const select = sqlite.prepare<{ id: JobId | StageId }, JobProgress>(
    `with own as (select id from stages where job_id = @id or id = @id)
     select
       coalesce((select sum(primes * units_per_prime) from batches where stage_id in own), 0) as units,
       coalesce(sum(case when state = 'accepted' then unit_count end), 0) as unitsAccepted,
       coalesce(sum(state = 'accepted'), 0) as microtasksAccepted,
       coalesce(sum(state = 'quarantined'), 0) as microtasksQuarantined,
       (select count(*) from refusals where stage_id in own) as resultsRefused,
       coalesce((select sum(checked_units) from results join microtasks m on m.id = microtask_id where m.stage_id in own), 0)
         as unitsChecked
     from microtasks where stage_id in own`,
  );
  return (id) =>
    select.get({ id }) ?? {
      units: 0,
      unitsAccepted: 0,
      microtasksAccepted: 0,
      microtasksQuarantined: 0,
      resultsRefused: 0,
      unitsChecked: 0,
    };
}
