/**
 * One POST to an address that a stranger named. The name is resolved once, every address that it has must be public, and the
 * connection goes to the address that was checked: what a name server says a moment later (DNS rebinding) does not
 * count. Redirects are not followed, and neither time nor answer is unbounded.
 */
import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import { FluxError } from "#lib/protocol/errors.ts";
import { WEBHOOK_LIMITS } from "#lib/protocol/limits.ts";
import { checkWebhookUrl, hostOf, portOf, type WebhookRules } from "./address.ts";

export interface Network {
  /** All addresses of a name. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Where to connect for a checked address: itself, but for tests that let every address be their own server. */
  readonly dial: (address: string, port: number) => { readonly address: string; readonly port: number };
  readonly timeoutMs: number;
}

export const SYSTEM_NETWORK: Network = {
  resolve: async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address),
  dial: (address, port) => ({ address, port }),
  timeoutMs: WEBHOOK_LIMITS.attemptMs,
};

/**
 * `refused`: nothing was sent, and trying again will not help. `failed`: it did not get there; later it may.
 * `answered`: by a server, whatever it said.
 */
export type PostOutcome =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "failed" | "refused"; readonly why: string };

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Never rejects. */
export async function guardedPost(post: Post, rules: WebhookRules, network = SYSTEM_NETWORK): Promise<PostOutcome> {
  let url: URL;
  try {
    url = checkWebhookUrl(post.url, rules);
  } catch (error) {
    if (error instanceof FluxError) return { kind: "refused", why: error.detail };
    throw error;
  }
  const signal = AbortSignal.timeout(network.timeoutMs);
  try {
    const host = hostOf(url);
    const addresses = isIP(host) ? [host] : await inTime(network.resolve(host), signal);
    const [address] = addresses;
    if (address === undefined) return { kind: "failed", why: `${host} has no address.` };
    const barred = addresses.find((each) => !rules.mayReach(each));
    if (barred !== undefined) {
      return { kind: "refused", why: `${host} leads to ${barred}, which is not an address of the public internet.` };
    }
    const status = await send(url, post, network.dial(address, portOf(url)), signal);
    return { kind: "answered", status };
  } catch (error) {
    return { kind: "failed", why: whyOf(error, network.timeoutMs) };
  }
}

function send(
  url: URL,
  { headers, body }: Post,
  to: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<number> {
  const host = hostOf(url);
  const options: RequestOptions = {
    method: "POST",
    // An address, so that nothing is looked up a second time; certificates are still checked against the name.
    host: to.address,
    port: to.port,
    path: `${url.pathname}${url.search}`,
    ...(isIP(host) ? {} : { servername: host }),
    headers: { ...headers, Host: url.host, "Content-Length": String(Buffer.byteLength(body)) },
    agent: false,
    signal,
    maxHeaderSize: WEBHOOK_LIMITS.answerBytes,
  };
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
    request.once("error", reject);
    request.once("response", (response: IncomingMessage) => {
      // What counts is the status; nobody reads the rest, and nobody can make us read it for long.
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.end(body);
  });
}

function inTime<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

function whyOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return "The connection broke.";
  if (error.name === "AbortError" || error.name === "TimeoutError") return `No answer within ${timeoutMs / 1000} s.`;
  return "code" in error && typeof error.code === "string" ? `The connection failed: ${error.code}.` : error.message;
}
