/** Webhooks over REST: what happens to a job reaches its submitter's addresses, signed, and can be sent once more. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyWebhook } from "#lib/client/webhooks.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { startWebhookReceiver, type WebhookReceiver } from "#tests/support/webhook-receiver.ts";

let coordinator: TestCoordinator;
let receiver: WebhookReceiver;
let ingredients: { model: string; dataset: string; privacy: "public" };
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  coordinator = await startTestCoordinator({ FLUX_WEBHOOK_HTTP: "1", FLUX_WEBHOOK_PRIVATE: "1" });
  const { client } = coordinator;
  const modelFile = await client.uploadFile(new Blob([linearModel(new Float32Array(4), 2)]), "m.onnx", "model");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataFile = await client.uploadFile(new Blob([csvRecords(3, 2)]), "d.csv", "dataset");
  const dataset = await client.createDataset({ file_id: dataFile.id });
  ingredients = { model: model.id, dataset: dataset.id, privacy: "public" };
});
afterAll(async () => {
  await coordinator.close();
  await receiver.close();
});

async function ask(method: string, path: string, body?: unknown) {
  const response = await coordinator.call(path, {
    method,
    headers: { "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

describe("webhooks", () => {
  it("reach the account's address and the job's own, each signed by its own secret", async () => {
    const hook = (await ask("POST", "/webhooks", { url: `${receiver.url}/account`, description: "CI" })).body;
    expect(hook).toMatchObject({ object: "webhook", disabled: null, secret: expect.stringMatching(/^whsec_/) });
    expect((await ask("GET", `/webhooks/${hook.id}/secret`)).body).toEqual({ secret: hook.secret });
    const jobSecret = (await ask("GET", "/webhook-secret")).body.secret;
    const job = (await ask("POST", "/jobs", { ...ingredients, webhook: `${receiver.url}/job` })).body;
    await ask("POST", `/jobs/${job.id}/cancel`);

    const deliveries = [await receiver.nth(1), await receiver.nth(2)];
    const secrets: Record<string, string> = { "/account": hook.secret, "/job": jobSecret };
    expect(deliveries.map(({ path }) => path).sort()).toEqual(["/account", "/job"]);
    for (const { path, headers, body } of deliveries) {
      const message = verifyWebhook(secrets[path]!, headers, body);
      expect(message).toMatchObject({ type: "job.canceled", data: { id: job.id, status: "canceled" } });
      expect(message.deliveryId).toMatch(/^whd_/);
      const otherSecret = secrets[path === "/job" ? "/account" : "/job"]!;
      expect(() => verifyWebhook(otherSecret, headers, body)).toThrow(/not Flux's/);
      expect(() => verifyWebhook(secrets[path]!, headers, body.replace("canceled", "completed"))).toThrow(/not Flux's/);
      const old = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 600) };
      expect(() => verifyWebhook(secrets[path]!, old, body)).toThrow(/not Flux's/);
    }

    await expect
      .poll(async () => (await ask("GET", `/webhook-deliveries?job=${job.id}`)).body.data.map(stateOf))
      .toEqual([
        ["delivered", 1, 200],
        ["delivered", 1, 200],
      ]);
    const [first] = (await ask("GET", `/webhook-deliveries?webhook=${hook.id}`)).body.data;
    expect((await ask("POST", `/webhook-deliveries/${first.id}/redeliver`)).body).toMatchObject({ state: "pending" });
    const again = await receiver.nth(3);
    const before = deliveries.find(({ path }) => path === "/account")!;
    expect([again.body, again.headers["webhook-id"]]).toEqual([before.body, before.headers["webhook-id"]]);
    await ask("DELETE", `/webhooks/${hook.id}`);
  });

  it("tell only what was asked for", async () => {
    const hook = (await ask("POST", "/webhooks", { url: `${receiver.url}/none`, events: ["job.failed"] })).body;
    const job = (
      await ask("POST", "/jobs", { ...ingredients, webhook: `${receiver.url}/x`, webhook_events: ["job.completed"] })
    ).body;
    await ask("POST", `/jobs/${job.id}/cancel`);
    await coordinator.settled();
    expect((await ask("GET", `/webhook-deliveries?job=${job.id}`)).body.data).toEqual([]);
    await ask("DELETE", `/webhooks/${hook.id}`);
  });
});

describe("addresses that cannot be sent to", () => {
  let strict: TestCoordinator;
  beforeAll(async () => {
    strict = await startTestCoordinator();
  });
  afterAll(() => strict.close());

  const REFUSED = [
    { url: "http://example.com/", says: /https addresses only/ },
    { url: "https://10.0.0.1/", says: /public internet/ },
    { url: "https://2130706433/", says: /127\.0\.0\.1 is not an address of the public internet/ },
    { url: "https://user:pass@example.com/", says: /Leave user and password out/ },
    { url: "https://example.com:25/", says: /Port 25/ },
    { url: "ftp://example.com/", says: /https:\/\/example.com/ },
  ];
  it.each(REFUSED)("are refused when they are given: $url", async ({ url, says }) => {
    const post = (path: string, body: object) =>
      strict.call(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    const problem = await (await post("/webhooks", { url })).json();
    expect(problem).toMatchObject({ code: "invalid_request", param: "url" });
    expect(problem.detail).toMatch(says);
  });
});

const stateOf = (delivery: { state: string; attempts: number; last_status: number }) => [
  delivery.state,
  delivery.attempts,
  delivery.last_status,
];
