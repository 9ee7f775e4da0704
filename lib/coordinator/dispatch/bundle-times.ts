/**
 * How long bundles take: the promise is three seconds. A bundle is timed when all of its leases were accepted; one that lost
 * a lease (returned, expired, raced) says nothing and is not counted.
 */
import type { DonorId, LeaseId } from "#lib/protocol/ids.ts";
import type { Attempt } from "#lib/scheduling/types.ts";
import type { DispatchEvents, Emitter } from "./events.ts";

interface Bundle {
  readonly donorId: DonorId;
  readonly leases: number;
  readonly promisedP90Ms: number;
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

  begin(donorId: DonorId, attempts: readonly Attempt[]): void {
    const leases = attempts.length;
    const promisedP90Ms = attempts.reduce((sum, { promised }) => sum + promised.p90, 0);
    const bundle: Bundle = { donorId, leases, promisedP90Ms, left: leases, tookMs: 0, whole: true };
    for (const { leaseId } of attempts) this.#open.set(leaseId, bundle);
  }

  #ended(leaseId: LeaseId, tookMs: number | null): void {
    const bundle = this.#open.get(leaseId);
    if (!bundle) return;
    this.#open.delete(leaseId);
    bundle.left--;
    if (tookMs === null) bundle.whole = false;
    else bundle.tookMs += tookMs;
    if (bundle.left > 0 || !bundle.whole) return;
    const { donorId, leases, promisedP90Ms, tookMs: bundleMs } = bundle;
    this.#events.emit("bundle:finished", { donorId, leases, promisedP90Ms, tookMs: bundleMs });
  }
}
