/** The SDK as this origin's own pages use it: signed in by cookie. */
import { FluxClient } from "#lib/client/flux-client.ts";
import { isFluxError } from "#lib/protocol/errors.ts";

export function fluxClient(): FluxClient {
  return new FluxClient({ url: location.origin });
}

/** What went wrong and what to do, for people. */
export function errorText(error: unknown): string {
  if (isFluxError(error)) return error.detail;
  return "Something broke in this page. Reload it and try again.";
}
