/**
 * The coordinator's half of the benchmark in a process of its own: the real store (WAL, synchronous FULL), dispatcher,
 * policy and gateway; payloads and results are empty, checks pass at once. Talks JSON lines with the load generator.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { z } from "zod";
import { systemClock } from "#lib/coordinator/clock.ts";
import { Dispatcher } from "#lib/coordinator/dispatch/dispatcher.ts";
import { openGateway } from "#lib/coordinator/gateway/gateway.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { openDiskObjects } from "#lib/storage/disk/objects.ts";
import type { StageRecord } from "#lib/storage/records.ts";
import { openSqliteStore } from "#lib/storage/sqlite/store.ts";
import { insertSampleJob, sampleBatch, sampleStage } from "#tests/contract/samples.ts";

const folder = z.string().parse(process.argv[2]);
const store = openSqliteStore(join(folder, "flux.db"));
const nothing = new Uint8Array(0);
const dispatcher = new Dispatcher({
  store,
  objects: openDiskObjects(folder),
  policy: createPolicy(),
  costModel: createCostModel(),
  kernels: {
    onnx: {
      payloads: { payloadBytes: () => 0, resultBytes: () => 0, read: async () => nothing },
      checker: { check: async () => ({ right: true, checkedUnits: 0 }) },
    },
  },
  clock: systemClock,
});
await dispatcher.restore();
const gateway = await openGateway({
  dispatcher,
  store,
  admission: { socketsPerAddress: 10_000, handshakesPerSecondPerAddress: 10_000 },
});
const server = createServer();
server.on("upgrade", gateway.upgrade);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

const job = await insertSampleJob(store, Date.now());
let accepted = 0;
dispatcher.events.on("result:accepted", () => accepted++);
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();

/** A stage of `microtasks` microtasks: each unit is as large as a frame, so that each is a piece of its own. */
async function openStage(microtasks: number): Promise<void> {
  const sample = sampleStage(job.tenantId, job.job.id);
  const stage: StageRecord = {
    ...sample,
    unitBytesIn: SOCKET_LIMITS.payloadBytes,
    unitBytesOut: 0,
    definition: { ...sample.definition, unitMacs: 0 },
  };
  await dispatcher.openStage(stage, 10, [sampleBatch(stage.id, 0, 1, microtasks)]);
}

const Command = z.discriminatedUnion("do", [
  z.object({ do: z.literal("open"), microtasks: z.int() }),
  z.object({ do: z.literal("stats") }),
  z.object({ do: z.literal("rows") }),
]);

console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
for await (const line of createInterface({ input: process.stdin })) {
  const command = Command.parse(JSON.parse(line));
  switch (command.do) {
    case "open":
      await openStage(command.microtasks);
      console.log(JSON.stringify({ openedAtMs: Date.now() }));
      break;
    case "stats": {
      globalThis.gc?.();
      const { user, system } = process.cpuUsage();
      const stats = {
        accepted,
        cpuMs: (user + system) / 1000,
        rssBytes: process.memoryUsage().rss,
        loopP99Ms: Math.max(0, loop.percentile(99) / 1e6 - 5),
        loopMaxMs: Math.max(0, loop.max / 1e6 - 5),
        sockets: gateway.openSockets(),
      };
      loop.reset();
      console.log(JSON.stringify(stats));
      break;
    }
    case "rows": {
      await store.work.flush();
      let rows = 0;
      for (const { id } of await store.stages.ofJob(job.job.id)) {
        let page = await store.work.results(id, { limit: 10_000 });
        while (page.length > 0) {
          rows += page.length;
          page = await store.work.results(id, { limit: 10_000, after: page.at(-1)! });
        }
      }
      console.log(JSON.stringify({ rows }));
      break;
    }
  }
}
process.exit(0);
