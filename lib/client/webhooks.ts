/** For the receiving end of webhooks: checks that a delivery is Flux's, whole and recent, and parses it. */
import { Webhook } from "standardwebhooks";
import type { z } from "zod";
import { WebhookMessage } from "#lib/protocol/api/webhooks.ts";
import { FluxError } from "#lib/protocol/errors.ts";

export type FluxWebhook = z.infer<typeof WebhookMessage> & {
  /** The same for every attempt at one delivery: keep it, and take each once. */
  readonly deliveryId: string;
};

/**
 * @param secret whsec_…, as the dashboard shows it
 * @param headers of the request: `webhook-id`, `webhook-timestamp`, `webhook-signature`
 * @param body exactly as it was received, before any JSON parser
 * @throws FluxError unauthenticated where it was not sent by Flux, was changed, or is older than five minutes
 */
export function verifyWebhook(
  secret: string,
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
  body: string,
): FluxWebhook {
  const get = (name: string) => String((headers instanceof Headers ? headers.get(name) : headers[name]) ?? "");
  const deliveryId = get("webhook-id");
  let value: unknown;
  try {
    value = new Webhook(secret).verify(body, {
      "webhook-id": deliveryId,
      "webhook-timestamp": get("webhook-timestamp"),
      "webhook-signature": get("webhook-signature"),
    });
  } catch (cause) {
    throw new FluxError("unauthenticated", "This delivery is not Flux's, was changed, or is too old: answer 401.", {
      cause,
    });
  }
  return { ...WebhookMessage.parse(value), deliveryId };
}
