/** What was measured while an encrypted job ran, from the rows of its batches and results: it survives restarts. */
import type { JobReport, MeasuredFidelity } from "#lib/protocol/api/jobs.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import type { Store } from "#lib/storage/store.ts";

export async function jobReport(store: Store, jobId: JobId): Promise<JobReport> {
  let fidelity: MeasuredFidelity | null = null;
  const generations = new Map<number, number>();
  const audits = { lanes: 0, cpu_seconds: 0, donor_seconds: 0 };
  for (const stage of await store.stages.ofJob(jobId)) {
    for (const batch of await store.stages.batches(stage.id)) {
      if (batch.fidelity) fidelity = fidelity ? merged(fidelity, batch.fidelity) : batch.fidelity;
      // Members share a batch's ciphertexts: what was done anew for one of them counts once.
      generations.set(batch.batch, Math.max(generations.get(batch.batch) ?? 0, batch.keyGeneration));
    }
    const { computeMs, checkedUnits, checkCpuMs } = await store.work.effort(stage.id);
    audits.lanes += checkedUnits;
    audits.cpu_seconds += checkCpuMs / 1000;
    audits.donor_seconds += computeMs / 1000;
  }
  return { fidelity, alarms: [...generations.values()].reduce((sum, count) => sum + count, 0), audits };
}

function merged(a: MeasuredFidelity, b: MeasuredFidelity): MeasuredFidelity {
  const records = a.records + b.records;
  const same = a.records * a.same_answer_rate + b.records * b.same_answer_rate;
  return {
    records,
    same_answer_rate: records === 0 ? 1 : same / records,
    largest_error: Math.max(a.largest_error, b.largest_error),
  };
}
