/** Who is signed in, for views. Auth is decided here and in REST, by the same function; never in a proxy. */
import { headers } from "next/headers";
import type { Identity } from "#lib/coordinator/identity.ts";
import { coordinator } from "#lib/coordinator/registry.ts";

export async function signedIn(): Promise<Identity | null> {
  return coordinator().callers.ofBrowser((await headers()).get("cookie") ?? "");
}
