/** Resumable uploads: interrupted again and again they arrive intact; another tenant's upload is not there. */
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FluxClient } from "#lib/client/flux-client.ts";
import { createApiKey } from "#lib/coordinator/identity.ts";
import { Problem } from "#lib/protocol/api/common.ts";
import { FileResource } from "#lib/protocol/api/uploads.ts";
import { freshId } from "#lib/storage/ids.ts";
import { startTestCoordinator, type TestCoordinator } from "#tests/support/coordinator.ts";

const MEGABYTES = 12;
const INTERRUPTIONS = 5;
const base64 = (text: string) => Buffer.from(text).toString("base64");
const METADATA = `filename ${base64("big.npy")},purpose ${base64("dataset")}`;

describe("resumable uploads", () => {
  let coordinator: TestCoordinator;
  let strangersKey: string;
  beforeAll(async () => {
    coordinator = await startTestCoordinator();
    const { store } = coordinator.server.coordinator;
    const tenant = freshId("ten");
    await store.tenants.insert({ id: tenant, name: "Stranger", createdAtMs: 0 });
    strangersKey = (await createApiKey(store, tenant, "s", ["jobs:read", "jobs:write"], 0)).key;
  });
  afterAll(() => coordinator.close());

  const send = (path: string, init: RequestInit, key = coordinator.key) =>
    fetch(`${coordinator.url}${path}`, {
      ...init,
      headers: {
        "Tus-Resumable": "1.0.0",
        Authorization: `Bearer ${key}`,
        ...Object.fromEntries(new Headers(init.headers)),
      },
    });

  async function begin(bytes: number): Promise<string> {
    const created = await send("/uploads", {
      method: "POST",
      headers: { "Upload-Length": String(bytes), "Upload-Metadata": METADATA },
    });
    expect(created.status).toBe(201);
    return new URL(created.headers.get("location") ?? "", coordinator.url).pathname;
  }

  async function offset(path: string): Promise<number> {
    return Number((await send(path, { method: "HEAD" })).headers.get("upload-offset"));
  }

  const patch = (path: string, at: number, body: Uint8Array<ArrayBuffer>) =>
    send(path, {
      method: "PATCH",
      headers: { "Upload-Offset": String(at), "Content-Type": "application/offset+octet-stream" },
      body,
    });

  /** Says that the rest of the file comes, sends a part of it, and closes the connection in the middle of the body. */
  function cutOff(path: string, at: number, part: Uint8Array, length: number): Promise<void> {
    return new Promise((resolve) => {
      const sent = request(`${coordinator.url}${path}`, {
        method: "PATCH",
        headers: {
          "Tus-Resumable": "1.0.0",
          Authorization: `Bearer ${coordinator.key}`,
          "Upload-Offset": String(at),
          "Content-Type": "application/offset+octet-stream",
          "Content-Length": String(length - at),
        },
      });
      sent.on("error", () => {});
      sent.on("close", resolve);
      sent.write(part, () => sent.socket?.end());
    });
  }

  it(`resume after ${INTERRUPTIONS} interruptions and arrive intact`, async () => {
    const content = randomBytes(MEGABYTES * 1_000_000);
    const path = await begin(content.length);
    for (let interruption = 1; interruption <= INTERRUPTIONS; interruption++) {
      const at = await offset(path);
      const until = Math.floor((content.length * interruption) / (INTERRUPTIONS + 1));
      await cutOff(path, at, content.subarray(at, until), content.length);
    }
    const at = await offset(path);
    expect(at).toBeGreaterThan(0);
    const last = await patch(path, at, new Uint8Array(content.subarray(at)));
    expect(last.status).toBe(200);
    const file = FileResource.parse(await last.json());
    expect(file).toMatchObject({
      filename: "big.npy",
      purpose: "dataset",
      bytes: content.length,
      sha256: createHash("sha256").update(content).digest("hex"),
    });
    expect(await (await coordinator.call(`/files/${file.id}`)).json()).toEqual(file);
    expect((await send(path, { method: "HEAD" })).status).toBe(404);
  });

  it("are what the SDK uses for large files, and takes up again where the connection broke", async () => {
    const content = randomBytes(40_000_000);
    let requests = 0;
    const flaky: typeof fetch = (input, init) => {
      // Every third request breaks: some before they were sent, some after they were answered.
      if (++requests % 3 !== 0) return fetch(input, init);
      return requests % 2 === 0
        ? Promise.reject(new TypeError("cut"))
        : fetch(input, init).then(() => Promise.reject("cut"));
    };
    const client = new FluxClient({ url: coordinator.url, apiKey: coordinator.key, fetch: flaky });
    const arrived: number[] = [];
    const file = await client.uploadFile(new Blob([content]), "large.npy", "dataset", {
      onProgress: (bytes) => arrived.push(bytes),
    });
    expect(file.sha256).toBe(createHash("sha256").update(content).digest("hex"));
    expect(arrived.at(-1)).toBe(content.length);
    expect(arrived).toEqual([...arrived].sort((a, b) => a - b));
  });

  it("are not there for another tenant, by any method", async () => {
    const path = await begin(10);
    const statuses = [
      (await send(path, { method: "HEAD" }, strangersKey)).status,
      (await send(path, { method: "DELETE" }, strangersKey)).status,
    ];
    const written = await send(
      path,
      {
        method: "PATCH",
        headers: { "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream" },
        body: "0123456789",
      },
      strangersKey,
    );
    expect([...statuses, written.status]).toEqual([404, 404, 404]);
    expect(await offset(path)).toBe(0);
  });

  const REFUSALS = [
    { name: "no key", init: { method: "POST", headers: { Authorization: "" } }, status: 401, says: /API key/ },
    {
      name: "reading what was uploaded",
      init: { method: "GET" },
      status: 405,
      says: /POST, HEAD, PATCH/,
    },
    {
      name: "no purpose",
      init: { method: "POST", headers: { "Upload-Length": "5" } },
      status: 400,
      says: /"purpose"/,
    },
  ];
  it.each(REFUSALS)("refuse $name with $status", async ({ init, status, says }) => {
    const response = await send("/uploads", init);
    expect(response.status).toBe(status);
    expect(Problem.parse(await response.json()).detail).toMatch(says);
  });

  it("refuse a file beyond the limit before a byte of it is sent", async () => {
    const response = await send("/uploads", {
      method: "POST",
      headers: { "Upload-Length": String(2 ** 50), "Upload-Metadata": METADATA },
    });
    expect(response.status).toBe(413);
  });
});
