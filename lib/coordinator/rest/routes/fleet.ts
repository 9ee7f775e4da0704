/** How the scheduler stands: public, counts and reasons only. */
import { FleetReport } from "#lib/protocol/api/fleet.ts";
import type { FleetReporter } from "../../fleet-report.ts";
import { openRoute, type Route } from "../route.ts";

export function fleetRoutes(report: FleetReporter): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/fleet",
      operation: "getFleet",
      tag: "About",
      summary: "Why donors are idle, where jobs stand, and how honest predictions are",
      answer: FleetReport,
      handle: async () => ({ value: report() }),
    }),
  ];
}
