/** Deliveries by a clock that is moved by hand: repetitions, restarts, addresses that are switched off. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAudit } from "#lib/coordinator/audit.ts";
import type { Clock } from "#lib/coordinator/clock.ts";
import { createLog } from "#lib/coordinator/log.ts";
import { RETRY_AFTER_MS, WebhookDispatch } from "#lib/coordinator/webhooks/dispatch.ts";
import type { JobResource } from "#lib/protocol/api/jobs.ts";
import type { WebhookId } from "#lib/protocol/ids.ts";
import { WEBHOOK_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import type { Store } from "#lib/storage/store.ts";
import { insertSampleJob, type SampleJob } from "#tests/contract/samples.ts";
import { startWebhookReceiver, type WebhookReceiver } from "#tests/support/webhook-receiver.ts";

/** Jumps, and rings when it is told to: deliveries go over real sockets, which no clock of ours waits for. */
class JumpClock implements Clock {
  now = 1_700_000_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  nowMs(): number {
    return this.now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** In how long the next timer rings; null where there is none. */
  get nextMs(): number | null {
    const next = Math.min(...[...this.#timers].map(({ atMs }) => atMs));
    return Number.isFinite(next) ? next - this.now : null;
  }

  ring(): void {
    for (const timer of [...this.#timers].filter(({ atMs }) => atMs <= this.now)) {
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

let store: Store;
let mine: SampleJob;
let clock: JumpClock;
let receiver: WebhookReceiver;
let webhookId: WebhookId;
let running: WebhookDispatch[];

beforeEach(async () => {
  store = openSqliteStore(":memory:");
  mine = await insertSampleJob(store);
  clock = new JumpClock();
  receiver = await startWebhookReceiver();
  running = [];
  webhookId = freshId("whk");
  await store.webhooks.insert({
    id: webhookId,
    tenantId: mine.tenantId,
    url: `${receiver.url}/hook`,
    description: "",
    events: ["job.running", "job.canceled"],
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    failingSinceMs: null,
    disabledAtMs: null,
    disabledWhy: null,
    createdAtMs: 0,
  });
});
afterEach(async () => {
  for (const dispatch of running) await dispatch.close();
  await store.close();
  await receiver.close();
});

/** A coordinator's webhooks, as after a start. */
async function start(): Promise<WebhookDispatch> {
  const dispatch = new WebhookDispatch({
    store,
    show: async (job) => ({ id: job.id, status: job.status }) as JobResource,
    rules: { allowHttp: true, mayReach: () => true },
    audit: createAudit(store, () => clock.nowMs()),
    clock,
    random: () => 0,
    log: createLog("error"),
  });
  running.push(dispatch);
  await dispatch.start();
  return dispatch;
}

const change = (status: "running" | "canceled") =>
  store.jobs.change(mine.job.id, ["queued", "running"], { status }, clock.nowMs());

async function delivery() {
  return (await store.deliveries.list(mine.tenantId, { limit: 1 }, {})).items[0];
}
const outcome = (state: string, attempts: number) =>
  expect.poll(async () => [(await delivery())?.state, (await delivery())?.attempts]).toEqual([state, attempts]);

describe("deliveries", () => {
  it("are repeated with growing pauses until they are taken, under one id and with one body", async () => {
    receiver.answers.push(500, 503, 302);
    const dispatch = await start();
    await change("canceled");
    dispatch.wake();
    for (const [attempt, pauseMs] of RETRY_AFTER_MS.slice(0, 3).entries()) {
      await receiver.nth(attempt + 1);
      await outcome("pending", attempt + 1);
      expect((await delivery())?.nextAttemptAtMs).toBe(clock.nowMs() + pauseMs);
      await expect.poll(() => clock.nextMs).toBe(pauseMs);
      clock.now += pauseMs;
      clock.ring();
    }
    await receiver.nth(4);
    await outcome("delivered", 4);
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(receiver.received.map(({ headers }) => Number(headers["webhook-timestamp"]))).toEqual(
      [0, 5, 305, 2_105].map((seconds) => 1_700_000_000 + seconds),
    );
  });

  it("neither get lost nor doubled when the coordinator ends in between", async () => {
    receiver.answers.push(500);
    const first = await start();
    await change("running");
    first.wake();
    await outcome("pending", 1);
    await first.close();
    // While it was down, another event came, and the pause ended.
    await change("canceled");
    clock.now += RETRY_AFTER_MS[0]!;
    await start();
    await receiver.nth(3);
    await expect.poll(async () => (await store.deliveries.nextDueAtMs()) === undefined).toBe(true);
    await start();
    const told = receiver.received.map(({ body }) => JSON.parse(body).type);
    expect(told.sort()).toEqual(["job.canceled", "job.running", "job.running"]);
  });

  it("whose outcome a crash swallowed are made anew", async () => {
    await store.deliveries.enqueue(
      [
        {
          id: freshId("whd"),
          tenantId: mine.tenantId,
          webhookId,
          jobId: mine.job.id,
          url: `${receiver.url}/hook`,
          event: "job.canceled",
          body: "{}",
          state: "pending",
          attempts: 0,
          nextAttemptAtMs: 0,
          lastStatus: null,
          lastError: null,
          lastAttemptAtMs: null,
          createdAtMs: 0,
        },
      ],
      0,
    );
    expect(await store.deliveries.claim(0, 30_000, [])).toBeDefined();
    expect(await store.deliveries.claim(0, 30_000, [])).toBeUndefined();
    await start();
    await receiver.nth(1);
    await outcome("delivered", 1);
  });

  it("are given up after the last pause, and the log says why", async () => {
    receiver.answers.push(...Array<number>(RETRY_AFTER_MS.length + 1).fill(500));
    const dispatch = await start();
    await change("canceled");
    dispatch.wake();
    for (const [attempt, pauseMs] of RETRY_AFTER_MS.entries()) {
      await outcome("pending", attempt + 1);
      clock.now += pauseMs;
      dispatch.wake();
    }
    await outcome("failed", RETRY_AFTER_MS.length + 1);
    expect(await delivery()).toMatchObject({ lastStatus: 500, lastError: "It answered 500 instead of 2xx." });
  });

  it("stop when the address says that it is gone, or took nothing for five days", async () => {
    receiver.answers.push(500);
    const dispatch = await start();
    await change("running");
    dispatch.wake();
    await outcome("pending", 1);
    clock.now += WEBHOOK_LIMITS.failingMs;
    receiver.answers.push(500);
    dispatch.wake();
    await outcome("failed", 2);
    await expect
      .poll(async () => (await store.webhooks.get(mine.tenantId, webhookId)).disabledWhy)
      .toMatch(/five days/);
    await store.webhooks.mark(webhookId, { disabledAtMs: null, disabledWhy: null, failingSinceMs: null });
    receiver.answers.push(410);
    await change("canceled");
    dispatch.wake();
    await expect.poll(async () => (await store.webhooks.get(mine.tenantId, webhookId)).disabledWhy).toMatch(/gone/);
    const log = await store.audit.list({ limit: 10 });
    expect(log.items.map(({ action }) => action)).toEqual(["webhook.disabled", "webhook.disabled"]);
  });

  it("of one account leave room for those of others", async () => {
    expect(WEBHOOK_LIMITS.concurrentPerTenant * 2).toBeLessThanOrEqual(WEBHOOK_LIMITS.concurrent);
    const other = await insertSampleJob(store);
    await start();
    const row = (tenantId: typeof mine.tenantId) => ({
      id: freshId("whd"),
      tenantId,
      webhookId: null,
      jobId: mine.job.id,
      url: receiver.url,
      event: "job.canceled" as const,
      body: "{}",
      state: "pending" as const,
      attempts: 0,
      nextAttemptAtMs: 0,
      lastStatus: null,
      lastError: null,
      lastAttemptAtMs: null,
      createdAtMs: 0,
    });
    await store.deliveries.enqueue([row(mine.tenantId), row(other.tenantId)], 0);
    expect((await store.deliveries.claim(0, 1_000, [mine.tenantId]))?.tenantId).toBe(other.tenantId);
    expect(await store.deliveries.claim(0, 1_000, [mine.tenantId])).toBeUndefined();
  });
});
