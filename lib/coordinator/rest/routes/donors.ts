/** What everyone may know of the donors. */
import { DonorsSummary } from "#lib/protocol/api/donors.ts";
import type { DonorService } from "../../services/donors.ts";
import { openRoute, type Route } from "../route.ts";

export function donorRoutes(donors: DonorService): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/donors/summary",
      operation: "getDonorsSummary",
      tag: "About",
      summary: "Who donates now, by country, and what was computed since the start",
      description: "Countries with fewer than three donors are not named.",
      answer: DonorsSummary,
      handle: async () => ({ value: await donors.summary() }),
    }),
  ];
}
