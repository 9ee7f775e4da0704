/** What one account may hold: what the operator set for it, else the defaults of lib/protocol/limits.ts. */
import type { TenantId } from "#lib/protocol/ids.ts";
import { ACCOUNT_LIMITS, UPLOAD_LIMITS } from "#lib/protocol/limits.ts";
import type { TenantQuotas } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";

export type Quotas = { readonly [Quota in keyof TenantQuotas]-?: number };

export const DEFAULT_QUOTAS: Quotas = {
  jobs: UPLOAD_LIMITS.jobsPerTenant,
  concurrentJobs: ACCOUNT_LIMITS.concurrentJobsPerTenant,
  files: UPLOAD_LIMITS.filesPerTenant,
  bytes: UPLOAD_LIMITS.bytesPerTenant,
};

export async function quotasOf(store: Store, tenantId: TenantId): Promise<Quotas> {
  const { quotas } = await store.tenants.get(tenantId);
  return {
    jobs: quotas.jobs ?? DEFAULT_QUOTAS.jobs,
    concurrentJobs: quotas.concurrentJobs ?? DEFAULT_QUOTAS.concurrentJobs,
    files: quotas.files ?? DEFAULT_QUOTAS.files,
    bytes: quotas.bytes ?? DEFAULT_QUOTAS.bytes,
  };
}
