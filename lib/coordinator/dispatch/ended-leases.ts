/** Remembers how recent leases ended, so that a late result is refused with the right reason. Bounded; the oldest go first. */
import { type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import type { DonorId, LeaseId } from "#lib/protocol/ids.ts";

export type Ending = "accepted" | "refused" | "returned" | "expired" | "departed" | "lost" | "closed";

/** ~100 bytes each; at 3,000 results a second these are the last ten seconds, at a usual hundred the last five minutes. */
const REMEMBERED = 32_768;

const ANSWERS: Readonly<Record<Ending, { code: ErrorCode; detail: string }>> = {
  accepted: { code: "already_accepted", detail: "This result was accepted already: nothing is left to send." },
  refused: { code: "lease_expired", detail: "A result of this lease was refused: drop it." },
  returned: { code: "lease_expired", detail: "This lease was given back: drop the result." },
  expired: { code: "lease_expired", detail: "The lease ran out and the work went to others: drop the result." },
  departed: { code: "lease_expired", detail: "The connection had ended and the work went to others: drop the result." },
  lost: { code: "already_accepted", detail: "Another donor's result came first: drop this one." },
  closed: { code: "lease_expired", detail: "The job has ended: drop the result." },
};

export class EndedLeases {
  readonly #endings = new Map<LeaseId, { readonly donorId: DonorId; readonly ending: Ending }>();

  remember(leaseId: LeaseId, donorId: DonorId, ending: Ending): void {
    this.#endings.set(leaseId, { donorId, ending });
    if (this.#endings.size <= REMEMBERED) return;
    for (const oldest of this.#endings.keys()) {
      this.#endings.delete(oldest);
      break;
    }
  }

  /** The error for a lease that is not live. */
  errorFor(leaseId: LeaseId, donorId: DonorId): FluxError {
    const known = this.#endings.get(leaseId);
    if (!known) return new FluxError("lease_unknown", "There is no such lease: drop the result and ask for new work.");
    if (known.donorId !== donorId) return foreignLease();
    const { code, detail } = ANSWERS[known.ending];
    return new FluxError(code, detail);
  }
}

export function foreignLease(): FluxError {
  return new FluxError(
    "lease_foreign",
    "That lease was granted to another donor: send results of your own leases only.",
  );
}
