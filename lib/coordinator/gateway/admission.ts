/**
 * Who may open a donor socket at all: decided on the HTTP upgrade, before any frame is read. `cors` does not stop pages of
 * other origins from opening WebSockets, so the origin is checked here; and one address gets so many sockets and
 * handshakes, whatever it says.
 */
import type { IncomingMessage } from "node:http";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";

export interface AdmissionOptions {
  /** Origins that may open donor sockets besides the one that the request itself was sent to. */
  readonly allowedOrigins?: readonly string[];
  /** Programs send no Origin, browsers always do. `loopback`: programs on this machine only. */
  readonly withoutOrigin?: "loopback" | "anywhere";
  /** Set behind a reverse proxy that overwrites X-Forwarded-For and X-Forwarded-Host. */
  readonly trustProxy?: boolean;
  readonly socketsPerAddress?: number;
  readonly handshakesPerSecondPerAddress?: number;
}

export type Refusal = "origin" | "handshakes" | "sockets";

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #handshakes: RateLimiterMemory;
  readonly #socketsPerAddress: number;
  readonly #open = new Map<string, number>();

  constructor(options: AdmissionOptions = {}) {
    this.#options = options;
    this.#origins = new Set(options.allowedOrigins);
    this.#socketsPerAddress = options.socketsPerAddress ?? SOCKET_LIMITS.socketsPerAddress;
    this.#handshakes = new RateLimiterMemory({
      points: options.handshakesPerSecondPerAddress ?? SOCKET_LIMITS.handshakesPerSecondPerAddress,
      duration: 1,
    });
  }

  /** Null: admitted, and counted until the request's connection closes. */
  async admit(request: IncomingMessage): Promise<Refusal | null> {
    if (!this.#originAllowed(request)) return "origin";
    const address = this.addressOf(request);
    try {
      await this.#handshakes.consume(address);
    } catch {
      return "handshakes";
    }
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#socketsPerAddress) return "sockets";
    this.#open.set(address, open + 1);
    request.socket.once("close", () => this.#closed(address));
    return null;
  }

  /** The peer's address, or what a trusted proxy says it is (the last entry: the one that the proxy itself added). */
  addressOf(request: IncomingMessage): string {
    const forwarded = this.#options.trustProxy ? request.headers["x-forwarded-for"] : undefined;
    const list = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
    return list?.split(",").at(-1)?.trim() || (request.socket.remoteAddress ?? "unknown");
  }

  /** The host that the request was sent to, or what a trusted proxy says it was; empty where there is none. */
  hostOf(request: IncomingMessage): string {
    const forwarded = this.#options.trustProxy ? request.headers["x-forwarded-host"] : undefined;
    return (typeof forwarded === "string" ? forwarded : request.headers.host) ?? "";
  }

  #closed(address: string): void {
    const open = (this.#open.get(address) ?? 1) - 1;
    if (open > 0) this.#open.set(address, open);
    else this.#open.delete(address);
  }

  #originAllowed(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    if (origin === undefined) {
      return this.#options.withoutOrigin === "anywhere" || isLoopback(request.socket.remoteAddress ?? "");
    }
    if (this.#origins.has(origin)) return true;
    const host = this.hostOf(request);
    return URL.canParse(origin) && host !== "" && new URL(origin).host === host;
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}
