/** One's own account, and the people who are signed in to it. Signing in itself is under /api/auth. */
import { z } from "zod";
import { AccountResource, DeleteAccount, SessionResource } from "#lib/protocol/api/access.ts";
import { Deleted } from "#lib/protocol/api/common.ts";
import { SessionId } from "#lib/protocol/ids.ts";
import type { AccountService } from "../../services/account.ts";
import { type Route, route } from "../route.ts";

export function accountRoutes(account: AccountService): Route[] {
  return [
    route({
      method: "GET",
      path: "/account",
      operation: "getAccount",
      tag: "Account",
      summary: "Who calls, what they may do, and what the account uses of its quotas",
      scope: "jobs:read",
      answer: AccountResource,
      handle: async (_asked, caller) => ({ value: await account.get(caller) }),
    }),
    route({
      method: "POST",
      path: "/account/delete",
      operation: "deleteAccount",
      tag: "Account",
      summary: "Delete your account with everything in it",
      description: "For people who are signed in. Jobs end, files, models, datasets, results and keys are deleted.",
      scope: "account",
      bodyKind: "json",
      body: DeleteAccount,
      answer: z.object({ deleted: z.literal(true) }),
      errors: ["conflict"],
      handle: async ({ body }, caller) => {
        await account.removeOwn(caller, body.password);
        return { value: { deleted: true as const } };
      },
    }),
    route({
      method: "GET",
      path: "/account/sessions",
      operation: "listSessions",
      tag: "Account",
      summary: "Where you are signed in",
      scope: "account",
      answer: z.object({ object: z.literal("list"), data: z.array(SessionResource) }),
      handle: async (_asked, caller) => ({
        value: { object: "list" as const, data: await account.sessions(caller) },
      }),
    }),
    route({
      method: "DELETE",
      path: "/account/sessions/{session}",
      operation: "endSession",
      tag: "Account",
      summary: "Sign one of your browsers out, at once",
      scope: "account",
      params: z.object({ session: SessionId }),
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await account.endSession(caller, params.session);
        return { value: { id: params.session, deleted: true as const } };
      },
    }),
  ];
}
