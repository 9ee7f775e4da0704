/** A job as its submitter sees it: counts, what it waits for in words, and when it should be done. */
import type { JobResource, JobStatus } from "#lib/protocol/api/jobs.ts";
import type { Recipe } from "#lib/protocol/api/recipe.ts";
import type { JobRecord } from "#lib/storage/records.ts";
import type { JobProgress } from "#lib/storage/store.ts";
import type { LiveWork } from "../work.ts";

export interface JobFacts {
  readonly job: JobRecord;
  readonly progress: JobProgress;
  readonly records: number;
  readonly recipe: Recipe | null;
  /** Null when the dispatcher does not hold the job. */
  readonly live: LiveWork | null;
  readonly donorsOnline: number;
  /** Queued jobs before this one; null when it is not queued. */
  readonly queuePosition: number | null;
}

export function jobResource(facts: JobFacts): JobResource {
  const { job, progress, live } = facts;
  const self = `/api/v1/jobs/${job.id}`;
  return {
    id: job.id,
    object: "job",
    name: job.name,
    status: job.status,
    privacy: job.privacy,
    custody: job.custody,
    models: job.request.models ?? (job.request.model ? [job.request.model] : []),
    dataset: job.datasetId,
    created_at: iso(job.createdAtMs),
    started_at: job.startedAtMs === null ? null : iso(job.startedAtMs),
    completed_at: job.completedAtMs === null ? null : iso(job.completedAtMs),
    counts: {
      records: facts.records,
      units: progress.units,
      units_accepted: progress.unitsAccepted,
      microtasks: microtaskEstimate(facts),
      microtasks_accepted: progress.microtasksAccepted,
      microtasks_leased: live?.microtasksLeased ?? 0,
      microtasks_quarantined: progress.microtasksQuarantined,
      results_refused: progress.resultsRefused,
      audits: progress.unitsChecked,
    },
    eta_seconds: etaSeconds(facts),
    units_per_second: job.status === "running" ? (live?.unitsPerSecond ?? null) : null,
    queue_position: facts.queuePosition,
    why: why(facts),
    error: job.error,
    plan: job.plan,
    recipe: facts.recipe,
    report: job.report,
    aggregation: null,
    metadata: job.request.metadata,
    urls: { self, results: `${self}/results`, events: `${self}/events`, page: `/dashboard/jobs/${job.id}` },
  };
}

/** Microtasks are cut when they are leased: what is not cut yet is counted in pieces of the size so far, or as planned. */
function microtaskEstimate({ job, progress, live }: JobFacts): number {
  const cut = progress.microtasksAccepted + progress.microtasksQuarantined + (live?.microtasksLeased ?? 0);
  if (job.status === "completed") return cut;
  const left = progress.units - progress.unitsAccepted;
  const size = progress.microtasksAccepted > 0 ? progress.unitsAccepted / progress.microtasksAccepted : null;
  const planned = job.plan?.microtasks ?? 0;
  return size === null ? Math.max(planned, cut) : Math.max(cut, progress.microtasksAccepted + Math.ceil(left / size));
}

function etaSeconds({ job, progress, live }: JobFacts): number | null {
  if (job.status !== "running" || !live || live.unitsPerSecond <= 0) return null;
  return (progress.units - progress.unitsAccepted) / live.unitsPerSecond;
}

function why(facts: JobFacts): string {
  const { job, progress, live, donorsOnline, queuePosition } = facts;
  switch (job.status) {
    case "planning":
      return "Compiling the model for encrypted data and measuring how faithful it stays.";
    case "queued": {
      if (job.custody === "submitter" && progress.unitsAccepted === 0 && !live?.microtasksPending) {
        return "Waiting for its submitter, who holds the key, to encrypt and upload the first batch.";
      }
      if (job.privacy === "encrypted" && progress.units === 0) {
        return "The key-holder is encrypting the first batch; donors get it when it is ready.";
      }
      if (donorsOnline === 0) return "Waiting for a donor: none is online. Open /donate in a browser to lend one.";
      if (live?.why.startsWith("waiting")) return sentence(live.why);
      return queuePosition
        ? `Waiting behind ${count(queuePosition, "job")}.`
        : "Waiting for the next donor that is free.";
    }
    case "running": {
      const setAside = progress.microtasksQuarantined;
      const note =
        setAside > 0
          ? ` ${count(setAside, "microtask")} kept failing and ${setAside === 1 ? "was" : "were"} set aside.`
          : "";
      if (live && live.microtasksLeased > 0) {
        const held = `${count(live.microtasksLeased, "microtask")} ${live.microtasksLeased === 1 ? "is" : "are"} with donors now`;
        const standing = live.why.startsWith("running: ") ? `: ${live.why.slice("running: ".length)}` : "";
        return `${held}${standing}.${note}`;
      }
      if (job.custody === "submitter" && live?.microtasksPending === 0) {
        return "Waiting for its submitter, who holds the key, to encrypt, upload or decrypt a batch.";
      }
      if (job.privacy === "encrypted" && live?.microtasksPending === 0) {
        return "The key-holder is encrypting or decrypting a batch; donors wait for it.";
      }
      if (donorsOnline === 0) return "Waiting for a donor: all have left. Open /donate in a browser to lend one.";
      return `${live ? sentence(live.why) : "Waiting for the next donor that is free."}${note}`;
    }
    case "aggregating":
      if (job.custody === "submitter") {
        return "Every lane is computed. Its submitter, who holds the key, fetches and decrypts the results.";
      }
      return "All microtasks are done; the results are being put together.";
    case "completed": {
      if (job.custody === "submitter") return "Done: its submitter has decrypted every record's result.";
      const missing = progress.units - progress.unitsAccepted;
      return missing > 0
        ? `Done, but ${count(missing, "unit")} kept failing and ${missing === 1 ? "has" : "have"} no result.`
        : "Done: every record has its result.";
    }
    case "failed":
      return job.error?.detail ?? "It failed.";
    case "canceled":
      return "Cancelled by its submitter.";
    default:
      return unreachable(job.status);
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function count(value: number, noun: string): string {
  return `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

function unreachable(status: never): never {
  throw new Error(`unknown job status ${String(status satisfies JobStatus)}`);
}
