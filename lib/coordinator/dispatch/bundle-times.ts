/**
 * How long bundles take: the promise is three seconds. A bundle is timed when all of its leases were accepted; one that lost
 * a lease (returned, expired, raced) says nothing and is not counted.
 */
import type { DonorId, LeaseId } from "#lib/protocol/ids.ts";
import type { DispatchEvents, Emitter } from "./events.ts";

interface Bundle {
  readonly donorId: DonorId;
  readonly leases: number;
  left: number;
  tookMs: number;
  whole: boolean;
}

export class BundleTimes {
  readonly #open = new Map<LeaseId, Bundle>();
  readonly #events: Emitter<DispatchEvents>;

  constructor(events: Emitter<DispatchEvents>) {
    this.#events = events;
    events.on("result:accepted", ({ leaseId, tookMs }) => this.#ended(leaseId, tookMs));
    events.on("lease:ended", ({ leaseId }) => this.#ended(leaseId, null));
  }

  begin(donorId: DonorId, leaseIds: readonly LeaseId[]): void {
    const bundle: Bundle = { donorId, leases: leaseIds.length, left: leaseIds.length, tookMs: 0, whole: true };
    for (const leaseId of leaseIds) this.#open.set(leaseId, bundle);
  }

  #ended(leaseId: LeaseId, tookMs: number | null): void {
    const bundle = this.#open.get(leaseId);
    if (!bundle) return;
    this.#open.delete(leaseId);
    bundle.left--;
    if (tookMs === null) bundle.whole = false;
    else bundle.tookMs += tookMs;
    if (bundle.left > 0 || !bundle.whole) return;
    const { donorId, leases } = bundle;
    this.#events.emit("bundle:finished", { donorId, leases, tookMs: bundle.tookMs });
  }
}
