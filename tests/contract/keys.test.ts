/** API keys: shown once, never wider than who made them, and when they are revoked everything they have open ends. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApiKey } from "#lib/coordinator/identity.ts";
import type { JobId, TenantId } from "#lib/protocol/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { Person } from "#tests/support/person.ts";

/** From the answer that says so: how long the answer itself takes is a matter of the disk and of load. */
const AT_ONCE_MS = 1_000;

let coordinator: TestCoordinator;
let tenantId: TenantId;
let jobId: JobId;
beforeAll(async () => {
  coordinator = await startTestCoordinator();
  const { client } = coordinator;
  const modelFile = await client.uploadFile(new Blob([linearModel(new Float32Array(4), 2)]), "m.onnx", "model");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataFile = await client.uploadFile(new Blob([csvRecords(3, 2)]), "d.csv", "dataset");
  const dataset = await client.createDataset({ file_id: dataFile.id });
  jobId = (await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" })).id;
  tenantId = (await coordinator.server.coordinator.store.tenants.oldest())!.id;
});
afterAll(() => coordinator.close());

const newKey = (scopes: readonly ("jobs:read" | "jobs:write" | "account")[]) =>
  createApiKey(coordinator.server.coordinator.store, tenantId, "test", scopes, Date.now());

const as = (key: string, method: string, path: string, json?: unknown) =>
  fetch(`${coordinator.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });

describe("API keys", () => {
  it("are shown once, listed without themselves, and say when they were used last", async () => {
    const made = await (await coordinator.call("/keys", json({ name: "CI", scopes: ["jobs:read"] }))).json();
    expect(made.key).toMatch(/^flux_sk_/);
    expect((await as(made.key, "GET", "/api/v1/jobs")).status).toBe(200);
    const list = await (await coordinator.call("/keys")).json();
    const listed = list.data.find(({ id }: { id: string }) => id === made.id);
    expect(listed).toMatchObject({ name: "CI", scopes: ["jobs:read"], hint: made.key.slice(-4), revoked_at: null });
    expect(Date.parse(listed.last_used_at)).toBeGreaterThan(0);
    expect(JSON.stringify(list)).not.toContain(made.key);
  });

  it("never have more scopes than whoever makes them", async () => {
    const keeper = await newKey(["jobs:read", "account"]);
    const wider = await as(keeper.key, "POST", "/api/v1/keys", { name: "x", scopes: ["jobs:read", "jobs:write"] });
    expect(wider.status).toBe(403);
    expect((await wider.json()).detail).toMatch(/cannot give.*jobs:write/);
    const person = new Person(coordinator.url);
    await person.signUp("keys@example.org");
    expect((await person.ask("POST", "/api/v1/keys", { name: "x", scopes: ["admin"] })).status).toBe(403);
    expect((await person.ask("POST", "/api/v1/keys", { name: "x", scopes: ["account"] })).status).toBe(201);
  });
});

describe("a key that is revoked", () => {
  /** When it was answered. */
  const revoke = async (id: string): Promise<number> => {
    expect((await coordinator.call(`/keys/${id}`, { method: "DELETE" })).status).toBe(200);
    return performance.now();
  };

  it("ends its stream of events within a second", async () => {
    const { id, key } = await newKey(["jobs:read"]);
    const stream = await as(key, "GET", `/api/v1/jobs/${jobId}/events`);
    const reader = stream.body!.getReader();
    await reader.read();
    const cut = drain(reader);
    const revokedAt = await revoke(id);
    expect(await cut).toBe("cut");
    expect(performance.now() - revokedAt).toBeLessThan(AT_ONCE_MS);
    expect((await as(key, "GET", "/api/v1/jobs")).status).toBe(401);
  });

  it("ends its upload within a second, and the bytes become no file", async () => {
    for (const method of ["POST", "PATCH"]) {
      const { id, key } = await newKey(["jobs:write"]);
      const path = method === "POST" ? "/api/v1/files" : await beginUpload(key);
      const headers = method === "POST" ? { "Content-Type": "multipart/form-data; boundary=b" } : TUS_PATCH;
      const sent = request(`${coordinator.url}${path}`, {
        method,
        headers: { Authorization: `Bearer ${key}`, "Content-Length": "1000000", ...headers },
      });
      const closed = new Promise<void>((resolve) => sent.once("close", resolve));
      sent.on("error", () => {});
      const half = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf of it';
      await new Promise((resolve) => sent.write(half, resolve));
      await expect.poll(() => coordinator.server.coordinator.connections.count(id)).toBe(1);
      const revokedAt = await revoke(id);
      await closed;
      expect(performance.now() - revokedAt, path).toBeLessThan(AT_ONCE_MS);
    }
    expect((await coordinator.server.coordinator.store.files.usage(tenantId)).files).toBe(2);
  });

  it("leaves other keys' connections alone", async () => {
    const [gone, stays] = [await newKey(["jobs:read"]), await newKey(["jobs:read"])];
    const stream = await as(stays.key, "GET", `/api/v1/jobs/${jobId}/events`);
    const reader = stream.body!.getReader();
    await reader.read();
    await revoke(gone.id);
    expect((await reader.read()).done).toBe(false);
    await reader.cancel();
  });
});

describe("a session that ends", () => {
  it("ends its stream of events within a second", async () => {
    const person = new Person(coordinator.url);
    const link = new URL(coordinator.server.adminLink ?? "");
    await person.signUp("sse@example.org", undefined, { "flux-admin-token": link.hash.replace("#admin=", "") });
    const stream = await person.fetch(`/api/v1/jobs/${jobId}/events`);
    const reader = stream.body!.getReader();
    await reader.read();
    const cut = drain(reader);
    await person.ask("POST", "/api/auth/sign-out", {});
    const endedAt = performance.now();
    expect(await cut).toBe("cut");
    expect(performance.now() - endedAt).toBeLessThan(AT_ONCE_MS);
  });
});

describe("rate limits", () => {
  it("count each key for itself, and tell where it stands", async () => {
    const strict = await startTestCoordinator({ FLUX_RATE_SCALE: "0.01" });
    try {
      const answers = [];
      for (let i = 0; i < 25; i++) answers.push(await strict.call("/jobs"));
      expect(answers[0]?.headers.get("ratelimit-policy")).toBe('"read";q=24;w=60');
      expect(answers.map(({ status }) => status)).toEqual([...Array(24).fill(200), 429]);
      const refused = answers.at(-1)!;
      expect(await refused.json()).toMatchObject({ code: "rate_limited" });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(refused.headers.get("ratelimit")).toMatch(/^"read";r=0;t=\d+$/);
      const other = await createApiKey(
        strict.server.coordinator.store,
        (await strict.server.coordinator.store.tenants.oldest())!.id,
        "other",
        ["jobs:read"],
        Date.now(),
      );
      const fresh = await fetch(`${strict.url}/api/v1/jobs`, { headers: { Authorization: `Bearer ${other.key}` } });
      expect(fresh.status).toBe(200);
      const guesses: number[] = [];
      for (let i = 0; i < 8; i++) {
        const guess = await fetch(`${strict.url}/api/v1/jobs`, { headers: { Authorization: "Bearer flux_sk_guess" } });
        guesses.push(guess.status);
      }
      expect(guesses).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    } finally {
      await strict.close();
    }
  });
});

describe("quotas", () => {
  it("refuse what would be more than the account may hold, and name the limit", async () => {
    const { store } = coordinator.server.coordinator;
    await store.tenants.setQuotas(tenantId, { jobs: 1 });
    const job = await coordinator.client.job(jobId);
    const again = { model: job.models[0], dataset: job.dataset, privacy: "public" };
    const cases = [
      { quotas: { jobs: 1 }, says: /may have 1 jobs, and this would make it 2/ },
      { quotas: { concurrentJobs: 1 }, says: /1 jobs that have not ended/ },
    ];
    for (const { quotas, says } of cases) {
      await store.tenants.setQuotas(tenantId, quotas);
      const refused = await coordinator.call("/jobs", json(again));
      const problem = await refused.json();
      expect([refused.status, problem.code]).toEqual([429, "quota_exceeded"]);
      expect(problem.detail).toMatch(says);
    }
    await store.tenants.setQuotas(tenantId, { files: 2 });
    await expect(coordinator.client.uploadFile(new Blob(["1,2"]), "x.csv", "dataset")).rejects.toThrow(/2 files/);
    await store.tenants.setQuotas(tenantId, { bytes: (await store.files.usage(tenantId)).bytes + 10 });
    await expect(coordinator.client.uploadFile(new Blob(["1,2\n".repeat(100)]), "x.csv", "dataset")).rejects.toThrow(
      /bytes/,
    );
    const account = await (await coordinator.call("/account")).json();
    expect(account.usage.files.used).toBe(2);
    await store.tenants.setQuotas(tenantId, {});
    expect((await coordinator.call("/jobs", json(again))).status).toBe(201);
  });
});

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const TUS = { "Tus-Resumable": "1.0.0" };
const TUS_PATCH = { ...TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream" };

async function beginUpload(key: string): Promise<string> {
  const purpose = `purpose ${Buffer.from("dataset").toString("base64")}`;
  const response = await fetch(`${coordinator.url}/uploads`, {
    method: "POST",
    headers: { ...TUS, Authorization: `Bearer ${key}`, "Upload-Length": "1000000", "Upload-Metadata": purpose },
  });
  return new URL(response.headers.get("location") ?? "", coordinator.url).pathname;
}

/** Reads on until the stream ends in order ("ended") or breaks ("cut"). */
async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<"ended" | "cut"> {
  try {
    while (!(await reader.read()).done);
    return "ended";
  } catch {
    return "cut";
  }
}
