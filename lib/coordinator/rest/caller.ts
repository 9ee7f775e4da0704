/** Who makes a request: the one way from headers to an identity, for REST and for resumable uploads. */
import type { IncomingMessage } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Store } from "#lib/storage/store.ts";
import { type Identity, identify } from "../identity.ts";
import { checkSameOrigin, credentialOf } from "./session.ts";

/** @throws FluxError unauthenticated without a key, or with one that is not valid; forbidden for foreign pages */
export async function callerOf(request: IncomingMessage, store: Store, nowMs: number): Promise<Identity> {
  const credential = credentialOf(request);
  if (!credential) throw new FluxError("unauthenticated", "Send an API key: Authorization: Bearer flux_sk_…");
  if (credential.from === "cookie") checkSameOrigin(request);
  return identify(store, credential.key, nowMs);
}
