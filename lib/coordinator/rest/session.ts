/**
 * Credentials as they stand in a request, and where it comes from. Programs send their key in the Authorization header.
 * Browsers send a cookie: of a person's session (accounts/auth.ts), or the one here that holds an API key, for servers
 * that are used without accounts. Cookies are HttpOnly, and requests that rely on them must come from our own pages.
 */
import type { IncomingMessage } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";

export const SESSION_COOKIE = "flux_session";
const SESSION_SECONDS = 30 * 24 * 3600;

/** @throws FluxError unauthenticated where there is an Authorization header of another kind */
export function bearerOf(request: Pick<IncomingMessage, "headers">): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  const bearer = /^Bearer +(\S+)$/i.exec(header);
  if (!bearer) throw new FluxError("unauthenticated", "Send the key as: Authorization: Bearer flux_sk_…");
  return bearer[1];
}

export function cookieOf(header: string, name: string): string | undefined {
  for (const pair of header.split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}

/** A browser says on every request where it comes from; programs without these headers cannot ride on anyone's cookie. */
export function requireOwnPage(request: Pick<IncomingMessage, "headers">): void {
  const site = request.headers["sec-fetch-site"];
  const origin = request.headers.origin;
  const own =
    site === undefined ? origin === undefined || hostOf(origin) === request.headers.host : site === "same-origin";
  if (!own) throw new FluxError("forbidden", "A signed-in browser may only act from this server's own pages.");
}

export function sessionCookie(key: string, secure: boolean): string {
  return `${SESSION_COOKIE}=${key}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_SECONDS}${secure ? "; Secure" : ""}`;
}

export function endedSessionCookie(secure: boolean): string {
  return `${SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0${secure ? "; Secure" : ""}`;
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
