/**
 * Where a request's credential comes from: the Authorization header of programs, or the cookie of a browser that signed
 * in with an API key. The cookie is HttpOnly and SameSite=Strict, and requests that rely on it must come from our own
 * pages. Accounts will add their own session beside this one.
 */
import type { IncomingMessage } from "node:http";
import { FluxError } from "#lib/protocol/errors.ts";

export const SESSION_COOKIE = "flux_session";
const SESSION_SECONDS = 30 * 24 * 3600;

export interface Credential {
  readonly from: "header" | "cookie";
  readonly key: string;
}

export function credentialOf(request: Pick<IncomingMessage, "headers">): Credential | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const bearer = /^Bearer +(\S+)$/i.exec(header);
    if (!bearer) throw new FluxError("unauthenticated", "Send the key as: Authorization: Bearer flux_sk_…");
    return { from: "header", key: bearer[1] ?? "" };
  }
  const key = cookieOf(request.headers.cookie ?? "", SESSION_COOKIE);
  return key ? { from: "cookie", key } : undefined;
}

export function cookieOf(header: string, name: string): string | undefined {
  for (const pair of header.split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}

/** A request that relies on the cookie and changes something must come from our own pages. */
export function checkSameOrigin(request: Pick<IncomingMessage, "headers" | "method">): void {
  if (request.method !== "GET") requireOwnPage(request);
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
