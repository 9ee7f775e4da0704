/**
 * Every route × every kind of caller: nothing succeeds that should not, and nothing is answered with a 500. Walks the very
 * table that the server serves, so that a new route is walked without anybody remembering to.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AUTH_POSTS } from "#lib/coordinator/accounts/auth-handler.ts";
import { createApiKey } from "#lib/coordinator/identity.ts";
import type { Route } from "#lib/coordinator/rest/route.ts";
import { Problem } from "#lib/protocol/api/common.ts";
import { freshId } from "#lib/storage/ids.ts";
import type { DeliveryRecord } from "#lib/storage/records.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { Person } from "#tests/support/person.ts";

/** What a path's {name} is filled with: things of the first tenant. */
type Things = Readonly<Record<string, string>>;
type Caller =
  | "none"
  | "garbage"
  | "revoked"
  | "ended session"
  | "forged session"
  | "stranger"
  | "strange person"
  | "foreign page"
  | "readOnly"
  | "owner";
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

describe("every route", () => {
  let coordinator: TestCoordinator;
  let things: Things;
  /** Headers by which each kind of caller shows who they are: keys of programs, cookies of people. */
  let callers: Readonly<Record<Caller, Record<string, string>>>;
  let routes: readonly Route[];

  beforeAll(async () => {
    coordinator = await startTestCoordinator({ FLUX_RATE_SCALE: "100" });
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
    const stranger = await createApiKey(store, other, "stranger", ["jobs:read", "jobs:write", "account"], now);
    const readOnly = await createApiKey(store, own, "reader", ["jobs:read"], now);
    const revoked = await createApiKey(store, own, "revoked", ["jobs:read", "jobs:write", "admin"], now);
    await store.apiKeys.revoke(own, revoked.id, now);
    const owner = { kind: "key", tenantId: own, keyId: readOnly.id, scopes: ["admin"] } as const;
    const site = await services.sites.create(owner, { name: "Birds", origins: ["https://birds.example"] });
    const group = await services.groups.create(owner, { name: "Class 7" });
    const webhook = await (
      await coordinator.call("/webhooks", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ url: "https://example.org/hook" }),
      })
    ).json();
    const delivery: DeliveryRecord = {
      id: freshId("whd"),
      tenantId: own,
      webhookId: webhook.id,
      jobId: job.id,
      url: webhook.url,
      event: "job.completed",
      body: "{}",
      state: "delivered",
      attempts: 1,
      nextAttemptAtMs: null,
      lastStatus: 200,
      lastError: null,
      lastAttemptAtMs: now,
      createdAtMs: now,
    };
    await store.deliveries.enqueue([delivery], await store.jobEvents.newest());
    things = {
      file: modelFile.id,
      model: model.id,
      dataset: dataset.id,
      job: job.id,
      key: readOnly.id,
      session: freshId("ses"),
      webhook: webhook.id,
      delivery: delivery.id,
      site: site.id,
      group: group.id,
    };
    const person = new Person(coordinator.url);
    await person.signUp("stranger@example.org");
    const signedOut = new Person(coordinator.url);
    await signedOut.signUp("gone@example.org");
    const { cookies: endedCookies } = signedOut;
    await signedOut.ask("POST", "/api/auth/sign-out", {});
    const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
    const { origin } = new URL(coordinator.url);
    callers = {
      none: {},
      garbage: bearer("flux_sk_this_is_not_a_key"),
      revoked: bearer(revoked.key),
      "ended session": { cookie: endedCookies, origin },
      "forged session": { cookie: `${person.cookies.slice(0, -6)}xxx%3D`, origin },
      stranger: bearer(stranger.key),
      "strange person": { cookie: person.cookies, origin },
      "foreign page": { cookie: person.cookies, origin: "https://evil.example" },
      readOnly: bearer(readOnly.key),
      owner: bearer(coordinator.key),
    };
  });
  afterAll(() => coordinator.close());

  async function ask(method: string, path: string, caller: Caller, prefix = "/api/v1"): Promise<Response> {
    const url = path.replace(/\{(\w+)\}/g, (_whole, name: string) => things[name] ?? "missing");
    const body = method === "POST" || method === "PUT" || method === "PATCH" ? { body: "{}" } : {};
    const response = await fetch(`${coordinator.url}${prefix}${url}`, {
      method,
      headers: { "Content-Type": "application/json", ...callers[caller] },
      ...body,
    });
    expect(response.status, `${method} ${url} by ${caller}`).toBeLessThan(500);
    return response;
  }

  async function statuses(caller: Caller, among: readonly Route[]): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    for (const { method, path } of among) {
      const response = await ask(method, path, caller);
      found[`${method} ${path}`] = response.status;
      if (!response.ok) Problem.parse(await response.json());
      else await response.body?.cancel();
    }
    return found;
  }

  const closed = () => routes.filter(({ scope }) => scope !== null);
  const all = (status: number, among: readonly Route[]) =>
    Object.fromEntries(among.map(({ method, path }) => [`${method} ${path}`, status]));

  const NOBODY = ["none", "garbage", "revoked", "ended session", "forged session"] as const;
  it.each(NOBODY)("answers 401 to a caller with: %s", async (caller) => {
    expect(await statuses(caller, closed())).toEqual(all(401, closed()));
  });

  const STRANGERS = ["stranger", "strange person"] as const;
  it.each(STRANGERS)("answers 404 to a %s, for every thing that is not theirs", async (caller) => {
    const named = closed().filter(({ path, scope }) => path.includes("{") && scope !== "admin");
    expect(named.length).toBeGreaterThan(8);
    expect(await statuses(caller, named)).toEqual(all(404, named));
  });

  it.each(STRANGERS)("shows a %s empty lists", async (caller) => {
    for (const path of [
      "/files",
      "/models",
      "/datasets",
      "/jobs",
      "/sites",
      "/groups",
      "/webhooks",
      "/webhook-deliveries",
    ]) {
      const response = await ask("GET", path, caller);
      expect(await response.json()).toMatchObject({ data: [], has_more: false });
    }
  });

  it.each(STRANGERS)("answers 403 to a %s where an admin is wanted", async (caller) => {
    const operators = routes.filter(({ scope }) => scope === "admin");
    expect(operators.length).toBeGreaterThan(10);
    expect(await statuses(caller, operators)).toEqual(all(403, operators));
  });

  it("answers 403 to another site's page that rides on a cookie, for everything that changes something", async () => {
    const changing = closed().filter(({ method }) => method !== "GET");
    expect(await statuses("foreign page", changing)).toEqual(all(403, changing));
  });

  it("answers 403 where the key's scopes do not reach", async () => {
    const beyond = closed().filter(({ scope }) => scope !== "jobs:read");
    expect(beyond.length).toBeGreaterThan(6);
    expect(await statuses("readOnly", beyond)).toEqual(all(403, beyond));
  });

  it("answers 405 with Allow to methods that are not offered", async () => {
    for (const path of new Set(routes.map((route) => route.path))) {
      const offered = routes.filter((route) => route.path === path).map(({ method }) => method as string);
      for (const method of METHODS.filter((name) => !offered.includes(name))) {
        const response = await ask(method, path, "owner");
        expect(response.status, `${method} ${path}`).toBe(405);
        expect(response.headers.get("allow")?.split(", ").sort()).toEqual([...offered].sort());
      }
    }
  });

  it("answers no valid caller with a 500, whatever they leave out", async () => {
    for (const { method, path } of routes.filter((route) => route.method !== "DELETE")) {
      const response = await ask(method, path, "owner");
      await response.body?.cancel();
    }
  });

  it("serves a closed list of ways to sign in, each with its own body and nothing else", async () => {
    for (const path of AUTH_POSTS) {
      for (const method of METHODS) {
        for (const caller of ["none", "strange person", "foreign page"] as const) {
          const response = await ask(method, path, caller, "/api/auth");
          const wanted = method !== "POST" ? 405 : caller === "foreign page" ? 403 : 400;
          const allowed = path === "/sign-out" && wanted === 400 ? 200 : wanted;
          expect([path, method, caller, response.status]).toEqual([path, method, caller, allowed]);
          await response.body?.cancel();
        }
      }
    }
    const absent = [
      "get-session",
      "list-sessions",
      "delete-user",
      "revoke-sessions",
      "set-password",
      "ok",
      "unlink-account",
    ];
    for (const path of absent) {
      for (const method of METHODS) expect((await ask(method, `/${path}`, "none", "/api/auth")).status).toBe(404);
    }
  });

  it.each([...NOBODY, "readOnly"] as const)("takes no upload from a caller with: %s", async (caller) => {
    for (const method of ["POST", "HEAD", "PATCH", "DELETE"]) {
      const wanted = caller === "readOnly" ? 403 : 401;
      expect((await ask(method, "", caller, "/uploads")).status).toBe(wanted);
    }
  });

  it("describes every route in OpenAPI, and nothing else", async () => {
    const document = await (await ask("GET", "/openapi.json", "none")).json();
    const described = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(routes.map(({ method, path }) => `${method} /api/v1${path}`).sort());
  });
});
