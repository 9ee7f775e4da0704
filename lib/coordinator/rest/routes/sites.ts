/** Partners' sites. */
import { z } from "zod";
import { page, pageQuery } from "#lib/protocol/api/common.ts";
import { ChangeSite, CreateSite, RotateSite, SiteResource } from "#lib/protocol/api/partners.ts";
import { SiteId } from "#lib/protocol/ids.ts";
import type { SiteService } from "../../partners/site-service.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ site: SiteId });

export function siteRoutes(sites: SiteService): Route[] {
  return [
    route({
      method: "POST",
      path: "/sites",
      operation: "createSite",
      tag: "Partners",
      summary: "Register a site that embeds the donor widget",
      description: "Its key is public and stands in the site's pages; it works in pages of the listed origins only.",
      scope: "account",
      bodyKind: "json",
      body: CreateSite,
      status: 201,
      errors: ["quota_exceeded"],
      answer: SiteResource,
      handle: async ({ body }, caller) => ({ value: await sites.create(caller, body) }),
    }),
    route({
      method: "GET",
      path: "/sites",
      operation: "listSites",
      tag: "Partners",
      summary: "List sites, newest first",
      scope: "jobs:read",
      query: pageQuery(SiteId),
      answer: page(SiteResource),
      handle: async ({ query }, caller) => ({ value: listOf(await sites.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/sites/{site}",
      operation: "getSite",
      tag: "Partners",
      summary: "One site, with what its visitors gave",
      scope: "jobs:read",
      params: Params,
      answer: SiteResource,
      handle: async ({ params }, caller) => ({ value: await sites.get(caller, params.site) }),
    }),
    route({
      method: "POST",
      path: "/sites/{site}",
      operation: "changeSite",
      tag: "Partners",
      summary: "Change a site's name or origins",
      scope: "account",
      params: Params,
      bodyKind: "json",
      body: ChangeSite,
      errors: ["conflict"],
      answer: SiteResource,
      handle: async ({ params, body }, caller) => ({ value: await sites.change(caller, params.site, body) }),
    }),
    route({
      method: "POST",
      path: "/sites/{site}/rotate",
      operation: "rotateSiteKey",
      tag: "Partners",
      summary: "Give a site another key",
      scope: "account",
      params: Params,
      bodyKind: "json",
      body: RotateSite,
      errors: ["conflict"],
      answer: SiteResource,
      handle: async ({ params, body }, caller) => ({
        value: await sites.rotate(caller, params.site, body.grace_hours),
      }),
    }),
    route({
      method: "POST",
      path: "/sites/{site}/revoke",
      operation: "revokeSite",
      tag: "Partners",
      summary: "End a site: its keys stop to count, and whoever donates there is disconnected",
      scope: "account",
      params: Params,
      errors: ["conflict"],
      answer: SiteResource,
      handle: async ({ params }, caller) => ({ value: await sites.revoke(caller, params.site) }),
    }),
  ];
}
