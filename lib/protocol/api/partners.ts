/** Partners' sites and private groups as the REST interface shows them. */
import { z } from "zod";
import { GroupId, JoinToken, SiteId, SiteKey } from "../ids.ts";
import { PARTNER_LIMITS } from "../limits.ts";
import { Timestamp } from "./common.ts";

const Name = z.string().trim().min(1).max(120);

/** Scheme, host and port. Browsers isolate and trust pages served by https alone; a page on this machine is as good. */
export const SiteOrigin = z
  .string()
  .max(300)
  .transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
    if (url && secure && url.pathname === "/" && url.search === "" && url.hash === "") return url.origin;
    context.addIssue({
      code: "custom",
      message: "an origin like https://example.org is wanted here (http only on localhost)",
    });
    return z.NEVER;
  });

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]";
}

const Origins = z.array(SiteOrigin).min(1).max(PARTNER_LIMITS.originsPerSite);

export const CreateSite = z.object({ name: Name, origins: Origins });
export type CreateSite = z.infer<typeof CreateSite>;

export const ChangeSite = z.object({ name: Name.optional(), origins: Origins.optional() });
export type ChangeSite = z.infer<typeof ChangeSite>;

/** The old key stays good for this long, so that pages can be changed without a gap; 0 ends it at once. */
export const RotateSite = z.object({ grace_hours: z.number().min(0).max(720).default(24) });

export const SiteResource = z
  .object({
    id: SiteId,
    object: z.literal("site"),
    name: z.string(),
    origins: z.array(z.string()),
    /** Public: it stands in the site's pages. */
    key: SiteKey,
    previous_key_until: Timestamp.nullable(),
    created_at: Timestamp,
    revoked_at: Timestamp.nullable(),
    /** A visitor counts with each page in which they said yes. */
    counts: z.object({
      visitors: z.int().nonnegative(),
      donating_now: z.int().nonnegative(),
      microtasks: z.int().nonnegative(),
      compute_seconds: z.number().nonnegative(),
    }),
    /** Countries with at least three visitors; the others are not shown. */
    countries: z.array(
      z.object({ country: z.string(), visitors: z.int().positive(), microtasks: z.int().nonnegative() }),
    ),
  })
  .meta({ id: "Site" });
export type SiteResource = z.infer<typeof SiteResource>;

export const CreateGroup = z.object({ name: Name });
export type CreateGroup = z.infer<typeof CreateGroup>;

export const GroupResource = z
  .object({
    id: GroupId,
    object: z.literal("group"),
    name: z.string(),
    /** Give this to members, or the link. */
    join_token: JoinToken,
    join_path: z.string(),
    created_at: Timestamp,
    counts: z.object({
      donors: z.int().nonnegative(),
      donating_now: z.int().nonnegative(),
      microtasks: z.int().nonnegative(),
      compute_seconds: z.number().nonnegative(),
    }),
  })
  .meta({ id: "Group" });
export type GroupResource = z.infer<typeof GroupResource>;

/** What a member sees of the group before and while donating. */
export const GroupInvite = z
  .object({
    name: z.string(),
    donating_now: z.int().nonnegative(),
    microtasks: z.int().nonnegative(),
    jobs_open: z.int().nonnegative(),
  })
  .meta({ id: "GroupInvite" });
export type GroupInvite = z.infer<typeof GroupInvite>;
