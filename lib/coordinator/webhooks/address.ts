/**
 * Which addresses a webhook may go to. Addresses of submitters are requests that this server makes for strangers: they must
 * never reach what only this machine or its network can reach (server-side request forgery).
 */
import ipaddr from "ipaddr.js";
import { FluxError } from "#lib/protocol/errors.ts";

export interface WebhookRules {
  readonly allowHttp: boolean;
  /** Whether a connection to that address may be made. */
  readonly mayReach: (address: string) => boolean;
}

/** Global unicast is 2000::/3 (RFC 4291, IANA); everything else, known or not yet, is special. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR("2000::/3");
/** Ports below 1024 belong to services of their own, which would take a request for their own protocol. */
const WEB_PORTS: readonly number[] = [80, 443];
const FIRST_FREE_PORT = 1024;

/** True for addresses of the public internet: no loopback, private, link-local, carrier, benchmark, multicast, mapped or translated ones. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && !address.match(GLOBAL_IPV6)) return false;
  return address.range() === "unicast";
}

/**
 * Everything about an address that can be said without asking a name server.
 * @throws FluxError invalid_request with the fix
 */
export function checkWebhookUrl(text: string, rules: WebhookRules, param = "url"): URL {
  const refuse = (detail: string) => new FluxError("invalid_request", detail, { param });
  if (!URL.canParse(text)) throw refuse("The webhook's address is not a URL: give one like https://example.com/flux.");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse("Webhooks go to https addresses.");
  if (url.protocol === "http:" && !rules.allowHttp) {
    throw refuse("Webhooks go to https addresses only: anyone on the way could read and change them otherwise.");
  }
  if (url.username || url.password) throw refuse("Leave user and password out of the webhook's address.");
  const port = portOf(url);
  if (!WEB_PORTS.includes(port) && port < FIRST_FREE_PORT) throw refuse(`Port ${port} is not for the web: use 443.`);
  const host = hostOf(url);
  if (ipaddr.isValid(host) && !rules.mayReach(host)) {
    throw refuse(`${host} is not an address of the public internet: webhooks cannot go there.`);
  }
  return url;
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** Without the brackets of IPv6. URL has brought other forms (decimal, octal, hex) to the usual one. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}
