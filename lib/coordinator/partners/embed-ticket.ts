/**
 * What ties a donor in an embed to the page that embeds it. The frame's socket comes from our own origin, whoever embeds it;
 * the embedding page's origin is known only when the frame's document is served (from its Referer, and enforced by
 * `frame-ancestors`). The coordinator then signs what it saw (HMAC-SHA-256) into the document, and asks for it at hello.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { SiteKey } from "#lib/protocol/ids.ts";

export interface EmbedTicket {
  readonly siteKey: SiteKey;
  /** Of the page around the frame. */
  readonly origin: string;
  readonly issuedAtMs: number;
}

const sign = (secret: Uint8Array, body: string) => createHmac("sha256", secret).update(`flux embed ${body}`).digest();

export function makeEmbedTicket(secret: Uint8Array, { siteKey, origin, issuedAtMs }: EmbedTicket): string {
  const body = `${siteKey}.${Buffer.from(origin).toString("base64url")}.${issuedAtMs}`;
  return `${body}.${sign(secret, body).toString("base64url")}`;
}

/** Undefined for a ticket that this coordinator did not make. */
export function readEmbedTicket(secret: Uint8Array, ticket: string): EmbedTicket | undefined {
  const cut = ticket.lastIndexOf(".");
  const body = ticket.slice(0, Math.max(0, cut));
  const wanted = sign(secret, body);
  const given = Buffer.from(ticket.slice(cut + 1), "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const [key, origin = "", issued] = body.split(".");
  const siteKey = SiteKey.safeParse(key);
  if (!siteKey.success) return undefined;
  return { siteKey: siteKey.data, origin: Buffer.from(origin, "base64url").toString(), issuedAtMs: Number(issued) };
}
