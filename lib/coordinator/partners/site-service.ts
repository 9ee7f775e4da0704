/** Partners' sites: their keys and origins, and what their visitors gave. */
import { SHOWN_PER_COUNTRY } from "#lib/protocol/api/donors.ts";
import type { ChangeSite, CreateSite, SiteResource } from "#lib/protocol/api/partners.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { SiteId } from "#lib/protocol/ids.ts";
import { PARTNER_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { SiteRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, SiteChange, Store } from "#lib/storage/store.ts";
import type { DonorSession } from "../dispatch/donor-session.ts";
import type { Identity } from "../identity.ts";

/** What the service uses of the dispatcher. */
export interface OnlineDonors {
  sessions(): Iterable<Pick<DonorSession, "siteId" | "groupId" | "disconnect">>;
}

export interface SiteService {
  create(caller: Identity, request: CreateSite): Promise<SiteResource>;
  get(caller: Identity, id: SiteId): Promise<SiteResource>;
  list(caller: Identity, page: PageRequest<SiteId>): Promise<Page<SiteResource>>;
  change(caller: Identity, id: SiteId, request: ChangeSite): Promise<SiteResource>;
  /** Another key; the present one counts for `graceHours` more. */
  rotate(caller: Identity, id: SiteId, graceHours: number): Promise<SiteResource>;
  /** No key of the site counts any more; whoever donates on it is disconnected. */
  revoke(caller: Identity, id: SiteId): Promise<SiteResource>;
}

const HOUR_MS = 3_600_000;

export function createSiteService(store: Store, online: OnlineDonors, now: () => number): SiteService {
  async function resource(site: SiteRecord): Promise<SiteResource> {
    const { donors, accepted, computeMs } = await store.sites.contribution(site.id);
    const countries = await store.sites.countries(site.id, SHOWN_PER_COUNTRY);
    const time = (atMs: number) => new Date(atMs).toISOString();
    return {
      id: site.id,
      object: "site",
      name: site.name,
      origins: site.origins,
      key: site.key,
      previous_key_until:
        site.previousUntilMs !== null && site.previousUntilMs > now() ? time(site.previousUntilMs) : null,
      created_at: time(site.createdAtMs),
      revoked_at: site.revokedAtMs === null ? null : time(site.revokedAtMs),
      counts: {
        visitors: donors,
        donating_now: [...online.sessions()].filter(({ siteId }) => siteId === site.id).length,
        microtasks: accepted,
        compute_seconds: computeMs / 1_000,
      },
      countries: countries.map((entry) => ({
        country: entry.country,
        visitors: entry.donors,
        microtasks: entry.accepted,
      })),
    };
  }

  /** Changes a site that is not revoked; its donors connect again and are asked for a key that counts. */
  async function change(
    caller: Identity,
    id: SiteId,
    changes: (site: SiteRecord) => SiteChange,
  ): Promise<SiteResource> {
    const site = await store.sites.get(caller.tenantId, id);
    if (site.revokedAtMs !== null) {
      throw new FluxError("conflict", "This site is revoked: create another one, with a key of its own.");
    }
    const changed = await store.sites.change(caller.tenantId, id, changes(site));
    for (const session of [...online.sessions()]) if (session.siteId === id) session.disconnect();
    return resource(changed);
  }

  return {
    async create(caller, { name, origins }) {
      const { items } = await store.sites.list(caller.tenantId, { limit: PARTNER_LIMITS.sitesPerTenant });
      if (items.length >= PARTNER_LIMITS.sitesPerTenant) {
        throw new FluxError("quota_exceeded", `An account has at most ${PARTNER_LIMITS.sitesPerTenant} sites.`);
      }
      const site: SiteRecord = {
        id: freshId("site"),
        tenantId: caller.tenantId,
        name,
        origins: [...new Set(origins)],
        key: freshId("pk"),
        previousKey: null,
        previousUntilMs: null,
        createdAtMs: now(),
        revokedAtMs: null,
      };
      await store.sites.insert(site);
      return resource(site);
    },
    get: async (caller, id) => resource(await store.sites.get(caller.tenantId, id)),
    async list(caller, page) {
      const { items, hasMore } = await store.sites.list(caller.tenantId, page);
      return { items: await Promise.all(items.map(resource)), hasMore };
    },
    change: (caller, id, { name, origins }) =>
      change(caller, id, () => ({ ...(name && { name }), ...(origins && { origins: [...new Set(origins)] }) })),
    rotate: (caller, id, graceHours) =>
      change(caller, id, (site) => ({
        key: freshId("pk"),
        previousKey: site.key,
        previousUntilMs: now() + graceHours * HOUR_MS,
      })),
    revoke: (caller, id) => change(caller, id, () => ({ revokedAtMs: now() })),
  };
}
