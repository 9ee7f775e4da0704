/** What the audit log is told. Reads are not in it; what changes who may do what, or what an operator did, is. */
import type { TenantId } from "#lib/protocol/ids.ts";
import type { Store } from "#lib/storage/store.ts";

export type AuditAction =
  | "person.signed_up"
  | "person.removed"
  | "session.started"
  | "session.ended"
  | "key.created"
  | "key.revoked"
  | "webhook.created"
  | "webhook.removed"
  | "webhook.disabled"
  | "webhook.enabled"
  | "tenant.quotas_set"
  | "tenant.suspended"
  | "tenant.restored"
  | "tenant.removed"
  | "password.reset_link_made"
  | "donor.banned"
  | "donor.unbanned"
  | "backup.made"
  | "backup.downloaded";

export interface AuditEntry {
  readonly action: AuditAction;
  /** usr_…, key_…, or "system". */
  readonly actor: string;
  readonly tenantId: TenantId | null;
  readonly target?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly address?: string | null;
}

export interface Audit {
  add(entry: AuditEntry): void;
}

export function createAudit(store: Pick<Store, "audit">, now: () => number): Audit {
  return {
    add({ action, actor, tenantId, target = null, detail = {}, address = null }) {
      store.audit.add({ atMs: now(), action, actor, tenantId, target, detail: { ...detail }, address });
    },
  };
}
