import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { makeResumeToken, readResumeToken } from "#lib/coordinator/gateway/resume-token.ts";
import type { DonorId } from "#lib/protocol/ids.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { freshId } from "#lib/storage/ids.ts";
import { cpuMs } from "#tests/support/cpu-time.ts";
import { rightResult, services } from "../dispatch/harness.ts";
import { FakeClock } from "../fake-clock.ts";
import {
  connectDonor,
  connected,
  type DonorServer,
  type DonorServerOptions,
  disconnected,
  HELLO,
  startDonorServer,
  type TestDonor,
} from "./donor-server.ts";

let server: DonorServer;
let running: DonorServer | undefined;
const donors: TestDonor[] = [];
afterEach(async () => {
  for (const donor of donors.splice(0)) donor.close();
  await running?.close();
  running = undefined;
});

async function start(options: DonorServerOptions = {}): Promise<DonorServer> {
  server = await startDonorServer(options);
  running = server;
  return server;
}

function connect(headers: Record<string, string> = {}): TestDonor {
  const donor = connectDonor(server.url, headers);
  donors.push(donor);
  return donor;
}

describe("a donor's conversation", () => {
  it("goes from hello over leases with their payloads to acknowledged results", async () => {
    await start({
      kernel: {
        ...services(),
        payloads: { ...services().payloads, read: async (_stage, _batch, range) => rightResult(range) },
      },
    });
    const stage = await server.openStage(500);
    const donor = connect();
    expect(await donor.hello()).toMatchObject({ country: null, donorsOnline: 1, longPollMs: SOCKET_LIMITS.longPollMs });
    const completed = server.dispatcher.events.once("stage:completed");
    let units = 0;
    while (server.dispatcher.progress(stage.jobId)) {
      const { leases, buffer } = await donor.lease();
      for (const lease of leases) {
        const payload = buffer.subarray(lease.inlineOffset!, lease.inlineOffset! + lease.payloadBytes);
        expect(Buffer.from(rightResult(lease)).equals(payload)).toBe(true);
        expect(lease.leaseMs).toBeGreaterThan(0);
        expect(await donor.submit(lease, rightResult(lease))).toBe("accepted");
        units += lease.unitCount;
      }
    }
    await completed;
    expect(units).toBe(500);
  });

  it("sends payloads that do not fit inside by payload:get", async () => {
    const bytes = SOCKET_LIMITS.inlinePayloadBytes + 4;
    await start({
      kernel: {
        ...services(async () => ({ right: true, checkedUnits: 1 })),
        payloads: {
          payloadBytes: () => bytes,
          resultBytes: () => 4,
          read: async () => new Uint8Array(bytes).fill(7),
        },
      },
    });
    await server.openStage(1);
    const donor = connect();
    await donor.hello();
    const { leases } = await donor.lease();
    const [lease] = leases;
    expect(lease?.inlineOffset).toBeNull();
    const { buffer } = await donor.request("payload:get", { leaseId: lease!.leaseId, fence: lease!.fence });
    expect(buffer?.byteLength).toBe(bytes);
    expect(await donor.submit(lease!, new Uint8Array(4))).toBe("accepted");
  });

  it("takes up its id with its token after a broken connection, and what it held is free at once", async () => {
    // On a clock that stands still no lease runs out.
    await start({ clock: new FakeClock() });
    await server.openStage(1);
    const first = connect();
    const { donorId, resumeToken } = await first.hello();
    await first.lease();
    const left = server.dispatcher.events.once("donor:left");
    first.socket.io.engine.close();
    expect(await left).toMatchObject({ donorId, leasesReturned: 1 });
    const second = connect();
    expect((await second.hello({ resumeToken })).donorId).toBe(donorId);
    const { leases } = await second.lease();
    expect(leases[0]?.fence).toBe(2);
    const forged = connect();
    expect((await forged.hello({ resumeToken: `${donorId}.AAAA` })).donorId).not.toBe(donorId);
  });

  it("is answered when work appears, with 200 ms of CPU and none of waiting", async () => {
    // On a clock that stands still no poll and no timer comes due.
    await start({ clock: new FakeClock() });
    const donor = connect();
    await donor.hello();
    const leased = donor.lease();
    await server.openStage(1);
    const before = cpuMs();
    await leased;
    expect(cpuMs() - before).toBeLessThan(200);
  });

  it("ends for a donor whose results keep being wrong, also with its token", async () => {
    await start();
    await server.openStage(10_000);
    const liar = connect();
    const { resumeToken } = await liar.hello();
    const codes: string[] = [];
    const gone = disconnected(liar);
    try {
      for (;;) {
        const { leases } = await liar.lease(100);
        for (const lease of leases) codes.push(await liar.submit(lease, randomBytes(lease.resultBytes)));
      }
    } catch {
      await gone;
    }
    expect(new Set(codes)).toEqual(new Set(["audit_failed"]));
    await expect(connect().hello({ resumeToken })).rejects.toThrow("banned");
  });
});

describe("requests in the wrong order or form", () => {
  it("are refused by code", async () => {
    await start();
    const donor = connect();
    const request = { wantMs: 100, memoryBytes: 1, runtimes: ["ort-wasm" as const], cached: [] };
    const early = await donor.request("lease:request", request);
    expect(early.answer).toMatchObject({ ok: false, code: "hello_required" });
    const old = await donor.request("donor:hello", { ...HELLO, protocol: 99 });
    expect(old.answer).toMatchObject({ ok: false, code: "protocol_version" });
    await donor.hello();
    const again = await donor.request("donor:hello", HELLO);
    expect(again.answer).toMatchObject({ ok: false, code: "conflict" });
  });

  const offences: [string, unknown[]][] = [
    ["an unknown event", ["no:such", {}, null]],
    ["a prototype's name", ["toString", {}, null]],
    ["a request that does not fit", ["lease:request", { wantMs: -1 }, null]],
    ["a buffer where none belongs", ["donor:signals", HELLO.signals, new Uint8Array(1)]],
    ["no request", ["lease:request", null, null]],
    ["text for a buffer", ["result:submit", {}, "text"]],
    ["too many arguments", ["donor:signals", HELLO.signals, null, 1]],
  ];
  it.each(offences)(
    "%s is answered invalid_request, and the fifth closes the socket",
    async (_name, [event, ...args]) => {
      await start();
      const donor = connect();
      await donor.hello();
      const gone = disconnected(donor);
      for (let i = 0; i < SOCKET_LIMITS.offencesBeforeDisconnect; i++) {
        expect(donor.socket.connected).toBe(true);
        const answer = donor.socket.emitWithAck(String(event), ...args);
        if (i < SOCKET_LIMITS.offencesBeforeDisconnect - 1) {
          expect(await answer).toMatchObject({ ok: false, code: "invalid_request" });
        } else answer.catch(() => {});
      }
      await gone;
    },
  );
});

describe("admission", () => {
  it("refuses other origins, and takes its own and the configured ones", async () => {
    await start({ admission: { allowedOrigins: ["https://flux.example"] } });
    const cases: [string, boolean][] = [
      ["https://evil.example", false],
      ["null", false],
      [`${server.url}.evil.example`, false],
      ["https://flux.example", true],
      [server.url, true],
    ];
    for (const [origin, admitted] of cases) {
      const outcome = await connected(connect({ origin })).then(
        () => true,
        () => false,
      );
      expect([origin, outcome]).toEqual([origin, admitted]);
    }
  });

  it("bounds sockets per address, and gives the place back", async () => {
    await start({ admission: { socketsPerAddress: 2 } });
    const [first, second] = [connect(), connect()];
    await Promise.all([connected(first), connected(second)]);
    await expect(connected(connect())).rejects.toThrow();
    const closed = server.gateway.events.once("socket:closed");
    first.close();
    await closed;
    // The place is free when the TCP connection has closed, a moment after the socket.
    const admitted = async () =>
      connected(connect()).then(
        () => true,
        () => false,
      );
    let tries = 0;
    while (!(await admitted()) && tries < 20) tries++;
    expect(tries).toBeLessThan(20);
  });

  it("bounds handshakes per second and address", async () => {
    await start({ admission: { handshakesPerSecondPerAddress: 3 } });
    const outcomes = await Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => connected(connect())));
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(3);
  });

  it("offers nothing on the other namespace", async () => {
    await start();
    const { io } = await import("socket.io-client");
    const other = io(server.url, { transports: ["websocket"], forceNew: true, reconnection: false });
    await new Promise((resolve) => other.once("connect_error", resolve));
    other.disconnect();
  });
});

describe("resume tokens", () => {
  it("name the donor only when this coordinator signed them", () => {
    const secret = randomBytes(32);
    const donorId: DonorId = freshId("don");
    const token = makeResumeToken(secret, donorId);
    expect(readResumeToken(secret, token)).toBe(donorId);
    const hostile = [
      token.replace(donorId, freshId("don")),
      token.slice(0, -2),
      `${token}AA`,
      "",
      ".",
      donorId,
      `${donorId}.`,
      makeResumeToken(randomBytes(32), donorId),
    ];
    for (const text of hostile) expect([text, readResumeToken(secret, text)]).toEqual([text, undefined]);
  });
});
