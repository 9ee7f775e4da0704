/** The API's own description. */

import { z } from "zod";
import { openRoute, type Route } from "../route.ts";

export function metaRoutes(document: () => object): Route[] {
  return [
    openRoute({
      method: "GET",
      path: "/openapi.json",
      operation: "getOpenApi",
      tag: "About",
      summary: "This document",
      answer: z.record(z.string(), z.unknown()),
      handle: async () => ({ value: { ...document() }, headers: { "Access-Control-Allow-Origin": "*" } }),
    }),
  ];
}
