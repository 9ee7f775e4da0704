/**
 * How the first admin comes to be: while there is none, every start prints a link with a fresh token, and whoever signs up
 * by it becomes the admin, in the account that the first start made. Only the token's hash is kept; it works once.
 */
import { randomBytes } from "node:crypto";
import type { TenantId } from "#lib/protocol/ids.ts";
import type { Store } from "#lib/storage/store.ts";
import { hashKey } from "../identity.ts";

const SETTING = "accounts:admin-token";
/** The sign-up page sends it here; a query would end in logs. */
export const ADMIN_TOKEN_HEADER = "flux-admin-token";

/** @returns the token, or undefined when there is an admin already */
export async function offerAdminToken(store: Store): Promise<string | undefined> {
  if ((await store.people.admins()) > 0) return undefined;
  const token = randomBytes(24).toString("base64url");
  await store.settings.set(SETTING, hashKey(token));
  return token;
}

/**
 * Takes the token, once.
 * @returns the account that the admin belongs to; undefined where the token is wrong or was used
 */
export async function takeAdminToken(store: Store, token: string): Promise<TenantId | undefined> {
  if ((await store.settings.get(SETTING)) !== hashKey(token)) return undefined;
  await store.settings.set(SETTING, "taken");
  return (await store.tenants.oldest())?.id;
}
