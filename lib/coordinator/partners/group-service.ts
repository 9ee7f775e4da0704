/** Private groups: a school's or a lab's donors, whose group's jobs run on them alone. */
import type { CreateGroup, GroupInvite, GroupResource } from "#lib/protocol/api/partners.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { GroupId, JoinToken } from "#lib/protocol/ids.ts";
import { PARTNER_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { GroupRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Identity } from "../identity.ts";
import type { OnlineDonors } from "./site-service.ts";

export interface GroupService {
  create(caller: Identity, request: CreateGroup): Promise<GroupResource>;
  get(caller: Identity, id: GroupId): Promise<GroupResource>;
  list(caller: Identity, page: PageRequest<GroupId>): Promise<Page<GroupResource>>;
  /** Another join link. Whoever came by the old one is disconnected and cannot come back by it. */
  rotate(caller: Identity, id: GroupId): Promise<GroupResource>;
  /** @throws FluxError not_found for a link that does not count */
  invite(token: JoinToken): Promise<GroupInvite>;
}

export interface GroupServiceOptions {
  readonly store: Store;
  readonly online: OnlineDonors;
  /** Jobs with open stages for a group. */
  readonly jobsOpenFor: (groupId: GroupId) => number;
  readonly now: () => number;
}

export function createGroupService({ store, online, jobsOpenFor, now }: GroupServiceOptions): GroupService {
  const donatingNow = (id: GroupId) => [...online.sessions()].filter(({ groupId }) => groupId === id).length;

  async function resource(group: GroupRecord): Promise<GroupResource> {
    const { donors, accepted, computeMs } = await store.groups.contribution(group.id);
    return {
      id: group.id,
      object: "group",
      name: group.name,
      join_token: group.joinToken,
      join_path: `/donate?group=${group.joinToken}`,
      created_at: new Date(group.createdAtMs).toISOString(),
      counts: {
        donors,
        donating_now: donatingNow(group.id),
        microtasks: accepted,
        compute_seconds: computeMs / 1_000,
      },
    };
  }

  return {
    async create(caller, { name }) {
      const { items } = await store.groups.list(caller.tenantId, { limit: PARTNER_LIMITS.groupsPerTenant });
      if (items.length >= PARTNER_LIMITS.groupsPerTenant) {
        throw new FluxError("quota_exceeded", `An account has at most ${PARTNER_LIMITS.groupsPerTenant} groups.`);
      }
      const group: GroupRecord = {
        id: freshId("grp"),
        tenantId: caller.tenantId,
        name,
        joinToken: freshId("join"),
        createdAtMs: now(),
      };
      await store.groups.insert(group);
      return resource(group);
    },
    get: async (caller, id) => resource(await store.groups.get(caller.tenantId, id)),
    async list(caller, page) {
      const { items, hasMore } = await store.groups.list(caller.tenantId, page);
      return { items: await Promise.all(items.map(resource)), hasMore };
    },
    async rotate(caller, id) {
      const group = await store.groups.setToken(caller.tenantId, id, freshId("join"));
      for (const session of [...online.sessions()]) if (session.groupId === id) session.disconnect();
      return resource(group);
    },
    async invite(token) {
      const group = await store.groups.byToken(token);
      if (!group) throw new FluxError("not_found", "This group's link is not valid any more: ask for the new one.");
      const { accepted } = await store.groups.contribution(group.id);
      return {
        name: group.name,
        donating_now: donatingNow(group.id),
        microtasks: accepted,
        jobs_open: jobsOpenFor(group.id),
      };
    },
  };
}
