/** What the dispatcher asks about the bytes of a kernel's work: where payloads come from, and whether results are right. */
import type { KernelKind, RuntimeId } from "#lib/protocol/stage.ts";
import type { BatchRecord, StageRecord, UnitRange } from "#lib/storage/records.ts";

export interface PayloadSource {
  /** Exact sizes: donors and coordinator both rely on them. */
  payloadBytes(stage: StageRecord, range: UnitRange): number;
  resultBytes(stage: StageRecord, range: UnitRange): number;
  read(stage: StageRecord, batch: BatchRecord, range: UnitRange): Promise<Uint8Array>;
}

/** What is known of who computed it: decides how much is recomputed. */
export interface DonorTrust {
  readonly accepted: number;
  readonly refused: number;
}

export interface CheckRequest {
  readonly stage: StageRecord;
  readonly batch: BatchRecord;
  readonly range: UnitRange;
  readonly runtime: RuntimeId;
  readonly donor: DonorTrust;
  /** Of the declared size; nothing else about it is known. */
  readonly result: Uint8Array;
}

export type Verdict =
  | {
      readonly right: true;
      readonly checkedUnits: number;
      /** Processor time, where it is measured. */
      readonly checkCpuMs?: number;
      /** How far it lies from what was recomputed, as a share of what is allowed; left out where results are exact. */
      readonly drift?: number;
    }
  | { readonly right: false; readonly code: "audit_failed" | "result_malformed"; readonly detail: string };

export interface ResultChecker {
  /** Rejects only when the check itself could not be made; the donor may then send the result again. */
  check(request: CheckRequest): Promise<Verdict>;
}

export interface KernelServices {
  readonly payloads: PayloadSource;
  readonly checker: ResultChecker;
}

export type KernelRegistry = Partial<Record<KernelKind, KernelServices>>;
