/**
 * Every route × every kind of caller: nothing succeeds that should not, and nothing is answered with a 500. Walks the very
 * table that the server serves, so that a new route is walked without anybody remembering to.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApiKey } from "#lib/coordinator/identity.ts";
import type { Route } from "#lib/coordinator/rest/route.ts";
import { Problem } from "#lib/protocol/api/common.ts";
import { freshId } from "#lib/storage/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";

/** What a path's {name} is filled with: things of the first tenant. */
type Things = Readonly<Record<string, string>>;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

describe("every route", () => {
  let coordinator: TestCoordinator;
  let things: Things;
  let keys: { readonly [Caller in "none" | "garbage" | "revoked" | "stranger" | "readOnly"]: string | null };
  let routes: readonly Route[];

  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    const { client, server } = coordinator;
    ({ routes } = server.coordinator);
    const modelFile = await client.uploadFile(new Blob([linearModel(new Float32Array(4), 2)]), "m.onnx", "model");
    const model = await client.createModel({ file_id: modelFile.id });
    const dataFile = await client.uploadFile(new Blob([csvRecords(3, 2)]), "d.csv", "dataset");
    const dataset = await client.createDataset({ file_id: dataFile.id });
    const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });

    const { services, store } = server.coordinator;
    const now = Date.now();
    const own = (await store.jobs.unfinished())[0]!.tenantId;
    const other = freshId("ten");
    await store.tenants.insert({ id: other, name: "Stranger", createdAtMs: now });
    const stranger = await createApiKey(store, other, "stranger", ["jobs:read", "jobs:write", "admin"], now);
    const readOnly = await createApiKey(store, own, "reader", ["jobs:read"], now);
    const revoked = await createApiKey(store, own, "revoked", ["jobs:read", "jobs:write", "admin"], now);
    await store.apiKeys.revoke(own, revoked.id, now);
    const owner = { tenantId: own, keyId: readOnly.id, scopes: ["admin" as const] };
    const site = await services.sites.create(owner, { name: "Birds", origins: ["https://birds.example"] });
    const group = await services.groups.create(owner, { name: "Class 7" });
    things = {
      site: site.id,
      group: group.id,
      file: modelFile.id,
      model: model.id,
      dataset: dataset.id,
      job: job.id,
      key: readOnly.id,
    };
    keys = {
      none: null,
      garbage: "flux_sk_this is not a key",
      revoked: revoked.key,
      stranger: stranger.key,
      readOnly: readOnly.key,
    };
  });
  afterAll(() => coordinator.close());

  async function ask(method: string, path: string, key: string | null): Promise<Response> {
    const url = path.replace(/\{(\w+)\}/g, (_whole, name: string) => things[name] ?? "missing");
    const body = method === "POST" || method === "PUT" || method === "PATCH" ? { body: "{}" } : {};
    const response = await fetch(`${coordinator.url}/api/v1${url}`, {
      method,
      headers: { "Content-Type": "application/json", ...(key === null ? {} : { Authorization: `Bearer ${key}` }) },
      ...body,
    });
    expect(response.status, `${method} ${url}`).toBeLessThan(500);
    return response;
  }

  async function statuses(key: string | null, among: readonly Route[]): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    for (const { method, path } of among) {
      const response = await ask(method, path, key);
      found[`${method} ${path}`] = response.status;
      if (!response.ok) Problem.parse(await response.json());
      else await response.body?.cancel();
    }
    return found;
  }

  const closed = () => routes.filter(({ scope }) => scope !== null);
  const all = (status: number, among: readonly Route[]) =>
    Object.fromEntries(among.map(({ method, path }) => [`${method} ${path}`, status]));

  it.each(["none", "garbage", "revoked"] as const)("answers 401 to a caller with key: %s", async (caller) => {
    expect(await statuses(keys[caller], closed())).toEqual(all(401, closed()));
  });

  it("answers 404 to another tenant, for every thing that is not theirs", async () => {
    const named = closed().filter(({ path }) => path.includes("{"));
    expect(named.length).toBeGreaterThan(8);
    expect(await statuses(keys.stranger, named)).toEqual(all(404, named));
  });

  it("shows another tenant empty lists", async () => {
    for (const path of ["/files", "/models", "/datasets", "/jobs", "/sites", "/groups"]) {
      const response = await ask("GET", path, keys.stranger);
      expect(await response.json()).toMatchObject({ data: [], has_more: false });
    }
  });

  it("answers 403 where the key's scopes do not reach", async () => {
    const beyond = closed().filter(({ scope }) => scope !== "jobs:read");
    expect(beyond.length).toBeGreaterThan(6);
    expect(await statuses(keys.readOnly, beyond)).toEqual(all(403, beyond));
  });

  it("answers 405 with Allow to methods that are not offered", async () => {
    for (const path of new Set(routes.map((route) => route.path))) {
      const offered = routes.filter((route) => route.path === path).map(({ method }) => method as string);
      for (const method of METHODS.filter((name) => !offered.includes(name))) {
        const response = await ask(method, path, coordinator.key);
        expect(response.status, `${method} ${path}`).toBe(405);
        expect(response.headers.get("allow")?.split(", ").sort()).toEqual([...offered].sort());
      }
    }
  });

  it("answers no valid caller with a 500, whatever they leave out", async () => {
    for (const { method, path } of routes.filter((route) => route.method !== "DELETE")) {
      const response = await ask(method, path, coordinator.key);
      await response.body?.cancel();
    }
  });

  it("describes every route in OpenAPI, and nothing else", async () => {
    const document = await (await ask("GET", "/openapi.json", null)).json();
    const described = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(routes.map(({ method, path }) => `${method} /api/v1${path}`).sort());
  });
});
