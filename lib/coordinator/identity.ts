/**
 * Who asks. A caller is a program with an API key or a person who is signed in; either belongs to one tenant (the account that
 * owns files, models, datasets and jobs). Every service takes an `Identity`, and every read and write goes through the store
 * with its tenant, so that another tenant's id is answered 404.
 *
 * What a person may do follows from their role: everything of their own account, and as an admin of this server everything.
 * What a key may do stands in its scopes, which are never wider than those of who made it.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Role, Scope } from "#lib/protocol/api/access.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { type ApiKeyId, Digest, type SessionId, type TenantId, type UserId } from "#lib/protocol/ids.ts";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { Store } from "#lib/storage/store.ts";

interface Caller {
  readonly tenantId: TenantId;
  readonly scopes: readonly Scope[];
}

export interface KeyIdentity extends Caller {
  readonly kind: "key";
  readonly keyId: ApiKeyId;
}

export interface PersonIdentity extends Caller {
  readonly kind: "person";
  readonly userId: UserId;
  readonly sessionId: SessionId;
}

export type Identity = KeyIdentity | PersonIdentity;

const OWN_ACCOUNT: readonly Scope[] = ["jobs:read", "jobs:write", "account"];
export const EVERYTHING: readonly Scope[] = [...OWN_ACCOUNT, "admin"];

export function scopesOfRole(role: Role): readonly Scope[] {
  return role === "admin" ? EVERYTHING : OWN_ACCOUNT;
}

/** What stands in logs and counts requests: the key or the session, never the secret. */
export function callerId(identity: Identity): ApiKeyId | SessionId {
  return identity.kind === "key" ? identity.keyId : identity.sessionId;
}

/** Who is answerable, for the audit log. */
export function actorId(identity: Identity): ApiKeyId | UserId {
  return identity.kind === "key" ? identity.keyId : identity.userId;
}

/** `flux_sk_` and 160 random bits in base64url. */
const KEY_PATTERN = /^flux_sk_[A-Za-z0-9_-]{27}$/;

export function hashKey(key: string): Digest {
  return Digest.parse(createHash("sha256").update(key).digest("hex"));
}

/** @throws FluxError unauthenticated where the key is unknown or revoked; forbidden where its account is suspended */
export async function identify(store: Store, key: string, nowMs: number): Promise<KeyIdentity> {
  const record = KEY_PATTERN.test(key) ? await store.apiKeys.byHash(hashKey(key)) : undefined;
  if (!record || record.revokedAtMs !== null) {
    throw new FluxError("unauthenticated", "This API key is not valid: it is mistyped, revoked, or another server's.");
  }
  await requireActive(store, record.tenantId);
  store.apiKeys.touch(record.id, nowMs);
  return { kind: "key", tenantId: record.tenantId, keyId: record.id, scopes: record.scopes };
}

/** @throws FluxError forbidden where the operator has suspended the account */
export async function requireActive(store: Store, tenantId: TenantId): Promise<void> {
  if ((await store.tenants.get(tenantId)).suspendedAtMs === null) return;
  throw new FluxError("forbidden", "This account is suspended: ask the operator of this server why.");
}

export function hasScope(identity: Identity, scope: Scope): boolean {
  return identity.scopes.includes(scope) || identity.scopes.includes("admin");
}

export function requireScope(identity: Identity, scope: Scope): void {
  if (hasScope(identity, scope)) return;
  const holder = identity.kind === "key" ? "the key has" : "you have";
  throw new FluxError("forbidden", `This needs the scope ${scope}; ${holder} ${identity.scopes.join(", ") || "none"}.`);
}

/** Makes a key and stores its hash. The key itself is returned once and kept nowhere. */
export async function createApiKey(
  store: Store,
  tenantId: TenantId,
  name: string,
  scopes: readonly Scope[],
  nowMs: number,
): Promise<{ readonly id: ApiKeyId; readonly key: string }> {
  const valid = (await store.apiKeys.list(tenantId)).filter(({ revokedAtMs }) => revokedAtMs === null).length;
  if (valid >= ACCOUNT_LIMITS.keysPerTenant) {
    throw new FluxError("quota_exceeded", `An account may have ${ACCOUNT_LIMITS.keysPerTenant} API keys: revoke one.`);
  }
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
  const { key } = await createApiKey(store, tenantId, "First key", EVERYTHING, nowMs);
  return key;
}
