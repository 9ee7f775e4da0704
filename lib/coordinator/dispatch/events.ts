/** What happens to work, as one typed event map `noun:verb`. Logs, metrics, the job lifecycle and tests listen to it. */
import type { ErrorCode } from "#lib/protocol/errors.ts";
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId } from "#lib/protocol/ids.ts";
import type { KernelKind, RuntimeId } from "#lib/protocol/stage.ts";
import type { Interval } from "#lib/scheduling/types.ts";

interface OfMicrotask {
  readonly jobId: JobId;
  readonly stageId: StageId;
  readonly microtaskId: MicrotaskId;
  readonly units: number;
}

interface OfLease extends OfMicrotask {
  readonly leaseId: LeaseId;
  readonly donorId: DonorId;
}

/** Why a lease ended without an accepted result. */
export type LeaseEnd = "refused" | "returned" | "expired" | "departed" | "revoked";

export interface DispatchEvents {
  "donor:joined": { readonly donorId: DonorId; readonly online: number };
  "donor:left": { readonly donorId: DonorId; readonly online: number; readonly leasesReturned: number };
  "donor:banned": { readonly donorId: DonorId; readonly refused: number };
  "lease:granted": OfLease & { readonly fence: number; readonly waitedMs: number; readonly reissue: boolean };
  "lease:ended": OfLease & { readonly how: LeaseEnd };
  "result:accepted": OfLease & {
    readonly kernel: KernelKind;
    readonly runtime: RuntimeId;
    readonly computeMs: number;
    /** Its way through the donor, alone: payload, computing with its rests, handing over, result. */
    readonly tookMs: number;
    /** What was promised of that when it was leased. */
    readonly promised: Interval;
    readonly checkedUnits: number;
    readonly checkMs: number;
    /** Processor time of the check; 0 where it was not measured. */
    readonly checkCpuMs: number;
    readonly commitMs: number;
    readonly bytes: number;
  };
  /** All of its leases were accepted; `tookMs` is theirs together. */
  "bundle:finished": {
    readonly donorId: DonorId;
    readonly leases: number;
    readonly promisedP90Ms: number;
    readonly tookMs: number;
  };
  /** `counted`: against the microtask and the donor; the others changed nothing. */
  "result:refused": {
    readonly donorId: DonorId;
    readonly leaseId: LeaseId;
    readonly code: ErrorCode;
    readonly detail: string;
    readonly counted: boolean;
    /** Null where the lease was not this donor's. */
    readonly kernel: KernelKind | null;
  };
  "microtask:requeued": OfMicrotask & { readonly failures: number };
  "microtask:quarantined": OfMicrotask & { readonly failures: number };
  "batch:completed": { readonly jobId: JobId; readonly stageId: StageId; readonly batch: number };
  "stage:opened": { readonly jobId: JobId; readonly stageId: StageId; readonly units: number };
  "stage:completed": { readonly jobId: JobId; readonly stageId: StageId; readonly quarantinedUnits: number };
  "stage:closed": { readonly jobId: JobId; readonly stageId: StageId; readonly leasesRevoked: number };
  /** Something of ours broke on the way; the work goes on. */
  "dispatch:failed": { readonly what: string; readonly error: unknown };
}

export class Emitter<Events extends object> {
  readonly #listeners: { [Name in keyof Events]?: Set<(event: Events[Name]) => void> } = {};

  /** @returns the function that stops listening */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners: Set<(event: Events[Name]) => void> = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** The next event that fits. */
  once<Name extends keyof Events>(
    name: Name,
    fits: (event: Events[Name]) => boolean = () => true,
  ): Promise<Events[Name]> {
    return new Promise((resolve) => {
      const stop = this.on(name, (event) => {
        if (!fits(event)) return;
        stop();
        resolve(event);
      });
    });
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners[name] ?? []) listener(event);
  }
}
