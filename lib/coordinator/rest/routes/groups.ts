/** Private groups. */
import { z } from "zod";
import { page, pageQuery } from "#lib/protocol/api/common.ts";
import { CreateGroup, GroupInvite, GroupResource } from "#lib/protocol/api/partners.ts";
import { GroupId, JoinToken } from "#lib/protocol/ids.ts";
import type { GroupService } from "../../partners/group-service.ts";
import { listOf } from "../lists.ts";
import { openRoute, type Route, route } from "../route.ts";

const Params = z.object({ group: GroupId });

export function groupRoutes(groups: GroupService): Route[] {
  return [
    route({
      method: "POST",
      path: "/groups",
      operation: "createGroup",
      tag: "Groups",
      summary: "Make a private group of donors",
      description: "Jobs that name the group run on its donors alone. Donors join by the group's link.",
      scope: "account",
      bodyKind: "json",
      body: CreateGroup,
      status: 201,
      errors: ["quota_exceeded"],
      answer: GroupResource,
      handle: async ({ body }, caller) => ({ value: await groups.create(caller, body) }),
    }),
    route({
      method: "GET",
      path: "/groups",
      operation: "listGroups",
      tag: "Groups",
      summary: "List groups, newest first",
      scope: "jobs:read",
      query: pageQuery(GroupId),
      answer: page(GroupResource),
      handle: async ({ query }, caller) => ({ value: listOf(await groups.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/groups/{group}",
      operation: "getGroup",
      tag: "Groups",
      summary: "One group",
      scope: "jobs:read",
      params: Params,
      answer: GroupResource,
      handle: async ({ params }, caller) => ({ value: await groups.get(caller, params.group) }),
    }),
    route({
      method: "POST",
      path: "/groups/{group}/rotate",
      operation: "rotateGroupLink",
      tag: "Groups",
      summary: "Give a group another join link; the old one ends at once",
      scope: "account",
      params: Params,
      answer: GroupResource,
      handle: async ({ params }, caller) => ({ value: await groups.rotate(caller, params.group) }),
    }),
    openRoute({
      method: "GET",
      path: "/group-invites/{token}",
      operation: "getGroupInvite",
      tag: "Groups",
      summary: "What a join link leads to",
      params: z.object({ token: JoinToken }),
      answer: GroupInvite,
      handle: async ({ params }) => ({ value: await groups.invite(params.token) }),
    }),
  ];
}
