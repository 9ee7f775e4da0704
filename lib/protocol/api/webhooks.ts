/** Webhooks (standardwebhooks.com): what happened to a job, sent to an address of the submitter. */
import { z } from "zod";
import { DeliveryId, JobId, WebhookId } from "../ids.ts";
import { WEBHOOK_LIMITS } from "../limits.ts";
import { Timestamp } from "./common.ts";

export const WebhookEvent = z.enum(["job.running", "job.completed", "job.failed", "job.canceled"]);
export type WebhookEvent = z.infer<typeof WebhookEvent>;

/** The end of a job, however it ends. */
export const ENDING_EVENTS: readonly WebhookEvent[] = ["job.completed", "job.failed", "job.canceled"];

export const WebhookUrl = z
  .url({ protocol: /^https?$/, error: "an address like https://example.com/flux is wanted here" })
  .max(WEBHOOK_LIMITS.urlChars);

export const WebhookEvents = z.array(WebhookEvent).min(1).max(WebhookEvent.options.length);

export const CreateWebhook = z.object({
  url: WebhookUrl,
  description: z.string().trim().max(200).default(""),
  events: WebhookEvents.default([...ENDING_EVENTS]),
});
export type CreateWebhook = z.infer<typeof CreateWebhook>;

export const WebhookResource = z
  .object({
    id: WebhookId,
    object: z.literal("webhook"),
    url: z.string(),
    description: z.string(),
    events: z.array(WebhookEvent),
    /** null: deliveries go out. */
    disabled: z.object({ at: Timestamp, why: z.string() }).nullable(),
    failing_since: Timestamp.nullable(),
    created_at: Timestamp,
  })
  .meta({ id: "Webhook" });
export type WebhookResource = z.infer<typeof WebhookResource>;

/** The answer to making one. */
export const NewWebhook = WebhookResource.extend({ secret: z.string() }).meta({ id: "NewWebhook" });

/** The secret that its deliveries are signed with; asked for by people who write the receiving end. */
export const WebhookSecret = z.object({ secret: z.string() }).meta({ id: "WebhookSecret" });

export const DeliveryState = z.enum(["pending", "delivered", "failed"]);
export type DeliveryState = z.infer<typeof DeliveryState>;

export const DeliveryResource = z
  .object({
    id: DeliveryId,
    object: z.literal("webhook_delivery"),
    webhook: WebhookId.nullable(),
    job: JobId,
    url: z.string(),
    event: WebhookEvent,
    state: DeliveryState,
    attempts: z.int().nonnegative(),
    last_status: z.int().nullable(),
    last_error: z.string().nullable(),
    last_attempt_at: Timestamp.nullable(),
    next_attempt_at: Timestamp.nullable(),
    created_at: Timestamp,
  })
  .meta({ id: "WebhookDelivery" });
export type DeliveryResource = z.infer<typeof DeliveryResource>;

/** The body of a delivery. `data` is the job as GET /jobs/{id} showed it then. */
export const WebhookMessage = z.object({
  type: WebhookEvent,
  timestamp: Timestamp,
  data: z.looseObject({ id: JobId }),
});
