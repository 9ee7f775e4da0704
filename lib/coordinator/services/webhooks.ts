/** Webhooks of an account, and the log of what was sent. */
import type { CreateWebhook, DeliveryResource, WebhookResource } from "#lib/protocol/api/webhooks.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DeliveryId, JobId, WebhookId } from "#lib/protocol/ids.ts";
import { ACCOUNT_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { DeliveryRecord, WebhookRecord } from "#lib/storage/records.ts";
import type { Page, PageRequest, Store } from "#lib/storage/store.ts";
import type { Audit } from "../audit.ts";
import { actorId, type Identity } from "../identity.ts";
import { checkWebhookUrl, type WebhookRules } from "../webhooks/address.ts";
import { newWebhookSecret } from "../webhooks/secret.ts";

export interface WebhookServiceOptions {
  readonly store: Store;
  readonly rules: WebhookRules;
  /** Some delivery is due. */
  readonly wake: () => void;
  readonly audit: Audit;
  readonly now: () => number;
}

export interface DeliveryFilter {
  readonly webhook?: WebhookId | undefined;
  readonly job?: JobId | undefined;
}

export class WebhookService {
  readonly #options: WebhookServiceOptions;

  constructor(options: WebhookServiceOptions) {
    this.#options = options;
  }

  /** The secret is shown here and by `secret`. */
  async create(caller: Identity, request: CreateWebhook): Promise<WebhookResource & { readonly secret: string }> {
    const { store, rules, now } = this.#options;
    checkWebhookUrl(request.url, rules);
    if ((await store.webhooks.count(caller.tenantId)) >= ACCOUNT_LIMITS.webhooksPerTenant) {
      throw new FluxError("quota_exceeded", `An account may have ${ACCOUNT_LIMITS.webhooksPerTenant} webhooks.`);
    }
    const record: WebhookRecord = {
      id: freshId("whk"),
      tenantId: caller.tenantId,
      url: request.url,
      description: request.description,
      events: [...new Set(request.events)],
      secret: newWebhookSecret(),
      failingSinceMs: null,
      disabledAtMs: null,
      disabledWhy: null,
      createdAtMs: now(),
    };
    await store.webhooks.insert(record);
    this.#note("webhook.created", caller, record.id);
    return { ...webhookResource(record), secret: record.secret };
  }

  async list(caller: Identity, page: PageRequest<WebhookId>): Promise<Page<WebhookResource>> {
    const { items, hasMore } = await this.#options.store.webhooks.list(caller.tenantId, page);
    return { items: items.map(webhookResource), hasMore };
  }

  async get(caller: Identity, id: WebhookId): Promise<WebhookResource> {
    return webhookResource(await this.#options.store.webhooks.get(caller.tenantId, id));
  }

  async secret(caller: Identity, id: WebhookId): Promise<string> {
    return (await this.#options.store.webhooks.get(caller.tenantId, id)).secret;
  }

  /** What signs deliveries to addresses that were given with a job. */
  jobSecret(caller: Identity): Promise<string> {
    return this.#options.store.tenants.webhookSecret(caller.tenantId, newWebhookSecret());
  }

  /** After it was switched off for failing. */
  async enable(caller: Identity, id: WebhookId): Promise<WebhookResource> {
    const { store } = this.#options;
    await store.webhooks.get(caller.tenantId, id);
    await store.webhooks.mark(id, { disabledAtMs: null, disabledWhy: null, failingSinceMs: null });
    this.#note("webhook.enabled", caller, id);
    return this.get(caller, id);
  }

  async remove(caller: Identity, id: WebhookId): Promise<void> {
    await this.#options.store.webhooks.remove(caller.tenantId, id);
    this.#note("webhook.removed", caller, id);
  }

  async deliveries(
    caller: Identity,
    page: PageRequest<DeliveryId>,
    { webhook, job }: DeliveryFilter,
  ): Promise<Page<DeliveryResource>> {
    const { store } = this.#options;
    if (webhook !== undefined) await store.webhooks.get(caller.tenantId, webhook);
    const filter = { webhookId: webhook, jobId: job };
    const { items, hasMore } = await store.deliveries.list(caller.tenantId, page, filter);
    return { items: items.map(deliveryResource), hasMore };
  }

  /** Sends it once more, with the same id and body. @throws FluxError conflict while it is tried by itself */
  async redeliver(caller: Identity, id: DeliveryId): Promise<DeliveryResource> {
    const { store, wake, now } = this.#options;
    const delivery = await store.deliveries.again(caller.tenantId, id, now());
    wake();
    return deliveryResource(delivery);
  }

  #note(action: "webhook.created" | "webhook.removed" | "webhook.enabled", caller: Identity, target: WebhookId): void {
    this.#options.audit.add({ action, actor: actorId(caller), tenantId: caller.tenantId, target });
  }
}

function webhookResource(record: WebhookRecord): WebhookResource {
  const { disabledAtMs, disabledWhy } = record;
  return {
    id: record.id,
    object: "webhook",
    url: record.url,
    description: record.description,
    events: record.events,
    disabled: disabledAtMs === null ? null : { at: timeOf(disabledAtMs), why: disabledWhy ?? "" },
    failing_since: record.failingSinceMs === null ? null : timeOf(record.failingSinceMs),
    created_at: timeOf(record.createdAtMs),
  };
}

function deliveryResource(record: DeliveryRecord): DeliveryResource {
  const maybe = (atMs: number | null) => (atMs === null ? null : timeOf(atMs));
  return {
    id: record.id,
    object: "webhook_delivery",
    webhook: record.webhookId,
    job: record.jobId,
    url: record.url,
    event: record.event,
    state: record.state,
    attempts: record.attempts,
    last_status: record.lastStatus,
    last_error: record.lastError,
    last_attempt_at: maybe(record.lastAttemptAtMs),
    next_attempt_at: maybe(record.nextAttemptAtMs),
    created_at: timeOf(record.createdAtMs),
  };
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
