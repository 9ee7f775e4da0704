/** Volunteers over REST and real sockets: who they are is proved, what they did is counted exactly, and receipts say so. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { Leaderboard, VolunteerResource } from "#lib/protocol/api/volunteers.ts";
import { type Receipt, ReceiptClaim, ReceiptKey } from "#lib/protocol/receipts.ts";
import { identityText, type SignedIdentity } from "#lib/protocol/volunteer-identity.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";
import { csvRecords, linearModel } from "#tests/support/linear-model.ts";
import { startNodeDonor } from "#tests/support/node-donor.ts";
import { isReceiptGenuine, toBase64Url } from "#worker/host/receipts.ts";

/** Each is a microtask of its own. */
const RECORDS = 60;

let coordinator: TestCoordinator;
beforeAll(async () => {
  coordinator = await startTestCoordinator();
});
afterAll(() => coordinator.close());

const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
type Sign = (options?: { host?: string; atMs?: number }) => Promise<SignedIdentity>;

async function volunteer(): Promise<Sign> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
  const raw = toBase64Url(new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)));
  return async ({ host = new URL(coordinator.url).host, atMs = Date.now() } = {}) => {
    const text = new TextEncoder().encode(identityText(host, atMs));
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, text);
    return { publicKey: raw, atMs, signature: toBase64Url(new Uint8Array(signature)) };
  };
}

async function post(path: string, body: object): Promise<unknown> {
  const response = await fetch(`${coordinator.url}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(z.object({ code: z.string() }).parse(answer).code);
  return answer;
}

async function get<Value>(path: string, schema: z.ZodType<Value>): Promise<Value> {
  return schema.parse(await (await fetch(`${coordinator.url}/api/v1${path}`)).json());
}

async function compute(identity?: SignedIdentity): Promise<{ accepted: number; receipts: Receipt[] }> {
  const { client, url } = coordinator;
  const modelFile = await client.uploadFile(new Blob([linearModel(new Float32Array(8), 4)]), "m.onnx", "model");
  const dataFile = await client.uploadFile(new Blob([csvRecords(RECORDS, 4)]), "d.csv", "dataset");
  const model = await client.createModel({ file_id: modelFile.id });
  const dataset = await client.createDataset({ file_id: dataFile.id });
  const job = await client.createJob({ model: model.id, dataset: dataset.id, privacy: "public" });
  const receipts: Receipt[] = [];
  const donor = await startNodeDonor({
    url,
    hello: { receipts: true, ...(identity && { identity }) },
    float32MacsPerSecond: 200,
    onAccepted: (_lease, receipt) => receipt && receipts.push(receipt),
  });
  await client.waitForJob(job.id, { pollMs: 20 });
  await donor.stop();
  return { accepted: donor.accepted(), receipts };
}

it("each accepted microtask has a receipt that the public key proves", async () => {
  const { accepted, receipts } = await compute();
  const key = await get("/receipts/key", ReceiptKey);
  const claims = receipts.map(({ claim }) => ReceiptClaim.parse(JSON.parse(claim)));
  expect(accepted).toBeGreaterThan(3);
  expect(new Set(claims.map(({ microtask }) => microtask)).size).toBe(accepted);
  expect(claims.reduce((sum, { units }) => sum + units, 0)).toBe(RECORDS);
  for (const receipt of receipts) expect(await isReceiptGenuine(receipt, key)).toBe(true);
});

it("a week's board counts what was accepted, and shows names only where they were given", async () => {
  const [ada, nameless] = [await volunteer(), await volunteer()];
  await post("/volunteers", { identity: await ada(), name: "Ada", team_token: null });
  const first = await compute(await ada());
  await compute(await nameless());
  const again = await compute(await ada());
  const board = await get("/leaderboard", Leaderboard);
  expect(board.volunteers).toEqual([
    expect.objectContaining({ name: "Ada", team: null, microtasks: first.accepted + again.accepted }),
  ]);
  expect((await get("/leaderboard?week=2001-W01", Leaderboard)).volunteers).toEqual([]);

  const teamed = VolunteerResource.parse(await post("/teams", { identity: await ada(), name: "Analysts" }));
  const joined = { identity: await nameless(), name: null, team_token: teamed.team?.join_token };
  expect(VolunteerResource.parse(await post("/volunteers", joined)).team?.name).toBe("Analysts");
  const after = await get("/leaderboard", Leaderboard);
  expect(after.volunteers).toEqual([expect.objectContaining({ name: "Ada", team: "Analysts" })]);
  expect(after.teams).toHaveLength(1);
  expect(after.teams[0]?.microtasks).toBeGreaterThan(first.accepted + again.accepted);

  await post("/volunteers", { identity: await ada(), name: null, team_token: null });
  expect((await get("/leaderboard", Leaderboard)).volunteers).toEqual([]);
});

it("nobody speaks for another's key, from another server, or later", async () => {
  const [mine, other] = [await volunteer(), await volunteer()];
  const forged = { ...(await mine()), publicKey: (await other()).publicKey };
  const elsewhere = await mine({ host: "other.example" });
  const old = await mine({ atMs: Date.now() - 3_600_000 });
  for (const identity of [forged, elsewhere, old]) {
    await expect(post("/volunteers", { identity, name: "Eve", team_token: null })).rejects.toThrow("forbidden");
    await expect(startNodeDonor({ url: coordinator.url, hello: { identity } })).rejects.toThrow("forbidden");
  }
  await post("/volunteers", { identity: await mine(), name: "Eve", team_token: null });
});
