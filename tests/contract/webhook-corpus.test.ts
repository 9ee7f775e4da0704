/**
 * Addresses that try to make this server reach what only it can reach: loopback, private networks, cloud metadata. Through
 * the guard none of them makes a connection there. The positive control is an HTTP client without it: every one of the same
 * addresses leads that to the canary, which stands for everything that is not public.
 */
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isPublicAddress, type WebhookRules } from "#lib/coordinator/webhooks/address.ts";
import { guardedPost, type Network } from "#lib/coordinator/webhooks/guarded-post.ts";

const PUBLIC = "93.184.215.14";
/** What the name server says, the next answer each time it is asked; the last one stays. */
const NAMES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "public.example": [[PUBLIC]],
  localhost: [["127.0.0.1", "::1"]],
  "localhost.": [["127.0.0.1"]],
  intranet: [["10.1.2.3"]],
  "metadata.google.internal": [["169.254.169.254"]],
  "internal.example": [["10.0.0.5"]],
  "six.example": [["::1"]],
  "mapped.example": [["::ffff:127.0.0.1"]],
  "nat64.example": [["64:ff9b::7f00:1"]],
  "unique-local.example": [["fd12:3456::1"]],
  "scoped.example": [["fe80::1%eth0"]],
  "mixed.example": [["127.0.0.1", PUBLIC]],
  "mixed-last.example": [[PUBLIC, "192.168.0.10"]],
  "127.0.0.1.nip.example": [["127.0.0.1"]],
  "rebind.example": [[PUBLIC], ["127.0.0.1"]],
  "rebind-six.example": [[PUBLIC], ["::1"]],
  "rebind-metadata.example": [[PUBLIC], ["169.254.169.254"]],
};

const LITERALS = [
  "127.0.0.1",
  "127.0.0.1:6379",
  "127.0.0.1:22",
  "127.1",
  "127.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "0",
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "017700000001",
  "0x7f.1",
  "127.0.0.1.",
  "①②⑦.⓪.⓪.①",
  "10.0.0.1",
  "10.255.255.255",
  "172.16.0.1",
  "172.31.255.254",
  "192.168.1.1",
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "100.64.0.1",
  "100.100.100.200",
  "192.0.0.192",
  "198.18.0.1",
  "203.0.113.5",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "[::1]",
  "[::1]:5432",
  "[0:0:0:0:0:0:0:1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::ffff:169.254.169.254]",
  "[::127.0.0.1]",
  "[::ffff:0:127.0.0.1]",
  "[fe80::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[fec0::1]",
  "[ff02::1]",
  "[100::1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b:1::7f00:1]",
  "[2002:7f00:1::]",
  "[2002:c0a8:101::1]",
  "[2001:0:7f00:1::1]",
  "[2001:db8::1]",
];

const TRICKS = [
  "http://public.example@127.0.0.1/",
  "http://public.example:80@[::1]/",
  "http://public.example%2f@169.254.169.254/latest/meta-data/",
  "http://127.0.0.1\\@public.example/",
  "http://127.0.0.1#@public.example/",
  "http://127.0.0.1?@public.example/",
  "http:\\\\127.0.0.1\\",
  "http:127.0.0.1",
  "HTTP://LOCALHOST/",
];

const REDIRECTS = [301, 302, 303, 307, 308].map((status) => `http://public.example/redirect/${status}`);

const CORPUS: readonly string[] = [
  ...LITERALS.map((host) => `http://${host}/`),
  ...Object.keys(NAMES)
    .filter((name) => name !== "public.example")
    .map((name) => `http://${name}/hook`),
  ...TRICKS,
  ...REDIRECTS,
  "https://127.0.0.1/",
  "https://rebind.example/",
];

let publicServer: Server;
let canary: Server;
/** Connections that the canary was reached by. */
let reached = 0;
/** Requests that came to the public server. */
let taken = 0;
let asked: Map<string, number>;

beforeAll(async () => {
  canary = createServer((_request, response) => response.end("secret")).on("connection", () => {
    reached += 1;
  });
  publicServer = createServer((incoming, response) => {
    taken += 1;
    const status = Number(/^\/redirect\/(\d+)$/.exec(incoming.url ?? "")?.[1] ?? 200);
    response.writeHead(status, status === 200 ? {} : { Location: "http://169.254.169.254/latest/meta-data/" }).end();
  });
  await Promise.all(
    [canary, publicServer].map((server) => new Promise<void>((ok) => server.listen(0, "127.0.0.1", ok))),
  );
});
afterAll(async () => {
  for (const server of [canary, publicServer]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
beforeEach(() => {
  reached = 0;
  taken = 0;
  asked = new Map();
});

const network: Network = {
  async resolve(host) {
    const answers = NAMES[host.toLowerCase()];
    if (!answers) throw Object.assign(new Error("unknown name"), { code: "ENOTFOUND" });
    const times = asked.get(host) ?? 0;
    asked.set(host, times + 1);
    return answers[Math.min(times, answers.length - 1)] ?? [];
  },
  // The whole internet in two servers: one is public, the canary is everything else.
  dial: (address) => {
    const { port } = (isPublicAddress(address) ? publicServer : canary).address() as AddressInfo;
    return { address: "127.0.0.1", port };
  },
  timeoutMs: 5_000,
};

const GUARDED: WebhookRules = { allowHttp: true, mayReach: isPublicAddress };
const post = (url: string) => ({ url, headers: { "Content-Type": "application/json" }, body: "{}" });

/** As an ordinary client would: looks names up when it checks and again when it connects, and follows redirects. */
async function unguarded(text: string, hops = 3): Promise<void> {
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!isIP(host)) await network.resolve(host);
  const addresses = isIP(host) ? [host] : await network.resolve(host);
  for (const address of addresses) {
    const { port } = network.dial(address, 80);
    const location = await new Promise<string | undefined>((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path: url.pathname, method: "POST", agent: false });
      sent.once("error", reject).once("response", (response) => {
        response.resume().once("end", () => resolve(response.headers.location));
      });
      sent.end("{}");
    });
    if (location && hops > 0) await unguarded(location, hops - 1);
  }
}

describe(`${CORPUS.length} addresses that try to reach what is not public`, () => {
  it("are enough of them", () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(CORPUS).size).toBe(CORPUS.length);
  });

  it.each(CORPUS)("%s makes no connection there", async (url) => {
    const outcome = await guardedPost(post(url), GUARDED, network);
    expect(reached, JSON.stringify(outcome)).toBe(0);
    for (const times of asked.values()) expect(times, "names are looked up once").toBe(1);
    if (outcome.kind === "refused") expect(outcome.why).toMatch(/public internet|user and password|not for the web/);
  });

  it.each(CORPUS)("positive control: %s leads a client without the guard there", async (url) => {
    await unguarded(url);
    expect(reached).toBeGreaterThan(0);
  });
});

describe("what the guard lets through", () => {
  it("is the public internet, by the address that was checked", async () => {
    expect(await guardedPost(post("http://public.example/hook"), GUARDED, network)).toEqual({
      kind: "answered",
      status: 200,
    });
    expect([taken, reached]).toEqual([1, 0]);
  });

  it("is nothing but https, unless the operator allows http", async () => {
    const strict = { ...GUARDED, allowHttp: false };
    const outcome = await guardedPost(post("http://public.example/"), strict, network);
    expect(outcome).toMatchObject({ kind: "refused", why: expect.stringContaining("https addresses only") });
    for (const url of ["ftp://public.example/", "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)"]) {
      expect(await guardedPost(post(url), GUARDED, network)).toMatchObject({ kind: "refused" });
    }
    expect([taken, reached]).toEqual([0, 0]);
  });

  it("is cut off when the answer takes too long", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((ok) => silent.listen(0, "127.0.0.1", ok));
    const { port } = silent.address() as AddressInfo;
    const slow: Network = { ...network, dial: () => ({ address: "127.0.0.1", port }), timeoutMs: 100 };
    expect(await guardedPost(post("http://public.example/"), GUARDED, slow)).toEqual({
      kind: "failed",
      why: "No answer within 0.1 s.",
    });
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });
});
