/**
 * Sends what happened to jobs to the addresses of their submitters.
 *
 * The durable job events are the outbox: each becomes one delivery per address in the same transaction that moves the cursor
 * past it, so that a restart neither loses nor doubles one. A delivery is tried until an address takes it (2xx), with growing
 * pauses for three days; who takes a delivery for its own must know it by `webhook-id`, because an answer can get lost.
 * An address that takes nothing for five days is switched off, and so is one that says it is gone (410).
 */
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import { ENDING_EVENTS, WebhookEvent } from "#lib/protocol/api/webhooks.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { TenantId } from "#lib/protocol/ids.ts";
import { WEBHOOK_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { DeliveryRecord, JobEventRecord, JobRecord, WebhookRecord } from "#lib/storage/records.ts";
import { type Store, SYSTEM } from "#lib/storage/store.ts";
import type { Audit } from "../audit.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { WebhookRules } from "./address.ts";
import { guardedPost, type Network, type PostOutcome, SYSTEM_NETWORK } from "./guarded-post.ts";
import { newWebhookSecret, signedHeaders } from "./secret.ts";

export interface WebhookDispatchOptions {
  readonly store: Store;
  readonly show: (job: JobRecord) => Promise<JobResource>;
  readonly rules: WebhookRules;
  readonly network?: Network;
  readonly audit: Audit;
  readonly clock: Clock;
  /** In [0, 1): spreads repetitions, so that a receiver that comes back is not met by all of them at once. */
  readonly random: () => number;
  readonly log: Log;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** The pauses that Standard Webhooks recommends: 75 hours all together. */
export const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const JITTER = 0.1;
/** Events that are read at once. */
const PAGE = 200;
/** An attempt whose outcome was not written (a crash) is made anew after this long. */
const CLAIM_MS = 3 * WEBHOOK_LIMITS.attemptMs;
const SWEEP_MS = 6 * HOUR;

export class WebhookDispatch {
  readonly #options: WebhookDispatchOptions;
  readonly #underWay = new Map<TenantId, number>();
  readonly #attempts = new Set<Promise<void>>();
  #pumping: Promise<void> | null = null;
  #again = false;
  #started = false;
  #closed = false;
  #cancelTimer: () => void = () => {};
  #cancelSweep: () => void = () => {};

  constructor(options: WebhookDispatchOptions) {
    this.#options = options;
  }

  /** Goes on where the last run ended. Events from before the first start are nobody's. */
  async start(): Promise<void> {
    const { store } = this.#options;
    if ((await store.deliveries.cursor()) === undefined) {
      await store.deliveries.enqueue([], await store.jobEvents.newest());
    }
    this.#started = true;
    this.#sweep();
    this.wake();
  }

  /** Something happened that may be to be sent. */
  wake(): void {
    if (!this.#started || this.#closed) return;
    this.#again = true;
    this.#pumping ??= this.#pump()
      .catch((error: unknown) => this.#options.log.error({ err: error }, "webhooks could not be sent"))
      .finally(() => {
        this.#pumping = null;
      });
  }

  /** Attempts that are under way end by themselves, or are made anew after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    this.#cancelSweep();
    await this.#pumping;
    await Promise.allSettled(this.#attempts);
  }

  async #pump(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      await this.#collect();
      await this.#begin();
    }
    await this.#setTimer();
  }

  async #setTimer(): Promise<void> {
    const { store, clock } = this.#options;
    this.#cancelTimer();
    if (this.#closed || this.#again) return;
    const dueAtMs = await store.deliveries.nextDueAtMs();
    if (dueAtMs === undefined) return;
    // Where all slots are taken, the end of an attempt wakes it, not the clock.
    this.#cancelTimer = clock.after(Math.max(SECOND, dueAtMs - clock.nowMs()), () => this.wake());
  }

  /** From job events to deliveries. */
  async #collect(): Promise<void> {
    const { store } = this.#options;
    for (;;) {
      const cursor = (await store.deliveries.cursor()) ?? 0;
      const events = await store.jobEvents.afterOfAll(cursor, PAGE);
      const last = events.at(-1);
      if (!last) return;
      const records: DeliveryRecord[] = [];
      for (const event of events) records.push(...(await this.#deliveriesOf(event)));
      await store.deliveries.enqueue(records, last.id);
    }
  }

  async #deliveriesOf(event: JobEventRecord): Promise<readonly DeliveryRecord[]> {
    const { store, show } = this.#options;
    const type = WebhookEvent.safeParse(`job.${event.type}`);
    if (!type.success) return [];
    const job = await found(store.jobs.get(SYSTEM, event.jobId));
    if (!job) return [];
    const targets: { readonly webhookId: DeliveryRecord["webhookId"]; readonly url: string }[] = [];
    for (const { id, url, events } of await store.webhooks.enabled(job.tenantId)) {
      if (events.includes(type.data)) targets.push({ webhookId: id, url });
    }
    const { webhook, webhook_events: wanted = ENDING_EVENTS } = job.request;
    if (webhook !== undefined && wanted.includes(type.data)) targets.push({ webhookId: null, url: webhook });
    if (targets.length === 0) return [];
    const timestamp = new Date(event.createdAtMs).toISOString();
    const body = JSON.stringify({ type: type.data, timestamp, data: await show(job) });
    return targets.map(({ webhookId, url }) => ({
      id: freshId("whd"),
      tenantId: job.tenantId,
      webhookId,
      jobId: job.id,
      url,
      event: type.data,
      body,
      state: "pending",
      attempts: 0,
      nextAttemptAtMs: event.createdAtMs,
      lastStatus: null,
      lastError: null,
      lastAttemptAtMs: null,
      createdAtMs: event.createdAtMs,
    }));
  }

  /** Takes due deliveries as long as there is room, fairly: no account has more than its share under way. */
  async #begin(): Promise<void> {
    const { store, clock } = this.#options;
    while (this.#attempts.size < WEBHOOK_LIMITS.concurrent) {
      const busy = [...this.#underWay].filter(([, n]) => n >= WEBHOOK_LIMITS.concurrentPerTenant).map(([id]) => id);
      const nowMs = clock.nowMs();
      const delivery = await store.deliveries.claim(nowMs, nowMs + CLAIM_MS, busy);
      if (!delivery) return;
      const { tenantId } = delivery;
      this.#underWay.set(tenantId, (this.#underWay.get(tenantId) ?? 0) + 1);
      const attempt = this.#attempt(delivery)
        .catch((error: unknown) => this.#options.log.error({ err: error }, "an attempt at a webhook broke"))
        .finally(() => {
          this.#attempts.delete(attempt);
          const left = (this.#underWay.get(tenantId) ?? 1) - 1;
          if (left > 0) this.#underWay.set(tenantId, left);
          else this.#underWay.delete(tenantId);
          this.wake();
        });
      this.#attempts.add(attempt);
    }
  }

  async #attempt(delivery: DeliveryRecord): Promise<void> {
    const { store, rules, network = SYSTEM_NETWORK, clock } = this.#options;
    const webhook = delivery.webhookId ? await found(store.webhooks.get(SYSTEM, delivery.webhookId)) : undefined;
    const secret = webhook?.secret ?? (await store.tenants.webhookSecret(delivery.tenantId, newWebhookSecret()));
    const headers = signedHeaders(delivery.id, delivery.body, secret, clock.nowMs());
    const outcome = await guardedPost({ url: delivery.url, headers, body: delivery.body }, rules, network);
    await this.#settle(delivery, webhook, outcome);
  }

  async #settle(delivery: DeliveryRecord, webhook: WebhookRecord | undefined, outcome: PostOutcome): Promise<void> {
    const { store, clock, random } = this.#options;
    const nowMs = clock.nowMs();
    const taken = outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300;
    const pauseMs = outcome.kind === "refused" ? undefined : RETRY_AFTER_MS[delivery.attempts];
    const again = !taken && pauseMs !== undefined;
    await store.deliveries.attempted(delivery.id, {
      state: taken ? "delivered" : again ? "pending" : "failed",
      nextAttemptAtMs: again ? nowMs + Math.round(pauseMs * (1 + JITTER * random())) : null,
      lastStatus: outcome.kind === "answered" ? outcome.status : null,
      lastError: taken ? null : problemOf(outcome),
      lastAttemptAtMs: nowMs,
    });
    if (webhook) await this.#judge(webhook, outcome, taken, nowMs);
  }

  async #judge(webhook: WebhookRecord, outcome: PostOutcome, taken: boolean, nowMs: number): Promise<void> {
    const { store, audit } = this.#options;
    const { id, tenantId, failingSinceMs } = webhook;
    if (taken) {
      if (failingSinceMs !== null) await store.webhooks.mark(id, { failingSinceMs: null });
      return;
    }
    if (failingSinceMs === null) await store.webhooks.mark(id, { failingSinceMs: nowMs });
    const gone = outcome.kind === "answered" && outcome.status === 410;
    const tooLong = failingSinceMs !== null && nowMs - failingSinceMs >= WEBHOOK_LIMITS.failingMs;
    if (!gone && !tooLong) return;
    const why = gone ? "The address said that it is gone (410)." : "Nothing was taken there for five days.";
    await store.webhooks.mark(id, { disabledAtMs: nowMs, disabledWhy: why });
    await store.deliveries.dropPending(id, why);
    audit.add({ action: "webhook.disabled", actor: "system", tenantId, target: id, detail: { why } });
  }

  #sweep(): void {
    const { store, clock, log } = this.#options;
    store.deliveries
      .removeOlderThan(clock.nowMs() - WEBHOOK_LIMITS.keptMs)
      .catch((error: unknown) => log.error({ err: error }, "old webhook deliveries could not be deleted"));
    this.#cancelSweep = clock.after(SWEEP_MS, () => this.#sweep());
  }
}

function problemOf(outcome: PostOutcome): string {
  if (outcome.kind !== "answered") return outcome.why;
  const redirect = outcome.status >= 300 && outcome.status < 400;
  return redirect
    ? `It answered ${outcome.status}: redirects are not followed. Give the final address.`
    : `It answered ${outcome.status} instead of 2xx.`;
}

/** Undefined for what was deleted meanwhile. */
async function found<Value>(value: Promise<Value>): Promise<Value | undefined> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof FluxError && error.code === "not_found") return undefined;
    throw error;
  }
}
