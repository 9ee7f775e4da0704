/** The counts of one open stage: what is left in each batch, and what a job's page shows. */
import type { StageDefinition } from "#lib/scheduling/types.ts";
import type { BatchRecord, StageRecord } from "#lib/storage/records.ts";
import type { JobProgress } from "#lib/storage/store.ts";

interface BatchWork {
  readonly record: BatchRecord;
  /** Units that have neither a result nor were given up. */
  openUnits: number;
  completed: boolean;
}

/** How fast the rate forgets: results older than this hardly count. */
const RATE_MEMORY_MS = 10_000;

export class StageWork {
  readonly record: StageRecord;
  readonly batches = new Map<number, BatchWork>();
  quarantinedUnits = 0;
  #units = 0;
  #unitsAccepted = 0;
  #microtasksAccepted = 0;
  #microtasksQuarantined = 0;
  #resultsRefused = 0;
  #unitsChecked = 0;
  #unitsPerMs = 0;
  #rateAtMs = 0;

  constructor(record: StageRecord) {
    this.record = record;
  }

  /** Counts from before a restart. */
  resume(before: JobProgress): void {
    this.#microtasksAccepted = before.microtasksAccepted;
    this.#resultsRefused = before.resultsRefused;
    this.#unitsChecked = before.unitsChecked;
  }

  addBatch(record: BatchRecord, unitsAccepted: number): void {
    const units = record.primes * record.unitsPerPrime;
    this.#units += units;
    this.#unitsAccepted += unitsAccepted;
    this.batches.set(record.batch, { record, openUnits: units - unitsAccepted, completed: record.state !== "open" });
  }

  /** A completed batch whose results were forgotten. */
  removeBatch(batch: number): void {
    const work = this.batches.get(batch);
    if (!work) return;
    const units = work.record.primes * work.record.unitsPerPrime;
    this.#units -= units;
    this.#unitsAccepted -= units - work.openUnits;
    this.batches.delete(batch);
  }

  accepted(batch: number, units: number, checkedUnits: number, nowMs: number): void {
    this.#unitsAccepted += units;
    this.#microtasksAccepted++;
    this.#unitsChecked += checkedUnits;
    this.#close(batch, units);
    const elapsedMs = this.#rateAtMs === 0 ? RATE_MEMORY_MS : nowMs - this.#rateAtMs;
    this.#unitsPerMs = this.#unitsPerMs * Math.exp(-elapsedMs / RATE_MEMORY_MS) + units / RATE_MEMORY_MS;
    this.#rateAtMs = nowMs;
  }

  quarantined(batch: number, units: number): void {
    this.quarantinedUnits += units;
    this.#microtasksQuarantined++;
    this.#close(batch, units);
  }

  refused(): void {
    this.#resultsRefused++;
  }

  /** A batch that just became complete, once. */
  takeCompletedBatch(): BatchRecord | undefined {
    for (const batch of this.batches.values()) {
      if (batch.completed || batch.openUnits > 0) continue;
      batch.completed = true;
      return batch.record;
    }
    return undefined;
  }

  /** Every batch that was announced is here and has nothing open. */
  get done(): boolean {
    if (this.batches.size < this.record.definition.batches) return false;
    for (const batch of this.batches.values()) if (batch.openUnits > 0) return false;
    return true;
  }

  progress(): JobProgress {
    return {
      // Batches that are announced but not here yet are as large as the others.
      units: this.#units * Math.max(1, this.record.definition.batches / Math.max(1, this.batches.size)),
      unitsAccepted: this.#unitsAccepted,
      microtasksAccepted: this.#microtasksAccepted,
      microtasksQuarantined: this.#microtasksQuarantined,
      resultsRefused: this.#resultsRefused,
      unitsChecked: this.#unitsChecked,
    };
  }

  /** Units accepted per second over the last seconds. */
  unitsPerSecond(nowMs: number): number {
    return this.#rateAtMs === 0 ? 0 : 1000 * this.#unitsPerMs * Math.exp(-(nowMs - this.#rateAtMs) / RATE_MEMORY_MS);
  }

  #close(batch: number, units: number): void {
    const work = this.batches.get(batch);
    if (work) work.openUnits -= units;
  }
}

export function definitionOf(stage: StageRecord): StageDefinition {
  const { definition } = stage;
  return {
    id: stage.id,
    jobId: stage.jobId,
    submitterId: stage.tenantId,
    weight: definition.weight,
    priority: definition.priority,
    deadlineAtMs: definition.deadlineAtMs,
    createdAtMs: stage.createdAtMs,
    regions: definition.regions,
    groupId: definition.groupId,
    minReliability: definition.minReliability,
    kernel: stage.kernel,
    runtimes: definition.runtimes,
    artefacts: definition.artefacts,
    unitBytesIn: stage.unitBytesIn,
    unitBytesOut: stage.unitBytesOut,
    unitMacs: definition.unitMacs,
    residentBytes: definition.residentBytes,
  };
}
