/**
 * What plans of encrypted jobs promised and what their jobs then showed: donor time, the key-holder's time, bytes, error. Kept
 * by the models' digests, so that the next plan for the same models tells what was measured and not what was rehearsed.
 */
import { createHash } from "node:crypto";
import type { EncryptedPlan, JobReport } from "#lib/protocol/api/jobs.ts";
import { Digest } from "#lib/protocol/ids.ts";
import type { LogEntry } from "#lib/scheduling/optimizer.ts";
import type { JobRecord, PlanOutcomeRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";

export type Experience = NonNullable<EncryptedPlan["experience"]>;

/** Jobs that an experience is made of. */
const RECENT = 10;
/** Differences below this are not worth a line in the log. */
const WORTH_TELLING = 0.2;

export function modelsDigest(sha256: readonly string[]): Digest {
  return Digest.parse(createHash("sha256").update(sha256.join("\n")).digest("hex"));
}

/** What earlier jobs with these models showed; null where there was none. */
export async function experienceWith(
  store: Pick<Store, "planOutcomes">,
  sha256: readonly string[],
): Promise<Experience | null> {
  const outcomes = await store.planOutcomes.ofModels(modelsDigest(sha256), RECENT);
  if (outcomes.length === 0) return null;
  const measured = (key: keyof PlanOutcomeRecord["measured"]) =>
    outcomes.flatMap((outcome) => outcome.measured[key] ?? []).toSorted((a, b) => a - b);
  const median = (values: readonly number[]) => values[Math.floor(values.length / 2)] ?? null;
  return {
    jobs: outcomes.length,
    core_seconds_per_record: median(measured("coreSecondsPerRecord")),
    key_holder_ms_per_record: median(measured("keyHolderMsPerRecord")),
    same_answer_rate: measured("sameAnswerRate")[0] ?? null,
    largest_error: measured("largestError").at(-1) ?? null,
  };
}

/** The plan as experience corrects it: costs as measured, fidelity as rehearsed (its records are this job's own). */
export function corrected(plan: EncryptedPlan, experience: Experience | null): EncryptedPlan {
  if (!experience) return plan;
  const coreSeconds = experience.core_seconds_per_record ?? plan.core_seconds_per_record;
  const keyHolderMs = experience.key_holder_ms_per_record ?? plan.key_holder_ms_per_record;
  const computed = plan.batches * plan.records_per_batch;
  const donorSeconds = (coreSeconds * computed) / Math.max(1, plan.donors_online);
  return {
    ...plan,
    core_seconds_per_record: coreSeconds,
    key_holder_ms_per_record: keyHolderMs,
    seconds_with_donors_online: plan.donors_online > 0 ? Math.max(donorSeconds, (keyHolderMs * computed) / 1000) : null,
    experience,
  };
}

/** Records a completed job's outcome. Returns a line for the log where the plan was far off. */
export async function recordOutcome(
  store: Pick<Store, "models" | "stages" | "planOutcomes">,
  job: JobRecord,
  { report, keyHolderMs }: { readonly report: JobReport; readonly keyHolderMs: number | null },
  nowMs: number,
): Promise<LogEntry | null> {
  const { plan, request } = job;
  if (plan?.privacy !== "encrypted") return null;
  const models = await Promise.all(
    (request.models ?? (request.model ? [request.model] : [])).map((id) => store.models.get(SYSTEM, id)),
  );
  const computed = plan.batches * plan.records_per_batch;
  let bytesDown = 0;
  let bytesUp = 0;
  for (const { id, unitBytesIn, unitBytesOut } of await store.stages.ofJob(job.id)) {
    const { unitsAccepted } = await store.stages.progress(id);
    bytesDown += unitBytesIn * unitsAccepted;
    bytesUp += unitBytesOut * unitsAccepted;
  }
  const coreSeconds = report.audits.donor_seconds / computed;
  await store.planOutcomes.add({
    jobId: job.id,
    modelsDigest: modelsDigest(models.map(({ sha256 }) => sha256)),
    records: plan.records,
    ringDegree: plan.ring_degree,
    modulusBits: plan.modulus_bits,
    recordsPerBatch: plan.records_per_batch,
    planned: {
      coreSecondsPerRecord: plan.core_seconds_per_record,
      keyHolderMsPerRecord: plan.key_holder_ms_per_record,
      bytesDownPerRecord: plan.bytes_per_record_down,
      bytesUpPerRecord: plan.bytes_per_record_up,
      sameAnswerRate: plan.fidelity.same_answer_rate,
      largestError: plan.fidelity.largest_error,
    },
    measured: {
      coreSecondsPerRecord: coreSeconds,
      keyHolderMsPerRecord: keyHolderMs === null ? null : keyHolderMs / computed,
      bytesDownPerRecord: bytesDown / computed,
      bytesUpPerRecord: bytesUp / computed,
      sameAnswerRate: report.fidelity?.same_answer_rate ?? null,
      largestError: report.fidelity?.largest_error ?? null,
    },
    createdAtMs: nowMs,
  });
  const ratio = coreSeconds / plan.core_seconds_per_record;
  if (!(Math.abs(Math.log(ratio)) > WORTH_TELLING)) return null;
  const words =
    `An encrypted job (N = ${plan.ring_degree}, ${plan.modulus_bits.toFixed(0)} bits) took donors ${ratio.toFixed(2)} × the time that its plan ` +
    `said: the next plan for the same model says ${(1000 * coreSeconds).toPrecision(2)} ms of donor time a record instead of ` +
    `${(1000 * plan.core_seconds_per_record).toPrecision(2)} ms.`;
  return { atMs: nowMs, about: "plan-cost", words };
}
