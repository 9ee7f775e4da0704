/**
 * Who asks. Every service takes an `Identity` and every read and write goes through the store with its tenant, so that
 * another tenant's id is answered 404. Accounts (sessions of signed-in people) will make identities here too.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Scope } from "#lib/protocol/api/access.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { type ApiKeyId, Digest, type TenantId } from "#lib/protocol/ids.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { Store } from "#lib/storage/store.ts";

export interface Identity {
  readonly tenantId: TenantId;
  readonly keyId: ApiKeyId;
  readonly scopes: readonly Scope[];
}

/** `flux_sk_` and 160 random bits in base64url. */
const KEY_PATTERN = /^flux_sk_[A-Za-z0-9_-]{27}$/;

export function hashKey(key: string): Digest {
  return Digest.parse(createHash("sha256").update(key).digest("hex"));
}

/** @throws FluxError unauthenticated where the key is unknown or revoked */
export async function identify(store: Store, key: string, nowMs: number): Promise<Identity> {
  const record = KEY_PATTERN.test(key) ? await store.apiKeys.byHash(hashKey(key)) : undefined;
  if (!record || record.revokedAtMs !== null) {
    throw new FluxError("unauthenticated", "This API key is not valid: it is mistyped, revoked, or another server's.");
  }
  store.apiKeys.touch(record.id, nowMs);
  return { tenantId: record.tenantId, keyId: record.id, scopes: record.scopes };
}

export function requireScope(identity: Identity, scope: Scope): void {
  if (identity.scopes.includes(scope) || identity.scopes.includes("admin")) return;
  throw new FluxError(
    "forbidden",
    `This needs the scope ${scope}; the key has ${identity.scopes.join(", ") || "none"}.`,
  );
}

/** Makes a key and stores its hash. The key itself is returned once and kept nowhere. */
export async function createApiKey(
  store: Store,
  tenantId: TenantId,
  name: string,
  scopes: readonly Scope[],
  nowMs: number,
): Promise<{ readonly id: ApiKeyId; readonly key: string }> {
  const key = `flux_sk_${randomBytes(20).toString("base64url")}`;
  const id = freshId("key");
  await store.apiKeys.insert({
    id,
    tenantId,
    name,
    hash: hashKey(key),
    hint: key.slice(-4),
    scopes: [...scopes],
    createdAtMs: nowMs,
    revokedAtMs: null,
    lastUsedAtMs: null,
  });
  return { id, key };
}

/** At the first start: a tenant and its key. Undefined when there is a tenant already. */
export async function createFirstKey(store: Store, nowMs: number): Promise<string | undefined> {
  if ((await store.tenants.count()) > 0) return undefined;
  const tenantId = freshId("ten");
  await store.tenants.insert({ id: tenantId, name: "First tenant", createdAtMs: nowMs });
  const { key } = await createApiKey(store, tenantId, "First key", ["jobs:read", "jobs:write", "admin"], nowMs);
  return key;
}
