/** Secrets and signatures of Standard Webhooks (standardwebhooks.com). */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(24).toString("base64")}`;
}

/** @param id the same for every attempt at one delivery, so that a receiver can tell a repetition */
export function signedHeaders(id: string, body: string, secret: string, nowMs: number): Record<string, string> {
  const at = new Date(nowMs);
  return {
    "Content-Type": "application/json",
    "User-Agent": "Flux-Webhooks/1",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
}
