/** The operator's own routes: everything here asks for the scope `admin`. */
import { z } from "zod";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import {
  Abuse,
  AuditEntryResource,
  BackupName,
  BackupResource,
  ChangeTenant,
  OperatorDonor,
  QueuedJob,
  ServerHealth,
  ServerSetting,
  TenantResource,
} from "#lib/protocol/api/operator.ts";
import { DonorId, TenantId, UserId } from "#lib/protocol/ids.ts";
import type { OperatorService } from "../../operator/operator-service.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const tag = "Operator";
const scope = "admin";
const all = <Item extends z.ZodType>(item: Item) => z.object({ object: z.literal("list"), data: z.array(item) });

export interface OperatorRouteOptions {
  readonly operator: OperatorService;
  readonly notReady: () => string | null;
  /** By which people reach this server, where the operator said so. */
  readonly publicUrl: string | null;
}

export function operatorRoutes({ operator, notReady, publicUrl }: OperatorRouteOptions): Route[] {
  const Donor = z.object({ donor: DonorId });
  const Tenant = z.object({ tenant: TenantId });
  return [
    route({
      method: "GET",
      path: "/operator/health",
      operation: "getHealth",
      tag,
      summary: "How the server is",
      scope,
      answer: ServerHealth,
      handle: async () => ({ value: await operator.health(notReady()) }),
    }),
    route({
      method: "GET",
      path: "/operator/queue",
      operation: "getQueue",
      tag,
      summary: "Everybody's jobs that have not ended, oldest first",
      scope,
      answer: all(QueuedJob),
      handle: async () => ({ value: { object: "list" as const, data: await operator.queue() } }),
    }),
    route({
      method: "GET",
      path: "/operator/donors",
      operation: "listDonors",
      tag,
      summary: "Donors that are here, and those who computed most",
      scope,
      answer: all(OperatorDonor),
      handle: async () => ({ value: { object: "list" as const, data: await operator.donors() } }),
    }),
    route({
      method: "POST",
      path: "/operator/donors/{donor}/ban",
      operation: "banDonor",
      tag,
      summary: "Ban a donor: its connection ends, and no new one is taken",
      scope,
      params: Donor,
      answer: OperatorDonor,
      handle: async ({ params }, caller) => ({ value: await operator.ban(caller, params.donor) }),
    }),
    route({
      method: "DELETE",
      path: "/operator/donors/{donor}/ban",
      operation: "unbanDonor",
      tag,
      summary: "Let a banned donor in again",
      scope,
      params: Donor,
      answer: OperatorDonor,
      handle: async ({ params }, caller) => ({ value: await operator.unban(caller, params.donor) }),
    }),
    route({
      method: "GET",
      path: "/operator/tenants",
      operation: "listTenants",
      tag,
      summary: "Accounts, with their people, what they use, and their quotas",
      scope,
      query: pageQuery(TenantId),
      answer: page(TenantResource),
      handle: async ({ query }) => ({ value: listOf(await operator.tenants(query)) }),
    }),
    route({
      method: "PATCH",
      path: "/operator/tenants/{tenant}",
      operation: "changeTenant",
      tag,
      summary: "Set an account's quotas, suspend it, or take it up again",
      scope,
      params: Tenant,
      bodyKind: "json",
      body: ChangeTenant,
      errors: ["conflict"],
      answer: TenantResource,
      handle: async ({ params, body }, caller) => ({ value: await operator.changeTenant(caller, params.tenant, body) }),
    }),
    route({
      method: "DELETE",
      path: "/operator/tenants/{tenant}",
      operation: "deleteTenant",
      tag,
      summary: "Delete an account with everything in it",
      scope,
      params: Tenant,
      errors: ["conflict"],
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await operator.removeTenant(caller, params.tenant);
        return { value: { id: params.tenant, deleted: true as const } };
      },
    }),
    route({
      method: "POST",
      path: "/operator/people/{user}/reset-link",
      operation: "makeResetLink",
      tag,
      summary: "A link with which a person sets a new password; works once, for a day",
      scope,
      params: z.object({ user: UserId }),
      answer: z.object({ url: z.string() }),
      handle: async ({ params, request }, caller) => {
        const origin = publicUrl ?? `http://${request.headers.host ?? "localhost"}`;
        return { value: { url: await operator.resetLink(caller, params.user, origin) } };
      },
    }),
    route({
      method: "GET",
      path: "/operator/abuse",
      operation: "getAbuse",
      tag,
      summary: "Who is banned, which results were refused, and which limits were met",
      scope,
      answer: Abuse,
      handle: async () => ({ value: await operator.abuse() }),
    }),
    route({
      method: "GET",
      path: "/operator/audit",
      operation: "getAuditLog",
      tag,
      summary: "Who did what, newest first; entries are never changed or deleted",
      scope,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(200).default(50),
        before: z.coerce.number().int().positive().optional(),
        tenant: TenantId.optional(),
      }),
      answer: z.object({
        object: z.literal("list"),
        data: z.array(AuditEntryResource),
        has_more: z.boolean(),
      }),
      handle: async ({ query }) => {
        const { items, hasMore } = await operator.auditLog({ ...query, tenantId: query.tenant });
        return { value: { object: "list" as const, data: [...items], has_more: hasMore } };
      },
    }),
    route({
      method: "GET",
      path: "/operator/config",
      operation: "getConfig",
      tag,
      summary: "What the server is set to; of secrets only whether they are set",
      scope,
      answer: all(ServerSetting),
      handle: async () => ({ value: { object: "list" as const, data: operator.settings() } }),
    }),
    route({
      method: "GET",
      path: "/operator/backups",
      operation: "listBackups",
      tag,
      summary: "Backups of the database; the last five are kept",
      scope,
      answer: all(BackupResource),
      handle: async () => ({ value: { object: "list" as const, data: await operator.backups() } }),
    }),
    route({
      method: "POST",
      path: "/operator/backups",
      operation: "makeBackup",
      tag,
      heavy: true,
      summary: "Copy the database while it runs (VACUUM INTO)",
      scope,
      status: 201,
      errors: ["conflict", "unavailable"],
      answer: BackupResource,
      handle: async (_asked, caller) => ({ value: await operator.makeBackup(caller) }),
    }),
    route({
      method: "GET",
      path: "/operator/backups/{backup}",
      operation: "downloadBackup",
      tag,
      summary: "Download a backup",
      scope,
      params: z.object({ backup: BackupName }),
      answer: { media: ["application/vnd.sqlite3"], description: "The database as one file" },
      handle: async ({ params }, caller) => {
        const { bytes, stream } = await operator.readBackup(caller, params.backup);
        return {
          headers: {
            "Content-Type": "application/vnd.sqlite3",
            "Content-Length": String(bytes),
            "Content-Disposition": `attachment; filename="${params.backup}"`,
          },
          stream,
        };
      },
    }),
  ];
}
