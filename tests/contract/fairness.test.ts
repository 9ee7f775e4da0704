/**
 * Sharing between submitters on the live dispatcher: donors of different speeds over real sockets, on a clock that moves from
 * one finished microtask to the next. The same promises as tests/simulation/policy.test.ts, kept by gateway, store and all.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { DispatchEvents } from "#lib/coordinator/dispatch/events.ts";
import type { Lease } from "#lib/protocol/donor.ts";
import type { StageId, TenantId } from "#lib/protocol/ids.ts";
import { rightResult } from "#tests/unit/coordinator/dispatch/harness.ts";
import { FakeClock } from "#tests/unit/coordinator/fake-clock.ts";
import {
  connectDonor,
  type DonorServer,
  startDonorServer,
  type TestDonor,
} from "#tests/unit/coordinator/gateway/donor-server.ts";
import { insertSampleJob, type SampleJob } from "./samples.ts";

/** How much slower each donor is than its benchmark says: over a decade. */
const SLOWNESS = [0.5, 0.7, 1, 1, 1.5, 2, 3, 5];
/** Of a unit, on a donor that is as fast as its benchmark says. */
const MS_PER_UNIT = 1;

interface Busy {
  readonly donor: TestDonor;
  readonly slowness: number;
  /** Leases in hand, the present one first. */
  readonly leases: Lease[];
  doneAtMs: number;
}

let clock: FakeClock;
let server: DonorServer;
let donors: Busy[];
/** Donor-milliseconds by submitter. */
let served: Map<TenantId, number>;
let owners: Map<StageId, TenantId>;
beforeEach(async () => {
  clock = new FakeClock();
  server = await startDonorServer({ clock });
  donors = [];
  served = new Map();
  owners = new Map();
  server.dispatcher.events.on("result:accepted", ({ stageId, tookMs }) => {
    const owner = owners.get(stageId);
    if (owner) served.set(owner, (served.get(owner) ?? 0) + tookMs);
  });
});
afterEach(async () => {
  for (const { donor } of donors) donor.close();
  await server.close();
});

async function open(of: SampleJob, units: number, deadlineInMs?: number): Promise<StageId> {
  const plan = deadlineInMs === undefined ? {} : { deadlineAtMs: clock.nowMs() + deadlineInMs };
  const { id } = await server.openStage(units, { msPerUnit: MS_PER_UNIT, of, plan });
  owners.set(id, of.tenantId);
  return id;
}

async function join(): Promise<void> {
  for (const slowness of SLOWNESS) {
    const busy: Busy = { donor: connectDonor(server.url), slowness, leases: [], doneAtMs: 0 };
    await busy.donor.hello();
    donors.push(busy);
    await ask(busy);
  }
}

async function ask(busy: Busy): Promise<void> {
  busy.leases.push(...(await busy.donor.lease()).leases);
  begin(busy);
}

function begin(busy: Busy): void {
  const [lease] = busy.leases;
  if (lease) busy.doneAtMs = clock.nowMs() + lease.unitCount * MS_PER_UNIT * busy.slowness;
}

/** The donor that is done next delivers, and asks for more when its bundle is. */
async function step(): Promise<void> {
  const [next] = donors.toSorted((a, b) => a.doneAtMs - b.doneAtMs);
  const lease = next?.leases.shift();
  if (!next || !lease) throw new Error("a donor has nothing to do while both submitters have work");
  await clock.advance(next.doneAtMs - clock.nowMs());
  const { leaseId, fence } = lease;
  const computeMs = lease.unitCount * MS_PER_UNIT * next.slowness;
  const timings = { queueMs: 0, downloadMs: 0, computeMs, uploadMs: 0 };
  const submission = { leaseId, fence, runtime: "ort-wasm" as const, timings };
  const { answer } = await next.donor.request("result:submit", submission, rightResult(lease));
  // Near a job's end a faster donor may have raced it.
  if (!answer.ok && answer.code !== "already_accepted") throw new Error(answer.detail);
  if (next.leases.length > 0) begin(next);
  else await ask(next);
}

it("two submitters of equal weight and very different job sizes get 45–55 % of donor-seconds each", async () => {
  const [large, small] = [await insertSampleJob(server.store), await insertSampleJob(server.store)];
  await open(large, 2_000_000);
  const smallStages: StageId[] = [];
  for (let i = 0; i < 15; i++) smallStages.push(await open(small, 6_000));
  let completed = 0;
  server.dispatcher.events.on("stage:completed", ({ stageId }: DispatchEvents["stage:completed"]) => {
    if (smallStages.includes(stageId)) completed++;
  });
  await join();
  // Until only the last of the small ones can still have something pending.
  while (completed < smallStages.length - 2) await step();
  const total = [...served.values()].reduce((sum, ms) => sum + ms, 0);
  for (const { tenantId } of [large, small]) {
    const share = (served.get(tenantId) ?? 0) / total;
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  }
});

it.each([
  { name: "a deadline that can be met is met", deadlineInMs: 20_000, met: true },
  { name: "fair shares alone would miss it", deadlineInMs: undefined, met: false },
])("$name", async ({ deadlineInMs, met }) => {
  const others = [await insertSampleJob(server.store), await insertSampleJob(server.store)];
  for (const other of others) await open(other, 2_000_000);
  await join();
  const untilMs = clock.nowMs() + 5_000;
  while (clock.nowMs() < untilMs) await step();
  // The whole fleet does about seven units a millisecond: ten seconds of it, thirty at a third.
  const urgent = await open(await insertSampleJob(server.store), 70_000, deadlineInMs);
  const submittedAtMs = clock.nowMs();
  let doneAtMs = Number.POSITIVE_INFINITY;
  server.dispatcher.events.on("stage:completed", ({ stageId }) => {
    if (stageId === urgent) doneAtMs = clock.nowMs();
  });
  while (doneAtMs === Number.POSITIVE_INFINITY && clock.nowMs() < submittedAtMs + 60_000) await step();
  expect(doneAtMs - submittedAtMs <= 20_000).toBe(met);
});
