import { z } from "zod";
import { Deleted, page, pageQuery } from "#lib/protocol/api/common.ts";
import {
  CreateWebhook,
  DeliveryResource,
  NewWebhook,
  WebhookResource,
  WebhookSecret,
} from "#lib/protocol/api/webhooks.ts";
import { DeliveryId, JobId, WebhookId } from "#lib/protocol/ids.ts";
import type { WebhookService } from "../../services/webhooks.ts";
import { listOf } from "../lists.ts";
import { type Route, route } from "../route.ts";

const Params = z.object({ webhook: WebhookId });
const tag = "Webhooks";
const scope = "account";

export function webhookRoutes(webhooks: WebhookService): Route[] {
  return [
    route({
      method: "POST",
      path: "/webhooks",
      operation: "createWebhook",
      tag,
      summary: "Have the events of all your jobs sent to an address",
      description:
        "Signed as Standard Webhooks (standardwebhooks.com). Deliveries are repeated with growing pauses for three days; know a repetition by its webhook-id.",
      scope,
      bodyKind: "json",
      body: CreateWebhook,
      status: 201,
      errors: ["quota_exceeded"],
      answer: NewWebhook,
      handle: async ({ body }, caller) => ({ value: await webhooks.create(caller, body) }),
    }),
    route({
      method: "GET",
      path: "/webhooks",
      operation: "listWebhooks",
      tag,
      summary: "List webhooks",
      scope,
      query: pageQuery(WebhookId),
      answer: page(WebhookResource),
      handle: async ({ query }, caller) => ({ value: listOf(await webhooks.list(caller, query)) }),
    }),
    route({
      method: "GET",
      path: "/webhooks/{webhook}",
      operation: "getWebhook",
      tag,
      summary: "One webhook",
      scope,
      params: Params,
      answer: WebhookResource,
      handle: async ({ params }, caller) => ({ value: await webhooks.get(caller, params.webhook) }),
    }),
    route({
      method: "DELETE",
      path: "/webhooks/{webhook}",
      operation: "deleteWebhook",
      tag,
      summary: "Delete a webhook with its deliveries",
      scope,
      params: Params,
      answer: Deleted,
      handle: async ({ params }, caller) => {
        await webhooks.remove(caller, params.webhook);
        return { value: { id: params.webhook, deleted: true as const } };
      },
    }),
    route({
      method: "GET",
      path: "/webhooks/{webhook}/secret",
      operation: "getWebhookSecret",
      tag,
      summary: "The secret that its deliveries are signed with",
      scope,
      params: Params,
      answer: WebhookSecret,
      handle: async ({ params }, caller) => ({ value: { secret: await webhooks.secret(caller, params.webhook) } }),
    }),
    route({
      method: "POST",
      path: "/webhooks/{webhook}/enable",
      operation: "enableWebhook",
      tag,
      summary: "Switch a webhook on again that failed for too long",
      scope,
      params: Params,
      answer: WebhookResource,
      handle: async ({ params }, caller) => ({ value: await webhooks.enable(caller, params.webhook) }),
    }),
    route({
      method: "GET",
      path: "/webhook-deliveries",
      operation: "listDeliveries",
      tag,
      summary: "What was sent, newest first, and what became of it",
      scope,
      query: pageQuery(DeliveryId).extend({ webhook: WebhookId.optional(), job: JobId.optional() }),
      answer: page(DeliveryResource),
      handle: async ({ query }, caller) => ({ value: listOf(await webhooks.deliveries(caller, query, query)) }),
    }),
    route({
      method: "POST",
      path: "/webhook-deliveries/{delivery}/redeliver",
      operation: "redeliver",
      tag,
      summary: "Send a delivery once more",
      scope,
      params: z.object({ delivery: DeliveryId }),
      errors: ["conflict"],
      answer: DeliveryResource,
      handle: async ({ params }, caller) => ({ value: await webhooks.redeliver(caller, params.delivery) }),
    }),
    route({
      method: "GET",
      path: "/webhook-secret",
      operation: "getJobWebhookSecret",
      tag,
      summary: "The secret that signs deliveries to addresses given with a job",
      scope,
      answer: WebhookSecret,
      handle: async (_asked, caller) => ({ value: { secret: await webhooks.jobSecret(caller) } }),
    }),
  ];
}
