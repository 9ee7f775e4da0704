/** How long a lease lives: long enough that only a departed or stuck donor misses it. */
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";

/** Three times the 99th percentile of everything until it should be done, within the limits. */
export function leaseMs(p99UntilDoneMs: number): number {
  return Math.ceil(Math.min(LEASE_LIMITS.leaseMsMax, Math.max(LEASE_LIMITS.leaseMsMin, 3 * p99UntilDoneMs)));
}
