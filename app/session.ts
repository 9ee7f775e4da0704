/** Who is signed in, for views. Auth is decided here and in REST, by the same function; never in a proxy. */
import { cookies } from "next/headers";
import { type Identity, identify } from "#lib/coordinator/identity.ts";
import { coordinator } from "#lib/coordinator/registry.ts";
import { SESSION_COOKIE } from "#lib/coordinator/rest/session.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

export async function signedIn(): Promise<Identity | null> {
  const key = (await cookies()).get(SESSION_COOKIE)?.value;
  if (!key) return null;
  try {
    return await identify(coordinator().store, key, Date.now());
  } catch (error) {
    if (isFluxError(error) && error.code === "unauthenticated") return null;
    throw error;
  }
}
