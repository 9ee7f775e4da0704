/** People: signing up, in and out, passwords, sessions, the admin link, and the end of an account with all of its data. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TenantId } from "#lib/protocol/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { PASSWORD, Person } from "#tests/support/person.ts";

let coordinator: TestCoordinator;
beforeAll(async () => {
  coordinator = await startTestCoordinator({ FLUX_RATE_SCALE: "100" });
});
afterAll(() => coordinator.close());

let people = 0;
const freshEmail = () => `person${++people}@example.org`;

async function somebody(): Promise<{ person: Person; email: string }> {
  const person = new Person(coordinator.url);
  const email = freshEmail();
  expect(await person.signUp(email)).toMatchObject({ status: 200, body: { done: true } });
  return { person, email };
}

describe("a person", () => {
  it("signs up into an account of their own, signs out, and in again", async () => {
    const { person, email } = await somebody();
    const account = await person.ask("GET", "/api/v1/account");
    expect(account.body).toMatchObject({
      object: "account",
      scopes: ["jobs:read", "jobs:write", "account"],
      person: { email, role: "member", has_password: true },
      usage: { jobs: { used: 0 }, bytes: { used: 0 } },
    });
    expect(await person.ask("GET", "/api/v1/jobs")).toMatchObject({ status: 200, body: { data: [] } });
    expect((await person.ask("POST", "/api/auth/sign-out", {})).status).toBe(200);
    expect((await person.ask("GET", "/api/v1/account")).status).toBe(401);
    expect((await person.signIn(email)).status).toBe(200);
    expect((await person.ask("GET", "/api/v1/account")).body).toMatchObject({ tenant: account.body.tenant });
  });

  it("gets cookies that scripts cannot read, and no token in any answer", async () => {
    const person = new Person(coordinator.url);
    const response = await person.fetch("/api/auth/sign-up/email", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: "A", email: freshEmail(), password: PASSWORD }),
    });
    const cookie = response.headers.getSetCookie().find((text) => text.startsWith("flux.session_token="));
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Lax/i);
    expect(await response.json()).toEqual({ done: true });
  });

  it("has a session that nobody can make up or lengthen", async () => {
    const { person } = await somebody();
    const [name = "", value = ""] = person.cookies.split("=", 2);
    for (const forged of [`${name}=${value.slice(0, -8)}AAAAAAA%3D`, `${name}=${value.split(".")[0]}`, `${name}=x.y`]) {
      const response = await fetch(`${coordinator.url}/api/v1/account`, { headers: { cookie: forged } });
      expect(response.status, forged).toBe(401);
    }
  });

  it("cannot choose their account, role, or anything else of another", async () => {
    const person = new Person(coordinator.url);
    const email = freshEmail();
    await person.ask("POST", "/api/auth/sign-up/email", {
      name: "Eve",
      email,
      password: PASSWORD,
      role: "admin",
      tenantId: "ten_00000000000000000000",
      emailVerified: true,
      id: "usr_00000000000000000000",
    });
    const { body } = await person.ask("GET", "/api/v1/account");
    expect(body).toMatchObject({ scopes: ["jobs:read", "jobs:write", "account"], person: { role: "member" } });
    expect(body.tenant).not.toBe("ten_00000000000000000000");
    await person.ask("POST", "/api/auth/update-user", { name: "Eve II", role: "admin" });
    expect((await person.ask("GET", "/api/v1/account")).body).toMatchObject({
      person: { role: "member", name: "Eve II" },
    });
  });

  const WEAK = ["short", "aaaaaaaaaaaaaaaa", "password123", "Qwertyuiop12", "PERSONNAME99", "x".repeat(129)];
  it.each(WEAK)("is told to choose another password than %s", async (password) => {
    const { status, body } = await new Person(coordinator.url).ask("POST", "/api/auth/sign-up/email", {
      name: "A",
      email: "personname@example.org",
      password,
    });
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.detail).toMatch(/password|characters/);
  });

  it("learns what is wrong in problem+json, and no more than that", async () => {
    const { email } = await somebody();
    const stranger = new Person(coordinator.url);
    const wrong = await stranger.signIn(email, "not the password");
    const unknown = await stranger.signIn("nobody@example.org", "not the password");
    expect(wrong.headers.get("content-type")).toBe("application/problem+json");
    expect(wrong.body).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(unknown.body).toEqual(wrong.body);
    expect((await stranger.signUp(email)).body).toMatchObject({ status: 409, code: "conflict" });
    const reset = await stranger.ask("POST", "/api/auth/request-password-reset", { email });
    expect(reset.body).toMatchObject({ status: 503, code: "unavailable" });
    expect(reset.body.detail).toMatch(/sends no mail/);
  });

  it("is protected from other sites' pages", async () => {
    const { person } = await somebody();
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ name: "stolen" });
    const attempts: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: coordinator.url, "sec-fetch-site": "cross-site" },
      { origin: coordinator.url, "sec-fetch-site": "same-site" },
    ];
    for (const from of attempts) {
      for (const path of ["/api/v1/keys", "/api/auth/update-user", "/api/auth/sign-out"]) {
        const response = await person.fetch(path, { method: "POST", headers: { ...headers, ...from }, body });
        expect([path, from, response.status]).toEqual([path, from, 403]);
      }
    }
    // The positive control: the same from our own page.
    expect((await person.fetch("/api/v1/keys", { method: "POST", headers, body })).status).toBe(201);
  });

  it("sees their sessions, ends one at once, and changes the password", async () => {
    const { person, email } = await somebody();
    const phone = new Person(coordinator.url);
    await phone.signIn(email);
    const { body } = await person.ask("GET", "/api/v1/account/sessions");
    const sessions = body.data as { id: string; current: boolean }[];
    expect(sessions.map(({ current }) => current).sort()).toEqual([false, true]);
    expect(JSON.stringify(sessions)).not.toContain("token");
    const other = sessions.find(({ current }) => !current);
    expect((await person.ask("DELETE", `/api/v1/account/sessions/${other?.id}`)).status).toBe(200);
    expect((await phone.ask("GET", "/api/v1/account")).status).toBe(401);

    await phone.signIn(email);
    const stranger = await somebody();
    expect((await stranger.person.ask("DELETE", `/api/v1/account/sessions/${other?.id}`)).status).toBe(404);
    const changed = await person.ask("POST", "/api/auth/change-password", {
      currentPassword: PASSWORD,
      newPassword: "eleven green badgers",
      revokeOtherSessions: true,
    });
    expect(changed.status).toBe(200);
    expect((await phone.ask("GET", "/api/v1/account")).status).toBe(401);
    expect((await person.ask("GET", "/api/v1/account")).status).toBe(200);
    expect((await phone.signIn(email)).status).toBe(401);
    expect((await phone.signIn(email, "eleven green badgers")).status).toBe(200);
  });
});

describe("rate limits of signing in", () => {
  it("stop guessing at one address, from wherever, and say when to come back", async () => {
    const strict = await startTestCoordinator();
    try {
      const email = "target@example.org";
      await new Person(strict.url).signUp(email);
      const statuses: number[] = [];
      let last = await new Person(strict.url).signIn(email, "guess number 0");
      for (let guess = 1; guess <= 10; guess++) {
        statuses.push(last.status);
        last = await new Person(strict.url).signIn(email, `guess number ${guess}`);
      }
      expect(statuses).toEqual(Array(10).fill(401));
      expect(last.body).toMatchObject({ status: 429, code: "rate_limited" });
      expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(60);
      expect(last.headers.get("ratelimit-policy")).toBe('"signInPerEmail";q=10;w=600');
      expect(last.headers.get("ratelimit")).toMatch(/^"signInPerEmail";r=0;t=\d+$/);
    } finally {
      await strict.close();
    }
  });
});

describe("the admin link", () => {
  it("makes the first admin, in the first account, once", async () => {
    const link = new URL(coordinator.server.adminLink ?? "");
    const token = link.hash.replace("#admin=", "");
    const wrong = await new Person(coordinator.url).signUp(freshEmail(), PASSWORD, { "flux-admin-token": "guess" });
    expect(wrong.body).toMatchObject({ status: 403, code: "forbidden" });
    const admin = new Person(coordinator.url);
    expect((await admin.signUp(freshEmail(), PASSWORD, { "flux-admin-token": token })).status).toBe(200);
    const first = await (await coordinator.call("/account")).json();
    expect((await admin.ask("GET", "/api/v1/account")).body).toMatchObject({
      tenant: first.tenant,
      scopes: ["jobs:read", "jobs:write", "account", "admin"],
    });
    const second = await new Person(coordinator.url).signUp(freshEmail(), PASSWORD, { "flux-admin-token": token });
    expect(second.status).toBe(403);
    expect((await admin.ask("POST", "/api/v1/account/delete", { password: PASSWORD })).body).toMatchObject({
      code: "conflict",
    });
  });

  it("works where sign-up is closed, which is closed to everybody else", async () => {
    const closed = await startTestCoordinator({ FLUX_SIGN_UP: "closed" });
    try {
      expect((await new Person(closed.url).signUp("a@example.org")).body).toMatchObject({ code: "forbidden" });
      expect(await closed.server.coordinator.store.tenants.count()).toBe(1);
      const token = new URL(closed.server.adminLink ?? "").hash.replace("#admin=", "");
      const admin = await new Person(closed.url).signUp("b@example.org", PASSWORD, { "flux-admin-token": token });
      expect(admin.status).toBe(200);
    } finally {
      await closed.close();
    }
  });
});

describe("an account that is deleted", () => {
  it("takes its jobs, files, models, datasets, results, keys and people with it", async () => {
    const { person, email } = await somebody();
    const key = (await person.ask("POST", "/api/v1/keys", { name: "mine" })).body.key;
    const upload = async (content: Uint8Array<ArrayBuffer> | string, name: string, purpose: string) => {
      const form = new FormData();
      form.append("purpose", purpose);
      form.append("file", new Blob([content]), name);
      const response = await person.fetch("/api/v1/files", { method: "POST", body: form });
      return (await response.json()).id;
    };
    const modelFile = await upload(linearModel(new Float32Array([3, 1, 4, 1]), 2), "m.onnx", "model");
    const dataFile = await upload(csvRecords(3, 2), "d.csv", "dataset");
    const model = (await person.ask("POST", "/api/v1/models", { file_id: modelFile })).body.id;
    const dataset = (await person.ask("POST", "/api/v1/datasets", { file_id: dataFile })).body.id;
    const job = await person.ask("POST", "/api/v1/jobs", { model, dataset, privacy: "public" });
    expect(job.body).toMatchObject({ object: "job", status: "queued" });
    const tenantId = TenantId.parse((await person.ask("GET", "/api/v1/account")).body.tenant);

    expect((await person.ask("POST", "/api/v1/account/delete", { password: "wrong password" })).status).toBe(400);
    expect((await person.ask("POST", "/api/v1/account/delete", {})).status).toBe(400);
    expect(await person.ask("POST", "/api/v1/account/delete", { password: PASSWORD })).toMatchObject({
      status: 200,
      body: { deleted: true },
    });
    expect((await person.ask("GET", "/api/v1/account")).status).toBe(401);
    expect((await person.signIn(email)).status).toBe(401);
    const withKey = await fetch(`${coordinator.url}/api/v1/jobs`, { headers: { Authorization: `Bearer ${key}` } });
    expect(withKey.status).toBe(401);
    const { store } = coordinator.server.coordinator;
    await expect(store.tenants.get(tenantId)).rejects.toThrow(/no account/);
    expect(await store.files.usage(tenantId)).toEqual({ files: 0, bytes: 0 });
    const left = await readdir(join(coordinator.dataFolder), { recursive: true });
    expect(left.filter((name) => name.includes(String(dataset)) || name.includes(String(job.body.id)))).toEqual([]);
    // Only the audit log remembers, and only by ids.
    const log = await store.audit.list({ limit: 100, tenantId });
    expect(log.items.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["person.signed_up", "key.created", "tenant.removed"]),
    );
    expect(JSON.stringify(log.items)).not.toContain(email);
  });
});
