/** /healthz (the process lives), /readyz (it may be sent traffic) and /metrics (Prometheus text). */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Registry } from "prom-client";

export interface Probes {
  readonly metrics: Registry;
  readonly metricsToken: string | null;
  /** What keeps the coordinator from serving, in words; null when it is ready. */
  readonly notReady: () => string | null;
}

const PATHS = new Set(["/healthz", "/readyz", "/metrics"]);

/** @returns whether the request was one of the probes, and so is answered */
export async function answerProbe(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  probes: Probes,
): Promise<boolean> {
  if (!PATHS.has(path)) return false;
  response.setHeader("Cache-Control", "no-store");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    sendText(response, 405, "GET is offered here\n");
  } else if (path === "/healthz") {
    sendText(response, 200, "alive\n");
  } else if (path === "/readyz") {
    const why = probes.notReady();
    sendText(response, why === null ? 200 : 503, `${why ?? "ready"}\n`);
  } else if (!mayReadMetrics(request, probes.metricsToken)) {
    sendText(response, 401, "Send the operator's FLUX_METRICS_TOKEN as a bearer token\n");
  } else {
    response.setHeader("Content-Type", probes.metrics.contentType);
    response.end(await probes.metrics.metrics());
  }
  return true;
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
}

/** Without a token only this machine's own connections read metrics; behind a proxy everything looks local, so set one. */
function mayReadMetrics(request: IncomingMessage, token: string | null): boolean {
  if (token === null) {
    const address = request.socket.remoteAddress ?? "";
    const proxied = request.headers["x-forwarded-for"] !== undefined || request.headers.forwarded !== undefined;
    return !proxied && (address === "127.0.0.1" || address === "::1" || address === "::ffff:127.0.0.1");
  }
  const given = Buffer.from(request.headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
