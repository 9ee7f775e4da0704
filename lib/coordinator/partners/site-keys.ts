/** When a site's key counts, and from where. */
import { SiteKey } from "#lib/protocol/ids.ts";
import type { SiteRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";

/** The site whose key this is now: not revoked, and not a key that was rotated away. */
export async function siteOfKey(
  sites: Pick<Store["sites"], "byKey">,
  key: string,
  nowMs: number,
): Promise<SiteRecord | undefined> {
  const parsed = SiteKey.safeParse(key);
  const site = parsed.success ? await sites.byKey(parsed.data) : undefined;
  if (!site || site.revokedAtMs !== null) return undefined;
  const current = site.key === key;
  return current || (site.previousUntilMs !== null && nowMs < site.previousUntilMs) ? site : undefined;
}
