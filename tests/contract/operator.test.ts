/** What operators see and do: only admins, nothing secret, everything noted, backups that open. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshId } from "#lib/storage/ids.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { PASSWORD, Person } from "#tests/support/person.ts";

let coordinator: TestCoordinator;
let admin: Person;
let member: Person;
let memberTenant: string;
beforeAll(async () => {
  coordinator = await startTestCoordinator({ FLUX_METRICS_TOKEN: "a very secret token", FLUX_RATE_SCALE: "10" });
  admin = new Person(coordinator.url);
  const token = new URL(coordinator.server.adminLink ?? "").hash.replace("#admin=", "");
  await admin.signUp("admin@example.org", PASSWORD, { "flux-admin-token": token });
  member = new Person(coordinator.url);
  await member.signUp("member@example.org");
  memberTenant = String((await member.ask("GET", "/api/v1/account")).body.tenant);
});
afterAll(() => coordinator.close());

const ask = (method: string, path: string, body?: unknown) => admin.ask(method, `/api/v1/operator${path}`, body);

describe("an operator", () => {
  it("sees how the server is, its queue, donors, limits and settings, and no secret", async () => {
    expect((await ask("GET", "/health")).body).toMatchObject({ object: "server_health", ready: true, tenants: 2 });
    expect((await ask("GET", "/queue")).body).toEqual({ object: "list", data: [] });
    expect((await ask("GET", "/donors")).body).toEqual({ object: "list", data: [] });
    expect((await ask("GET", "/abuse")).body).toMatchObject({ banned: [], rate_limited: { signIn: 0 } });
    const settings = JSON.stringify((await ask("GET", "/config")).body);
    expect(settings).toContain("FLUX_METRICS_TOKEN");
    expect(settings).not.toContain("a very secret token");
  });

  it("sets an account's quotas, which count at once", async () => {
    const changed = await ask("PATCH", `/tenants/${memberTenant}`, { quotas: { bytes: 10, concurrent_jobs: 3 } });
    expect(changed.body).toMatchObject({
      quotas: { bytes: 10, concurrent_jobs: 3 },
      usage: { bytes: { used: 0, limit: 10 }, concurrent_jobs: { limit: 3 } },
    });
    const form = new FormData();
    form.append("purpose", "dataset");
    form.append("file", new Blob(["1,2,3,4,5,6,7,8"]), "d.csv");
    const refused = await member.fetch("/api/v1/files", { method: "POST", body: form });
    expect((await refused.json()).detail).toMatch(/has 10 bytes left/);
    expect((await ask("PATCH", `/tenants/${memberTenant}`, { quotas: {} })).body).toMatchObject({ quotas: {} });
  });

  it("suspends an account: its people and keys are out at once, until it is taken up again", async () => {
    const key = (await member.ask("POST", "/api/v1/keys", { name: "k" })).body.key;
    const withKey = () => fetch(`${coordinator.url}/api/v1/jobs`, { headers: { Authorization: `Bearer ${key}` } });
    expect((await withKey()).status).toBe(200);
    expect((await ask("PATCH", `/tenants/${memberTenant}`, { suspended: true })).status).toBe(200);
    expect([(await withKey()).status, (await member.ask("GET", "/api/v1/jobs")).status]).toEqual([403, 403]);
    const again = await new Person(coordinator.url).signIn("member@example.org");
    expect(again.body.detail).toMatch(/suspended/);
    await ask("PATCH", `/tenants/${memberTenant}`, { suspended: false });
    expect([(await withKey()).status, (await member.ask("GET", "/api/v1/jobs")).status]).toEqual([200, 200]);
    const own = (await admin.ask("GET", "/api/v1/account")).body.tenant;
    expect((await ask("PATCH", `/tenants/${own}`, { suspended: true })).body).toMatchObject({ code: "conflict" });
  });

  it("makes a link for a forgotten password, which works once", async () => {
    const tenants = (await ask("GET", "/tenants")).body.data as { id: string; people: { id: string }[] }[];
    const person = tenants.find(({ id }) => id === memberTenant)?.people[0];
    const url = new URL(String((await ask("POST", `/people/${person?.id}/reset-link`)).body.url));
    const token = url.searchParams.get("token");
    const stranger = new Person(coordinator.url);
    const reset = () => stranger.ask("POST", "/api/auth/reset-password", { token, newPassword: "seven red herons" });
    expect((await reset()).status).toBe(200);
    expect((await reset()).body).toMatchObject({ code: "invalid_request", detail: expect.stringMatching(/used/) });
    expect((await member.ask("GET", "/api/v1/account")).status).toBe(401);
    expect((await member.signIn("member@example.org", "seven red herons")).status).toBe(200);
  });

  it("bans a donor and lets it in again, with a clean record", async () => {
    const { store } = coordinator.server.coordinator;
    const id = freshId("don");
    await store.donors.upsert({ ...BLANK_DONOR, id });
    expect((await ask("POST", `/donors/${id}/ban`)).body.banned_at).not.toBeNull();
    expect((await ask("GET", "/abuse")).body).toMatchObject({ banned: [{ id }] });
    expect((await ask("DELETE", `/donors/${id}/ban`)).body).toMatchObject({ banned_at: null, refused: 0 });
    expect((await ask("POST", `/donors/${freshId("don")}/ban`)).status).toBe(404);
  });

  it("makes a backup that opens, and downloads it", async () => {
    const made = await ask("POST", "/backups");
    expect(made.body).toMatchObject({ object: "backup", name: expect.stringMatching(/^flux-\d{8}-\d{6}\.sqlite$/) });
    expect((await ask("GET", "/backups")).body.data).toHaveLength(1);
    const response = await admin.fetch(`/api/v1/operator/backups/${made.body.name}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).toBe(made.body.bytes);
    const folder = await mkdtemp(join(tmpdir(), "flux-backup-"));
    await writeFile(join(folder, "flux.sqlite"), bytes);
    const restored = openSqliteStore(join(folder, "flux.sqlite"));
    expect(await restored.tenants.count()).toBe(2);
    await restored.close();
    await rm(folder, { recursive: true });
    const traversal = await admin.fetch(`/api/v1/operator/backups/${encodeURIComponent("../flux.sqlite")}`);
    expect(traversal.status).toBe(404);
  });

  it("finds every act in the audit log, which nobody can change", async () => {
    const { body } = await ask("GET", "/audit?limit=200");
    const entries = body.data as { action: string; actor_name: string | null }[];
    const actions = ["person.signed_up", "session.started", "key.created", "tenant.quotas_set", "tenant.suspended"];
    actions.push("tenant.restored", "password.reset_link_made", "donor.banned", "donor.unbanned", "backup.made");
    expect(entries.map(({ action }) => action)).toEqual(expect.arrayContaining(actions));
    expect(entries.find(({ action }) => action === "backup.made")?.actor_name).toBe("admin@example.org");
    const database = new BetterSqlite3(join(coordinator.dataFolder, "flux.sqlite"));
    expect(() => database.exec("delete from audit_log")).toThrow(/append only/);
    expect(() => database.exec("update audit_log set action = 'nothing'")).toThrow(/append only/);
    database.close();
  });

  it("deletes an account with everything in it, but not their own", async () => {
    const own = (await admin.ask("GET", "/api/v1/account")).body.tenant;
    expect((await ask("DELETE", `/tenants/${own}`)).body).toMatchObject({ code: "conflict" });
    expect((await ask("DELETE", `/tenants/${memberTenant}`)).status).toBe(200);
    expect((await member.ask("GET", "/api/v1/account")).status).toBe(401);
    expect((await ask("GET", "/tenants")).body.data).toHaveLength(1);
  });
});

describe("everybody else", () => {
  it("may do none of it", async () => {
    const stranger = new Person(coordinator.url);
    await stranger.signUp("other@example.org");
    for (const path of ["/health", "/queue", "/donors", "/tenants", "/abuse", "/audit", "/config", "/backups"]) {
      expect([path, (await stranger.ask("GET", `/api/v1/operator${path}`)).status]).toEqual([path, 403]);
    }
  });
});

const BLANK_DONOR = {
  displayName: "Ada’s laptop",
  firstSeenAtMs: 0,
  lastSeenAtMs: 0,
  accepted: 3,
  refused: 2,
  units: 10,
  computeMs: 100,
  bannedAtMs: null,
  siteId: null,
  groupId: null,
  volunteerId: null,
  country: null,
};
