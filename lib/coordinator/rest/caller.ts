/**
 * Who makes a request: the one way from headers to an identity, for REST, resumable uploads and pages. In this order: the
 * Authorization header of programs, the session of a person who signed in, the cookie of a browser that signed in with a key.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";
import type { Store } from "#lib/storage/store.ts";
import type { SignedIn } from "../accounts/auth.ts";
import { type Identity, identify } from "../identity.ts";
import { bearerOf, cookieOf, requireOwnPage, SESSION_COOKIE } from "./session.ts";

export interface Callers {
  /** @throws FluxError unauthenticated without a valid key or session; forbidden for foreign pages and suspended accounts */
  of(request: IncomingMessage): Promise<Identity>;
  /** Who is signed in, for pages; null where nobody is. */
  ofBrowser(cookies: string): Promise<Identity | null>;
}

export interface CallerOptions {
  readonly store: Store;
  readonly signedIn: SignedIn;
  readonly now: () => number;
}

export function createCallers({ store, signedIn, now }: CallerOptions): Callers {
  async function ofCookies(cookies: string): Promise<Identity | undefined> {
    const person = cookies === "" ? undefined : await signedIn(cookies);
    if (person) return person;
    const key = cookieOf(cookies, SESSION_COOKIE);
    return key ? identify(store, key, now()) : undefined;
  }

  return {
    async of(request) {
      const key = bearerOf(request);
      if (key !== undefined) return identify(store, key, now());
      const caller = await ofCookies(cookiesOf(request.headers));
      if (!caller) {
        throw new FluxError("unauthenticated", "Send an API key (Authorization: Bearer flux_sk_…), or sign in.");
      }
      // A cookie goes along by itself; what changes something must come from our own pages.
      if (request.method !== "GET" && request.method !== "HEAD") requireOwnPage(request);
      return caller;
    },
    async ofBrowser(cookies) {
      try {
        return (await ofCookies(cookies)) ?? null;
      } catch (error) {
        if (error instanceof FluxError && (error.code === "unauthenticated" || error.code === "forbidden")) return null;
        throw error;
      }
    },
  };
}

function cookiesOf(headers: IncomingHttpHeaders): string {
  return headers.cookie ?? "";
}
