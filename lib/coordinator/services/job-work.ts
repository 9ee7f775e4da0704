/** What a job's page shows of its microtasks, asked of the store no oftener than it can bear. */
import { JobWork } from "#lib/protocol/api/job-work.ts";
import type { DonorId, JobId } from "#lib/protocol/ids.ts";
import type { JobRecord } from "#lib/storage/records.ts";
import type { JobInsight, Store } from "#lib/storage/store.ts";
import { byCountry } from "../donors-by-country.ts";
import type { Identity } from "../identity.ts";
import { isEnded } from "../jobs/lifecycle.ts";
import { strip } from "../jobs/strip.ts";

export interface JobWorkService {
  get(caller: Identity, id: JobId): Promise<JobWork>;
}

export interface JobWorkOptions {
  readonly store: Pick<Store, "jobs" | "stages">;
  /** Where a donor that is online says it is; null where it does not, or is gone. */
  readonly countryOf: (id: DonorId) => string | null;
  readonly now: () => number;
}

const STEPS = 60;
/** However many watch, looking takes at most one part in this many of the time. */
const SPARE = 20;
const AT_LEAST_MS = 400;
/** Jobs whose last answer is kept. */
const KEPT = 64;

interface Kept {
  readonly work: JobWork;
  readonly ended: boolean;
  readonly until: number;
}

export function createJobWorkService({ store, countryOf, now }: JobWorkOptions): JobWorkService {
  const kept = new Map<JobId, Kept>();

  async function look(job: JobRecord): Promise<JobWork> {
    const [stage] = await store.stages.ofJob(job.id);
    const batches = stage ? await store.stages.batches(stage.id) : [];
    const insight = await store.jobs.insight(job.id, STEPS);
    return JobWork.parse({
      object: "job_work",
      job: job.id,
      unit: job.privacy === "encrypted" ? "lanes" : "records",
      rows: strip({ batches }, insight.accepted, insight.leased),
      throughput: throughput(insight.timeline),
      donors: byCountry(insight.donorIds.map(countryOf)),
      runtimes: insight.runtimes.map(({ runtime, microtasks, units, computeMs }) => ({
        runtime,
        microtasks,
        units,
        compute_seconds: computeMs / 1000,
      })),
      checks: checks(insight),
    } satisfies JobWork);
  }

  return {
    async get(caller, id) {
      const job = await store.jobs.get(caller.tenantId, id);
      const ended = isEnded(job.status);
      const before = kept.get(id);
      if (before && before.ended === ended && now() < before.until) return before.work;
      const startedMs = now();
      const work = await look(job);
      const tookMs = now() - startedMs;
      kept.delete(id);
      kept.set(id, { work, ended, until: now() + Math.max(AT_LEAST_MS, SPARE * tookMs) });
      const [oldest] = kept.keys();
      if (kept.size > KEPT && oldest) kept.delete(oldest);
      return work;
    },
  };
}

function throughput({ fromMs, stepMs, unitsPerStep }: JobInsight["timeline"]): JobWork["throughput"] {
  return {
    from: fromMs === null ? null : new Date(fromMs).toISOString(),
    seconds_per_step: stepMs / 1000,
    units_per_second: unitsPerStep.map((units) => (1000 * units) / Math.max(1, stepMs)),
  };
}

function checks({ runtimes, refused }: JobInsight): JobWork["checks"] {
  const sum = (read: (runtime: JobInsight["runtimes"][number]) => number) =>
    runtimes.reduce((total, runtime) => total + read(runtime), 0);
  return {
    results: sum(({ microtasks }) => microtasks),
    results_checked: sum(({ resultsChecked }) => resultsChecked),
    units: sum(({ units }) => units),
    units_recomputed: sum(({ unitsChecked }) => unitsChecked),
    refused: [...refused],
  };
}
