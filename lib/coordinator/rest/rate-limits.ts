/**
 * How many requests a caller may make: counted for each API key or session, and where there is neither (or a wrong one)
 * for each address. Answers say where the caller stands in `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers), and when to come back in `Retry-After`.
 */
import type { ServerResponse } from "node:http";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { FluxError } from "#lib/protocol/errors.ts";
import { RATE_LIMITS } from "#lib/protocol/limits.ts";

export type Limited = keyof typeof RATE_LIMITS;

export interface RateLimits {
  /**
   * Counts one request.
   * @param by whom to count for: a key's or session's id, an address, an e-mail address
   * @throws FluxError rate_limited
   */
  consume(limit: Limited, by: string, response: ServerResponse): Promise<void>;
  /** How many were turned away since the start, for the operator. */
  readonly refused: Readonly<Record<Limited, number>>;
}

/** An IPv6 host has 2^64 addresses to call from: its network counts as one. */
export function countedAddress(address: string): string {
  if (!address.includes(":") || address.startsWith("::ffff:")) return address;
  return address.split(":").slice(0, 4).join(":");
}

/** @param scale how often each limit is allowed; the operator's FLUX_RATE_SCALE */
export function createRateLimits(scale: number): RateLimits {
  const names = Object.keys(RATE_LIMITS) as Limited[];
  const limiters = new Map(names.map((name) => [name, limiter(name, scale)]));
  const refused: Record<Limited, number> = {
    read: 0,
    write: 0,
    heavy: 0,
    open: 0,
    signIn: 0,
    signInPerEmail: 0,
  };

  return {
    refused,
    async consume(limit, by, response) {
      const counted = limiters.get(limit);
      if (!counted) throw new Error(`there is no rate limit ${limit}`);
      try {
        tell(response, limit, counted, await counted.consume(by));
      } catch (outcome) {
        if (!(outcome instanceof RateLimiterRes)) throw outcome;
        refused[limit] += 1;
        tell(response, limit, counted, outcome);
        const seconds = secondsUntil(outcome);
        response.setHeader("Retry-After", String(seconds));
        throw new FluxError(
          "rate_limited",
          `${counted.points} requests in ${counted.duration} s are allowed here (limit "${limit}"): try again in ${seconds} s.`,
        );
      }
    },
  };
}

function limiter(name: Limited, scale: number): RateLimiterMemory {
  const { requests, perSeconds } = RATE_LIMITS[name];
  return new RateLimiterMemory({
    keyPrefix: name,
    points: Math.max(1, Math.round(requests * scale)),
    duration: perSeconds,
  });
}

function tell(response: ServerResponse, limit: Limited, counted: RateLimiterMemory, now: RateLimiterRes): void {
  response.setHeader("RateLimit-Policy", `"${limit}";q=${counted.points};w=${counted.duration}`);
  response.setHeader("RateLimit", `"${limit}";r=${now.remainingPoints};t=${secondsUntil(now)}`);
}

function secondsUntil(outcome: RateLimiterRes): number {
  return Math.max(1, Math.ceil(outcome.msBeforeNext / 1000));
}
