/**
 * The documents of the embed: `/embed`, the frame on a partner's page, and `/embed/confirm`, the window in which a visitor
 * confirms where the browser cannot tell the frame whether it is covered. Both are a few lines of HTML around scripts that
 * `npm run assets` bundles: partners' pages should not load a web framework for a button.
 *
 * The frame's document is served with a ticket (embed-ticket.ts) only where its key counts and the page around it, by its
 * Referer, is one of the site's. Browsers check the same again by `frame-ancestors`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import {
  ConfirmFacts,
  EMBED_POWER_PERCENT,
  type EmbedFacts,
  type EmbedRefusal,
  Language,
  Theme,
  Widget,
} from "#lib/protocol/embed.ts";
import type { SiteRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { makeEmbedTicket } from "./embed-ticket.ts";
import { siteOfKey } from "./site-keys.ts";

export const EMBED_PATH = "/embed";
export const CONFIRM_PATH = "/embed/confirm";

export interface EmbedDocument {
  /** Origins whose pages may frame it. */
  readonly frameAncestors: readonly string[];
  readonly send: (response: ServerResponse) => void;
}

export interface EmbedOptions {
  readonly store: Store;
  readonly ticketSecret: Uint8Array;
  readonly now: () => number;
}

/** What the loader asks for; whatever does not fit is the default. */
const Query = z.object({
  site: z.string().max(64).catch(""),
  widget: Widget.catch("badge"),
  theme: Theme.catch("auto"),
  lang: Language.nullable().catch(null),
  power: z.coerce.number().int().min(1).max(100).catch(EMBED_POWER_PERCENT),
});

export async function embedDocument(request: IncomingMessage, options: EmbedOptions): Promise<EmbedDocument> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const query = Query.parse(Object.fromEntries(url.searchParams));
  const language = query.lang ?? preferred(request.headers["accept-language"]);
  const site = await siteOfKey(options.store.sites, query.site, options.now());
  if (url.pathname === CONFIRM_PATH) {
    const known = ConfirmFacts.parse({ site: site?.name ?? null, language });
    return {
      frameAncestors: [],
      send: (response) => send(response, 200, html("confirm", language, query.theme, known)),
    };
  }
  const around = originOf(request.headers.referer);
  const refusal = refusalOf(site, around);
  const facts: EmbedFacts = {
    widget: query.widget,
    language,
    power: query.power / 100,
    ...(site && around && refusal === null
      ? {
          admitted: {
            siteKey: query.site,
            siteName: site.name,
            origin: around,
            ticket: makeEmbedTicket(options.ticketSecret, {
              siteKey: site.key === query.site ? site.key : (site.previousKey ?? site.key),
              origin: around,
              issuedAtMs: options.now(),
            }),
          },
          refusal: null,
        }
      : { admitted: null, refusal: refusal ?? "unknown-key" }),
  };
  return {
    frameAncestors: site?.origins ?? [],
    send: (response) => send(response, refusal === null ? 200 : 403, html("frame", language, query.theme, facts)),
  };
}

function refusalOf(site: SiteRecord | undefined, around: string | null): EmbedRefusal | null {
  if (!site) return "unknown-key";
  if (around === null) return "no-referrer";
  return site.origins.includes(around) ? null : "foreign-origin";
}

function originOf(referer: string | undefined): string | null {
  return referer !== undefined && URL.canParse(referer) ? new URL(referer).origin : null;
}

/** The first of the browser's languages that there are words for. */
function preferred(header: string | undefined): Language {
  for (const part of (header ?? "").split(",").slice(0, 10)) {
    const language = Language.safeParse(part.trim().slice(0, 2).toLowerCase());
    if (language.success) return language.data;
  }
  return "en";
}

function send(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  // Holds a ticket made for this visit.
  response.setHeader("Cache-Control", "no-store");
  response.end(text);
}

/** Facts travel as a data block, which runs nothing and needs no exception in the policy. */
function html(script: "frame" | "confirm", language: Language, theme: Theme, facts: object): string {
  const data = JSON.stringify(facts).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="${language}" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flux</title>
<link rel="stylesheet" href="/embed/frame.css">
<script type="module" src="/embed/${script}.js"></script>
</head>
<body>
<script type="application/json" id="flux-facts">${data}</script>
</body>
</html>
`;
}
