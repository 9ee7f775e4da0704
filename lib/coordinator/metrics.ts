/** The Prometheus registry of this process. Parts of the coordinator register their own metrics on it. */
import { collectDefaultMetrics, Histogram, Registry } from "prom-client";

export interface HttpMetrics {
  readonly observe: (route: string, method: string, status: number, seconds: number) => void;
}

export function createMetrics(): { registry: Registry; http: HttpMetrics } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "flux_" });
  const requests = new Histogram({
    name: "flux_http_request_seconds",
    help: "Time from a request's head to the end of its answer",
    labelNames: ["route", "method", "status"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  return {
    registry,
    http: {
      observe: (route, method, status, seconds) => requests.observe({ route, method, status: String(status) }, seconds),
    },
  };
}
