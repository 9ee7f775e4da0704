/**
 * Finished results until the coordinator has answered them. Sending does not hold up computing: each goes out at once,
 * several may be under way. What was not answered when a connection ended is sent again on the next one; the coordinator
 * accepts a microtask once, so a repeat does no harm.
 */
import type { ResultSubmission } from "#lib/protocol/donor.ts";
import { ERROR_CODES, type FluxError, isFluxError } from "#lib/protocol/errors.ts";
import type { Receipt } from "#lib/protocol/receipts.ts";
import type { Clock } from "../clock.ts";
import type { HeldLease } from "./leases.ts";
import type { Link } from "./link.ts";

export interface Finished {
  held: HeldLease;
  submission: Omit<ResultSubmission, "timings"> & { timings: Omit<ResultSubmission["timings"], "uploadMs"> };
  result: Uint8Array<ArrayBuffer>;
}

export type Verdict =
  | { kind: "accepted"; units: number; receipt: Receipt | null }
  /** Refused by its content: it counts against this donor. */
  | { kind: "refused"; error: FluxError }
  /** Too late, or someone else was first: no harm and no credit. */
  | { kind: "superseded"; error: FluxError };

export interface Outbox {
  post(finished: Finished): void;
  /** A connection is up again: send what is unanswered. */
  flush(): void;
  /** Enough results lie here that computing should wait. */
  readonly full: boolean;
}

/** About two of the largest results: memory is bounded while the link is down. */
const OUTBOX_BYTES = 8 * 1024 * 1024;
const OUTBOX_RESULTS = 64;
const RETRY_MS = 1_000;

export function createOutbox(ports: {
  clock: Clock;
  link: Link;
  onVerdict(finished: Finished, verdict: Verdict): void;
}): Outbox {
  const { clock, link, onVerdict } = ports;
  const unanswered = new Set<Finished>();
  const underWay = new Set<Finished>();
  let bytes = 0;
  let lastUploadMs = 0;

  async function send(finished: Finished): Promise<void> {
    if (underWay.has(finished) || !link.online) return;
    underWay.add(finished);
    const { submission, result } = finished;
    const startMs = clock.nowMs();
    try {
      const timings = { ...submission.timings, uploadMs: lastUploadMs };
      const { value } = await link.request("result:submit", { ...submission, timings }, { buffer: result });
      lastUploadMs = Math.min(3_600_000, clock.nowMs() - startMs);
      close(finished, { kind: "accepted", units: value.units, receipt: value.receipt ?? null });
    } catch (error) {
      if (!isFluxError(error)) throw error;
      if (ERROR_CODES[error.code].retryable) retryLater(finished);
      else close(finished, { kind: isOwnFault(error) ? "refused" : "superseded", error });
    } finally {
      underWay.delete(finished);
    }
  }

  function retryLater(finished: Finished): void {
    // Offline: flush sends it. Online: the coordinator was busy or its answer got lost.
    if (link.online) clock.after(RETRY_MS, () => unanswered.has(finished) && void send(finished));
  }

  function close(finished: Finished, verdict: Verdict): void {
    if (!unanswered.delete(finished)) return;
    bytes -= finished.result.length;
    onVerdict(finished, verdict);
  }

  return {
    post(finished) {
      unanswered.add(finished);
      bytes += finished.result.length;
      void send(finished);
    },
    flush() {
      for (const finished of unanswered) void send(finished);
    },
    get full() {
      return bytes >= OUTBOX_BYTES || unanswered.size >= OUTBOX_RESULTS;
    },
  };
}

function isOwnFault(error: FluxError): boolean {
  return error.code === "audit_failed" || error.code === "result_malformed" || error.code === "invalid_request";
}
