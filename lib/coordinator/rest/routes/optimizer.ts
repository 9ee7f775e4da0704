/** What the background optimizer changed, in words: public, about classes of devices and never about a person. */
import { OptimizerLog } from "#lib/protocol/api/optimizer.ts";
import type { Optimizer } from "../../optimizer.ts";
import { openRoute, type Route } from "../route.ts";

export function optimizerRoutes(optimizer: Optimizer): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/optimizer/log",
      operation: "getOptimizerLog",
      tag: "About",
      summary: "What the optimizer changed, and what that gained",
      answer: OptimizerLog,
      handle: async () => ({
        value: {
          object: "list" as const,
          data: optimizer
            .entries()
            .map(({ atMs, about, words }) => ({ at: new Date(atMs).toISOString(), about, words })),
        },
      }),
    }),
  ];
}
