/** API keys, and signing a browser in with one. */
import { z } from "zod";
import { ApiKeyResource, CreateApiKey, NewApiKey, Session, SignIn } from "#lib/protocol/api/access.ts";
import { Deleted } from "#lib/protocol/api/common.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { ApiKeyId } from "#lib/protocol/ids.ts";
import type { ApiKeyRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Audit } from "../../audit.ts";
import { actorId, createApiKey, hasScope, identify } from "../../identity.ts";
import type { OpenConnections } from "../open-connections.ts";
import { openRoute, type Route, route } from "../route.ts";
import { endedSessionCookie, requireOwnPage, sessionCookie } from "../session.ts";

export interface AccessOptions {
  readonly store: Store;
  readonly connections: OpenConnections;
  readonly audit: Audit;
  readonly now: () => number;
  /** Whether browsers reach this server by https. */
  readonly secure: boolean;
}

export function accessRoutes({ store, connections, audit, now, secure }: AccessOptions): Route[] {
  return [
    openRoute({
      method: "POST",
      path: "/session",
      operation: "signIn",
      tag: "Access",
      summary: "Sign this browser in with an API key",
      description: "Sets a cookie that scripts cannot read. Programs send the key itself instead.",
      bodyKind: "json",
      body: SignIn,
      answer: Session,
      errors: ["unauthenticated", "forbidden"],
      handle: async ({ body, request }) => {
        requireOwnPage(request);
        const identity = await identify(store, body.key, now());
        return {
          value: { tenant: identity.tenantId, scopes: [...identity.scopes] },
          headers: { "Set-Cookie": sessionCookie(body.key, secure) },
        };
      },
    }),
    openRoute({
      method: "DELETE",
      path: "/session",
      operation: "signOut",
      tag: "Access",
      summary: "Sign this browser out of an API key",
      answer: z.object({ signed_out: z.literal(true) }),
      handle: async ({ request }) => {
        requireOwnPage(request);
        return { value: { signed_out: true as const }, headers: { "Set-Cookie": endedSessionCookie(secure) } };
      },
    }),
    route({
      method: "POST",
      path: "/keys",
      operation: "createApiKey",
      tag: "Access",
      summary: "Make an API key; it is shown once",
      description: "A key never has more scopes than whoever makes it.",
      scope: "account",
      bodyKind: "json",
      body: CreateApiKey,
      status: 201,
      errors: ["quota_exceeded"],
      answer: NewApiKey,
      handle: async ({ body }, caller) => {
        const beyond = body.scopes.filter((scope) => !hasScope(caller, scope));
        if (beyond.length > 0) {
          throw new FluxError("forbidden", `You cannot give what you do not have: ${beyond.join(", ")}.`, {
            param: "scopes",
          });
        }
        const made = await createApiKey(store, caller.tenantId, body.name, body.scopes, now());
        audit.add({
          action: "key.created",
          actor: actorId(caller),
          tenantId: caller.tenantId,
          target: made.id,
          detail: { scopes: body.scopes },
        });
        return { value: made };
      },
    }),
    route({
      method: "GET",
      path: "/keys",
      operation: "listApiKeys",
      tag: "Access",
      summary: "List API keys",
      scope: "account",
      answer: z.object({ object: z.literal("list"), data: z.array(ApiKeyResource) }),
      handle: async (_asked, caller) => {
        const keys = await store.apiKeys.list(caller.tenantId);
        return { value: { object: "list" as const, data: keys.map(keyResource) } };
      },
    }),
    route({
      method: "DELETE",
      path: "/keys/{key}",
      operation: "revokeApiKey",
      tag: "Access",
      summary: "Revoke an API key, at once",
      description: "What it has open (streams of events, uploads, downloads) is cut off too.",
      scope: "account",
      params: z.object({ key: ApiKeyId }),
      answer: Deleted,
      errors: ["conflict"],
      handle: async ({ params }, caller) => {
        if (caller.kind === "key" && params.key === caller.keyId) {
          throw new FluxError("conflict", "A key cannot revoke itself: use another one, so that one remains.");
        }
        await store.apiKeys.revoke(caller.tenantId, params.key, now());
        connections.end(params.key);
        audit.add({ action: "key.revoked", actor: actorId(caller), tenantId: caller.tenantId, target: params.key });
        return { value: { id: params.key, deleted: true as const } };
      },
    }),
  ];
}

export function keyResource(record: ApiKeyRecord): ApiKeyResource {
  const time = (atMs: number | null) => (atMs === null ? null : new Date(atMs).toISOString());
  return {
    id: record.id,
    object: "api_key",
    name: record.name,
    hint: record.hint,
    scopes: record.scopes,
    created_at: new Date(record.createdAtMs).toISOString(),
    last_used_at: time(record.lastUsedAtMs),
    revoked_at: time(record.revokedAtMs),
  };
}
