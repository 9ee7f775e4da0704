/** Where a request comes from, as an address to count by. */
import type { IncomingMessage } from "node:http";

/** The peer's address, or what a trusted proxy says it is (the last entry: the one that the proxy itself added). */
export function addressOf(request: IncomingMessage, trustProxy: boolean): string {
  const forwarded = trustProxy ? request.headers["x-forwarded-for"] : undefined;
  const list = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
  return list?.split(",").at(-1)?.trim() || (request.socket.remoteAddress ?? "unknown");
}
