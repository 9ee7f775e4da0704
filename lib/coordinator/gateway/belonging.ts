/** Where a donor belongs: the partner's site that it was started on, a private group, and the volunteer behind it. */
import type { Hello } from "#lib/protocol/donor.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import { JoinToken } from "#lib/protocol/ids.ts";
import type { DonorRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import { readEmbedTicket } from "../partners/embed-ticket.ts";
import { siteOfKey } from "../partners/site-keys.ts";
import { volunteerOf } from "../volunteers/signed-identity.ts";

export type Belonging = Pick<DonorRecord, "siteId" | "groupId" | "volunteerId">;

export interface BelongingOptions {
  readonly store: Store;
  /** Signs the tickets of embeds. */
  readonly ticketSecret: Uint8Array;
}

/** A tab may stay open for days; after a week its page is loaded anew and gets another ticket. */
const TICKET_AGE_MS = 7 * 24 * 3_600_000;

/**
 * @param resumed the donor that this connection goes on with
 * @param host of this coordinator, as the donor's browser sees it
 * @throws FluxError forbidden where a key, ticket, token or signature does not hold
 */
export async function belongingOf(
  { store, ticketSecret }: BelongingOptions,
  hello: Hello,
  resumed: DonorRecord | undefined,
  host: string,
  nowMs: number,
): Promise<Belonging> {
  const { siteKey, siteTicket, groupToken, identity } = hello;
  const siteId = siteKey === undefined ? null : await siteOf(siteKey, siteTicket ?? "");
  const groupId = groupToken === undefined ? null : await groupOf(groupToken);
  // A broken connection is taken up hours later, with the first hello's signature: its donor is known by then.
  const volunteerId =
    resumed?.volunteerId ?? (identity === undefined ? null : await knownVolunteer(volunteerOf(identity, host, nowMs)));
  return { siteId, groupId, volunteerId };

  async function siteOf(key: string, text: string) {
    const site = await siteOfKey(store.sites, key, nowMs);
    if (!site) {
      throw new FluxError("forbidden", "This site's key is not valid any more: its owner has revoked or replaced it.");
    }
    const ticket = readEmbedTicket(ticketSecret, text);
    const fresh = ticket && (resumed?.siteId === site.id || nowMs - ticket.issuedAtMs < TICKET_AGE_MS);
    if (!fresh || ticket.siteKey !== key || !site.origins.includes(ticket.origin)) {
      throw new FluxError("forbidden", "This page may not embed Flux under that key: reload it, or tell its owner.");
    }
    return site.id;
  }

  async function groupOf(token: string) {
    const parsed = JoinToken.safeParse(token);
    const group = parsed.success ? await store.groups.byToken(parsed.data) : undefined;
    if (!group) throw new FluxError("forbidden", "This group's link is not valid any more: ask for the new one.");
    return group.id;
  }

  async function knownVolunteer(id: ReturnType<typeof volunteerOf>) {
    if (!(await store.volunteers.get(id))) {
      const { publicKey = "" } = identity ?? {};
      await store.volunteers.upsert({ id, publicKey, displayName: null, teamId: null, createdAtMs: nowMs });
    }
    return id;
  }
}
