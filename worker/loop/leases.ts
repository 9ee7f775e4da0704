/** The leases in this donor's hands. Each enters once, by `admit`, and leaves once, by `end`. */
import type { Lease } from "#lib/protocol/donor.ts";
import type { StageSpec } from "#lib/protocol/stage.ts";
import type { HeldMicrotask } from "../messages.ts";

/** What a microtask needs to compute, once it is all here. */
export interface Ingredients {
  spec: StageSpec;
  /** The stage's model or program. */
  artefact: Uint8Array<ArrayBuffer>;
  payload: Uint8Array<ArrayBuffer>;
  downloadMs: number;
}

export interface HeldLease {
  readonly lease: Lease;
  /** Leases that came in one answer share this. */
  readonly bundle: number;
  readonly receivedAtMs: number;
  readonly deadlineMs: number;
  /** Aborts when the lease ends while it is being fetched or computed. */
  readonly abort: AbortController;
  /** waiting: for its ingredients or its turn; computing; sending: until the coordinator has answered the result. */
  state: "waiting" | "computing" | "sending";
  ingredients: Ingredients | null;
  unitsDone: number;
}

export interface LeaseTable {
  admit(leases: readonly Lease[], nowMs: number): HeldLease[];
  /** Takes a lease out and aborts what is being done for it; false when it is out already. */
  end(held: HeldLease): boolean;
  get(leaseId: string): HeldLease | undefined;
  all(): HeldLease[];
  /** The next that can compute, in the order of their coming. */
  nextReady(): HeldLease | undefined;
  /** Predicted milliseconds of work that wait for their turn. */
  waitingMs(): number;
  /** Bytes of payloads that wait or compute. */
  payloadBytes(): number;
  view(): HeldMicrotask[];
}

export function createLeaseTable(): LeaseTable {
  const held = new Map<string, HeldLease>();
  let bundles = 0;

  const all = (): HeldLease[] => [...held.values()];
  return {
    admit(leases, nowMs) {
      bundles++;
      return leases.map((lease) => {
        const entry: HeldLease = {
          lease,
          bundle: bundles,
          receivedAtMs: nowMs,
          deadlineMs: nowMs + lease.leaseMs,
          abort: new AbortController(),
          state: "waiting",
          ingredients: null,
          unitsDone: 0,
        };
        held.set(lease.leaseId, entry);
        return entry;
      });
    },
    end(entry) {
      if (held.get(entry.lease.leaseId) !== entry) return false;
      held.delete(entry.lease.leaseId);
      entry.abort.abort();
      return true;
    },
    get: (leaseId) => held.get(leaseId),
    all,
    nextReady: () => all().find((entry) => entry.state === "waiting" && entry.ingredients !== null),
    waitingMs: () => all().reduce((sum, entry) => (entry.state === "waiting" ? sum + entry.lease.predictedMs : sum), 0),
    payloadBytes: () =>
      all().reduce((sum, entry) => (entry.state === "sending" ? sum : sum + entry.lease.payloadBytes), 0),
    view: () =>
      all().map((entry) => ({
        id: entry.lease.leaseId,
        state: entry.state,
        kernel: entry.lease.kernel,
        jobId: entry.lease.jobId,
        units: entry.lease.unitCount,
        unitsDone: entry.state === "sending" ? entry.lease.unitCount : entry.unitsDone,
        predictedMs: entry.lease.predictedMs,
      })),
  };
}
