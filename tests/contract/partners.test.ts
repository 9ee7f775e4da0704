/** Partners end to end over REST and real sockets: who is let in under a site's key, and that what is counted is what was accepted. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { SiteResource } from "#lib/protocol/api/partners.ts";
import { EmbedFacts } from "#lib/protocol/embed.ts";
import type { JobId } from "#lib/protocol/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { type NodeDonor, startNodeDonor } from "#tests/support/node-donor.ts";

const PARTNER = "https://birds.example";
/** Addresses whose countries the packaged file knows, as a trusted proxy would pass them on. */
const ADDRESSES = ["8.8.8.", "193.0.6.", "203.178.141."];
const RECORDS = 3_000;
const INPUTS = 4;

let coordinator: TestCoordinator;
beforeAll(async () => {
  coordinator = await startTestCoordinator({ FLUX_TRUST_PROXY: "1" });
});
afterAll(() => coordinator.close());

async function post(path: string, body: object = {}): Promise<unknown> {
  const response = await coordinator.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(z.object({ code: z.string() }).parse(answer).code);
  return answer;
}

const createSite = async (origins = [PARTNER]): Promise<SiteResource> =>
  SiteResource.parse(await post("/sites", { name: "Garden birds", origins }));
const siteNow = async (id: string): Promise<SiteResource> =>
  SiteResource.parse(await (await coordinator.call(`/sites/${id}`)).json());

/** What a browser gets for the frame in a page of `origin`. */
async function frame(siteKey: string, origin: string | null = PARTNER) {
  const response = await fetch(`${coordinator.url}/embed?site=${siteKey}`, {
    headers: origin === null ? {} : { Referer: `${origin}/` },
  });
  const html = await response.text();
  const data = /id="flux-facts">(.*)<\/script>/.exec(html)?.[1] ?? "null";
  const policy = response.headers.get("content-security-policy") ?? "";
  return { status: response.status, facts: EmbedFacts.parse(JSON.parse(data)), policy, headers: response.headers };
}

async function ticketFor(siteKey: string, origin = PARTNER): Promise<string> {
  const { facts } = await frame(siteKey, origin);
  if (!facts.admitted) throw new Error(facts.refusal);
  return facts.admitted.ticket;
}

let visitors = 0;
/** A donor behind an address of its own; small microtasks, so that every one gets some. */
function visit(hello: { siteKey?: string; siteTicket?: string; groupToken?: string }): Promise<NodeDonor> {
  visitors++;
  const address = `${ADDRESSES[visitors % ADDRESSES.length]}${1 + (visitors % 250)}`;
  return startNodeDonor({
    url: coordinator.url,
    hello,
    headers: { "X-Forwarded-For": address },
    float32MacsPerSecond: 100,
  });
}

async function submitJob(records: number, group?: string): Promise<JobId> {
  const { client } = coordinator;
  const weights = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const modelFile = await client.uploadFile(new Blob([linearModel(weights, INPUTS)]), "m.onnx", "model");
  const dataFile = await client.uploadFile(new Blob([csvRecords(records, INPUTS)]), "d.csv", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id });
  const request = { model: model.id, dataset: dataset.id, privacy: "public" as const };
  const answer = z.object({ id: z.string() }).parse(await post("/jobs", group ? { ...request, group } : request));
  return (await client.job(answer.id as JobId)).id;
}

describe("the frame's document", () => {
  it("carries a ticket for the site's own pages, and lets only those frame it", async () => {
    const site = await createSite([PARTNER, "https://shop.example:8443"]);
    const { status, facts, policy, headers } = await frame(site.key);
    expect(status).toBe(200);
    expect(facts).toMatchObject({
      admitted: { siteName: "Garden birds", origin: PARTNER },
      power: 0.25,
      refusal: null,
    });
    expect(policy).toContain("frame-ancestors https://birds.example https://shop.example:8443");
    expect(policy).toContain("default-src 'none'; script-src 'self';");
    expect(headers.get("document-isolation-policy")).toBe("isolate-and-credentialless");
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(headers.get("cross-origin-opener-policy")).toBeNull();
    expect(headers.get("x-frame-options")).toBeNull();
    expect(headers.get("set-cookie")).toBeNull();
  });

  const refused = [
    { name: "another page", origin: "https://evil.example", refusal: "foreign-origin" },
    { name: "another port of the same host", origin: "https://birds.example:444", refusal: "foreign-origin" },
    { name: "a page that hides itself", origin: null, refusal: "no-referrer" },
  ];
  it.each(refused)("carries none for $name", async ({ origin, refusal }) => {
    const site = await createSite();
    const { status, facts } = await frame(site.key, origin);
    expect({ status, ticket: facts.admitted, refusal: facts.refusal }).toEqual({ status: 403, ticket: null, refusal });
  });

  it("may be framed by nobody under an unknown key", async () => {
    const { facts, policy } = await frame("pk_00000000000000000000");
    expect(facts.refusal).toBe("unknown-key");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  it("does not let facts break out of their data block", async () => {
    const site = SiteResource.parse(await post("/sites", { name: "</script><b>", origins: [PARTNER] }));
    expect((await frame(site.key)).facts.admitted?.siteName).toBe("</script><b>");
  });
});

describe("a donor under a site's key", () => {
  it("is refused without a ticket, with another site's, and with a forged one", async () => {
    const [mine, other] = [await createSite(), await createSite()];
    const ticket = await ticketFor(mine.key);
    const forged = `${ticket.slice(0, -4)}AAAA`;
    for (const siteTicket of [undefined, await ticketFor(other.key), forged]) {
      await expect(visit({ siteKey: mine.key, ...(siteTicket && { siteTicket }) })).rejects.toThrow("forbidden");
    }
    await (await visit({ siteKey: mine.key, siteTicket: ticket })).stop();
    expect((await siteNow(mine.id)).counts.visitors).toBe(1);
  });

  it("is refused when its page's origin is taken off the list", async () => {
    const site = await createSite([PARTNER, "https://old.example"]);
    const siteTicket = await ticketFor(site.key, "https://old.example");
    await post(`/sites/${site.id}`, { origins: [PARTNER] });
    await expect(visit({ siteKey: site.key, siteTicket })).rejects.toThrow("forbidden");
  });

  it("is disconnected when the site is revoked, and cannot come back", async () => {
    const site = await createSite();
    const siteTicket = await ticketFor(site.key);
    const donor = await visit({ siteKey: site.key, siteTicket });
    expect((await siteNow(site.id)).counts.donating_now).toBe(1);
    const revoked = SiteResource.parse(await post(`/sites/${site.id}/revoke`));
    expect(revoked).toMatchObject({ counts: { donating_now: 0 }, revoked_at: expect.any(String) });
    await donor.ended;
    await expect(visit({ siteKey: site.key, siteTicket })).rejects.toThrow("forbidden");
    expect((await frame(site.key)).facts.refusal).toBe("unknown-key");
    await expect(post(`/sites/${site.id}/rotate`)).rejects.toThrow("conflict");
  });

  it("may use the old key after a rotation for the time that was given, and no longer", async () => {
    const site = await createSite();
    const rotated = SiteResource.parse(await post(`/sites/${site.id}/rotate`, { grace_hours: 1 }));
    expect(rotated.key).not.toBe(site.key);
    for (const key of [site.key, rotated.key]) {
      await (await visit({ siteKey: key, siteTicket: await ticketFor(key) })).stop();
    }
    const again = SiteResource.parse(await post(`/sites/${site.id}/rotate`, { grace_hours: 0 }));
    expect((await frame(rotated.key)).facts.refusal).toBe("unknown-key");
    expect((await frame(again.key)).facts.refusal).toBeNull();
    expect((await siteNow(site.id)).counts.visitors).toBe(2);
  });
});

it("counts of 100 visitors on a partner's page are the accepted microtasks, exactly", async () => {
  const site = await createSite();
  const mine = await Promise.all(
    Array.from({ length: 100 }, async () => visit({ siteKey: site.key, siteTicket: await ticketFor(site.key) })),
  );
  const others = await Promise.all(Array.from({ length: 5 }, () => visit({})));
  expect((await siteNow(site.id)).counts).toMatchObject({ visitors: 100, donating_now: 100, microtasks: 0 });
  const job = await submitJob(RECORDS);
  const done = await coordinator.client.waitForJob(job, { pollMs: 50 });
  await Promise.all([...mine, ...others].map((donor) => donor.stop()));

  const acceptedBy = (donors: readonly NodeDonor[]) => donors.reduce((sum, donor) => sum + donor.accepted(), 0);
  const { counts, countries } = await siteNow(site.id);
  expect(mine.filter((donor) => donor.accepted() > 0).length, "the test is about many").toBeGreaterThan(50);
  expect(counts.microtasks).toBe(acceptedBy(mine));
  expect(counts.microtasks + acceptedBy(others)).toBe(done.counts.microtasks_accepted);
  expect(counts).toMatchObject({ visitors: 100, donating_now: 0 });
  expect(countries.map(({ country }) => country).sort()).toEqual(["JP", "NL", "US"]);
  expect(countries.reduce((sum, { visitors: count }) => sum + count, 0)).toBe(100);
  expect(countries.reduce((sum, { microtasks }) => sum + microtasks, 0)).toBe(counts.microtasks);
});

it("shows no country with fewer than three visitors", async () => {
  const site = await createSite();
  const siteTicket = await ticketFor(site.key);
  for (const address of ["8.8.8.8", "8.8.4.4", "193.0.6.139"]) {
    const headers = { "X-Forwarded-For": address };
    await (await startNodeDonor({ url: coordinator.url, hello: { siteKey: site.key, siteTicket }, headers })).stop();
  }
  expect(await siteNow(site.id)).toMatchObject({ counts: { visitors: 3 }, countries: [] });
});

describe("a private group", () => {
  const Group = z.object({
    id: z.string(),
    join_token: z.string(),
    counts: z.object({ microtasks: z.int(), donors: z.int() }),
  });

  it("computes its jobs on its own donors alone", async () => {
    const group = Group.parse(await post("/groups", { name: "Class 7" }));
    const stranger = await visit({});
    const job = await submitJob(200, group.id);
    const waiting = await coordinator.client.job(job);
    expect(waiting).toMatchObject({ status: "queued", counts: { microtasks_leased: 0 } });
    expect(waiting.why).toMatch(/group/);
    const invite = await fetch(`${coordinator.url}/api/v1/group-invites/${group.join_token}`);
    expect(await invite.json()).toEqual({ name: "Class 7", donating_now: 0, microtasks: 0, jobs_open: 1 });

    const member = await visit({ groupToken: group.join_token });
    const done = await coordinator.client.waitForJob(job, { pollMs: 50 });
    expect(stranger.accepted()).toBe(0);
    expect(member.accepted()).toBe(done.counts.microtasks_accepted);
    const after = Group.parse(await (await coordinator.call(`/groups/${group.id}`)).json());
    expect(after.counts).toEqual({ donors: 1, microtasks: done.counts.microtasks_accepted });
    await Promise.all([stranger.stop(), member.stop()]);
  });

  it("ends its old link with a rotation", async () => {
    const group = Group.parse(await post("/groups", { name: "Lab" }));
    const member = await visit({ groupToken: group.join_token });
    const rotated = Group.parse(await post(`/groups/${group.id}/rotate`));
    await member.ended;
    await expect(visit({ groupToken: group.join_token })).rejects.toThrow("forbidden");
    await (await visit({ groupToken: rotated.join_token })).stop();
  });

  it("cannot be named by another account's jobs", async () => {
    await expect(submitJob(1, "grp_00000000000000000000")).rejects.toThrow("not_found");
  });
});
