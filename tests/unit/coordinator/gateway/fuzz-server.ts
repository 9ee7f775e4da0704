/**
 * A process to fuzz: `validated` runs the real gateway, `unvalidated` a handler that trusts its input (the positive
 * control). Says where it listens on its standard output, and answers each line on its standard input with its memory.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Server } from "socket.io";
import { DONOR_NAMESPACE } from "#lib/protocol/donor.ts";
import { startDonorServer } from "./donor-server.ts";

const url = process.argv[2] === "unvalidated" ? await unvalidated() : await validated();
console.log(JSON.stringify({ url }));
for await (const _line of createInterface({ input: process.stdin })) {
  globalThis.gc?.();
  console.log(JSON.stringify({ rssBytes: process.memoryUsage().rss }));
}

async function validated(): Promise<string> {
  const server = await startDonorServer({
    admission: { socketsPerAddress: 1_000, handshakesPerSecondPerAddress: 100_000 },
  });
  await server.openStage(1_000_000, { msPerUnit: 10 });
  return server.url;
}

/** What one writes first: the types promise everything, so nothing is checked. */
async function unvalidated(): Promise<string> {
  const http = createServer();
  const io = new Server(http, { transports: ["websocket"] });
  const leases = new Map<string, { fence: number; units: number }>();
  io.of(DONOR_NAMESPACE).on("connection", (socket) => {
    socket.on("donor:hello", (hello, _buffer, acknowledge) => {
      const rates = hello.capability.runtimes.map(({ float32MacsPerSecond }: { float32MacsPerSecond: number }) =>
        float32MacsPerSecond.toFixed(0),
      );
      acknowledge({ ok: true, value: { rates } }, null);
    });
    socket.on("lease:request", (request, _buffer, acknowledge) => {
      const leaseId = String(leases.size);
      leases.set(leaseId, { fence: 1, units: Math.ceil(request.wantMs / request.runtimes.length) });
      acknowledge({ ok: true, value: { leaseId, cached: request.cached.map((digest: string) => digest.slice(0, 8)) } });
    });
    socket.on("lease:return", ({ leases: returned }, _buffer, acknowledge) => {
      for (const { leaseId } of returned) leases.delete(leaseId.trim());
      acknowledge({ ok: true, value: { returned: returned.length } });
    });
    socket.on("result:submit", (submission, buffer, acknowledge) => {
      acknowledge({ ok: true, value: { computeMs: submission.timings.computeMs, first: buffer.readUInt8(0) } });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}
