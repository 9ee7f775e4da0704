import { afterEach, beforeEach, expect, test } from "vitest";
import type { Lease } from "#lib/protocol/donor.ts";
import { DEFAULT_SETTINGS } from "#worker/host/keeping.ts";
import {
  type FakeCoordinator,
  makeLease,
  makeOnnxSpec,
  startFakeCoordinator,
} from "../../../support/fake-coordinator.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createHarness, gate, type Harness, type Play, SIGNALS } from "./harness.ts";

let coordinator: FakeCoordinator;
let harness: Harness;

beforeEach(async () => {
  coordinator = await startFakeCoordinator();
});
afterEach(async () => {
  harness.stop();
  await coordinator.close();
});

const echo: Play = async (task) => task.payload;

/** A bundle of leases of one stage, with payloads 1, 2, 3, … of four bytes each. */
function bundleOf(count: number, overrides: Partial<Lease> = {}) {
  const model = coordinator.addArtefact(new Uint8Array([7, 7]));
  const spec = coordinator.addArtefact(new TextEncoder().encode(JSON.stringify(makeOnnxSpec(model))));
  const leases = Array.from({ length: count }, (_, index) =>
    makeLease({ specDigest: spec.digest, inlineOffset: 4 * index, ...overrides }),
  );
  const packed = new Uint8Array(new Uint32Array(count).map((_, index) => index + 1).buffer);
  return { leases, packed };
}

test("a lease is fetched, computed and submitted with its fence, and counted when accepted", async () => {
  const bundle = bundleOf(1, { fence: 3 });
  const notice = { jobId: bundle.leases[0]!.jobId, title: "Digits", privacy: "public" as const };
  coordinator.offer({ ...bundle, jobs: [notice] });
  harness = createHarness(coordinator, echo);
  harness.start();

  const submitted = await coordinator.nth("result:submit");
  expect(submitted.request).toMatchObject({ leaseId: bundle.leases[0]?.leaseId, fence: 3, runtime: "ort-wasm" });
  expect(submitted.buffer).toEqual(new Uint8Array([1, 0, 0, 0]));
  const view = await harness.view((seen) => seen.totals.microtasksAccepted === 1);
  expect(view).toMatchObject({ phase: "running", link: "online", country: "NO", job: notice, problem: null });

  const hello = await coordinator.nth("donor:hello");
  expect(hello.request.capability.logicalCores).toBe(2);
  const asked = await coordinator.nth("lease:request");
  expect(asked.request.runtimes, "only runtimes that passed their self-test").toEqual(["ort-wasm"]);
});

test("a payload that is not inline is asked for", async () => {
  coordinator.refuse((told) =>
    told.name === "payload:get" ? { code: "lease_expired", detail: "too late" } : undefined,
  );
  const bundle = bundleOf(1, { inlineOffset: null });
  coordinator.offer(bundle);
  harness = createHarness(coordinator, echo);
  harness.start();
  expect((await coordinator.nth("payload:get")).request.leaseId).toBe(bundle.leases[0]?.leaseId);
  expect((await coordinator.nth("lease:return")).request).toMatchObject({ reason: "failed", detail: "too late" });
});

test("the next bundle is asked for while one computes", async () => {
  const computing = gate();
  coordinator.offer(bundleOf(1, { predictedMs: 3_000 }));
  harness = createHarness(coordinator, async (task) => {
    await computing.opened;
    return task.payload;
  });
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  await coordinator.nth("lease:request", 1);
  expect(coordinator.told.some(({ name }) => name === "result:submit")).toBe(false);
  computing.open();
  await coordinator.nth("result:submit");
});

test("computing does not wait for the answer to the result before", async () => {
  const answers = coordinator.holdAnswers();
  coordinator.offer(bundleOf(3));
  harness = createHarness(coordinator, echo);
  harness.start();
  await coordinator.nth("result:submit", 2);
  expect((await harness.view((seen) => seen.held.length === 3)).totals.microtasksAccepted).toBe(0);
  answers.release();
  await harness.view((seen) => seen.totals.microtasksAccepted === 3);
});

test("pause gives everything unfinished back at once, also what arrives late; resume asks again", async () => {
  const first = bundleOf(2);
  coordinator.offer(first);
  let calls = 0;
  harness = createHarness(coordinator, (task, signal) =>
    calls++ === 0
      ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      : echo(task, signal),
  );
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  await coordinator.nth("lease:request", 1);
  harness.loop.handle({ kind: "pause" });

  const returned = await coordinator.nth("lease:return");
  expect(returned.request.reason).toBe("paused");
  expect(returned.request.leases.map(({ leaseId }) => leaseId).sort()).toEqual(
    first.leases.map(({ leaseId }) => leaseId).sort(),
  );
  expect((await harness.view((seen) => seen.phase === "paused")).pausedBecause).toBe("visitor");

  const late = bundleOf(1);
  coordinator.offer(late);
  expect((await coordinator.nth("lease:return", 1)).request.leases).toEqual([
    { leaseId: late.leases[0]?.leaseId, fence: 1 },
  ]);

  coordinator.offer(bundleOf(1));
  harness.loop.handle({ kind: "resume" });
  await coordinator.nth("result:submit");
  expect(harness.spawned, "a worker that lets go is kept").toHaveLength(1);
});

test("stop returns leases, ends the worker, and says so", async () => {
  coordinator.offer(bundleOf(1));
  harness = createHarness(coordinator, () => new Promise(() => {}));
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  harness.stop();
  expect((await coordinator.nth("lease:return")).request.reason).toBe("stopped");
  await harness.message("stopped");
  expect(harness.spawned.map(({ terminated }) => terminated)).toEqual([true]);
  expect(harness.views.at(-1)).toMatchObject({ phase: "idle", link: "none", held: [] });
});

test("finish gives the waiting ones back at once, sends the one that computes, and stops when it is accepted", async () => {
  const bundle = bundleOf(3);
  const [first, ...waiting] = bundle.leases.map(({ leaseId }) => leaseId);
  coordinator.offer(bundle);
  const computing = gate();
  harness = createHarness(coordinator, async (task) => {
    await computing.opened;
    return task.payload;
  });
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  harness.loop.handle({ kind: "finish" });

  const returned = await coordinator.nth("lease:return");
  expect(returned.request.reason).toBe("stopped");
  expect(returned.request.leases.map(({ leaseId }) => leaseId)).toEqual(waiting);
  await harness.view((seen) => seen.phase === "finishing" && seen.held.length === 1);
  const answers = coordinator.holdAnswers();
  computing.open();
  expect((await coordinator.nth("result:submit")).request.leaseId).toBe(first);
  expect(harness.views.at(-1)?.phase, "it waits for the answer").toBe("finishing");
  answers.release();
  await harness.message("stopped");
  expect(harness.views.at(-1)).toMatchObject({ phase: "idle", totals: { microtasksAccepted: 1 }, held: [] });
  expect(coordinator.told.filter(({ name }) => name === "result:submit")).toHaveLength(1);
});

test("finish stops at once when nothing computes", async () => {
  harness = createHarness(coordinator, echo);
  harness.start();
  await harness.view((seen) => seen.phase === "running");
  harness.loop.handle({ kind: "finish" });
  await harness.message("stopped");
});

test("what speaks against working ends finishing too, and the lease goes back", async () => {
  coordinator.offer(bundleOf(1));
  harness = createHarness(
    coordinator,
    (_task, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  harness.loop.handle({ kind: "finish" });
  harness.loop.handle({ kind: "leaving", why: "frozen" });
  expect((await coordinator.nth("lease:return")).request.reason).toBe("frozen");
  await harness.message("stopped");
});

test("little is asked for until something was accepted, and the worker starts while it connects", async () => {
  harness = createHarness(coordinator, echo);
  harness.start();
  const first = await coordinator.nth("lease:request");
  expect(harness.spawned).toHaveLength(1);
  coordinator.offer(bundleOf(1));
  await harness.view((seen) => seen.totals.microtasksAccepted === 1);
  coordinator.offer(bundleOf(1));
  const later = await coordinator.nth("lease:request", 2);
  expect(first.request.wantMs).toBeLessThan(later.request.wantMs);
});

test("the memory asked for is an eighth of what the visitor allows", async () => {
  harness = createHarness(coordinator, echo);
  harness.start({ settings: { ...DEFAULT_SETTINGS, memoryBytes: 2 ** 27 } });
  expect((await coordinator.nth("lease:request")).request.memoryBytes).toBe(2 ** 24);
});

const departures = [
  { why: "leaving" as const, reason: "leaving" },
  { why: "frozen" as const, reason: "frozen" },
];
test.each(departures)(
  "a page that is $why returns leases, and works again when it is back",
  async ({ why, reason }) => {
    coordinator.offer(bundleOf(1));
    let calls = 0;
    harness = createHarness(coordinator, (task, signal) =>
      calls++ === 0 ? new Promise((_, reject) => signal.addEventListener("abort", reject)) : echo(task, signal),
    );
    harness.start();
    await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
    harness.loop.handle({ kind: "leaving", why });
    expect((await coordinator.nth("lease:return")).request.reason).toBe(reason);
    coordinator.offer(bundleOf(1));
    await coordinator.nth("lease:return", 1);
    coordinator.offer(bundleOf(1));
    harness.loop.handle({ kind: "returned" });
    await coordinator.nth("result:submit");
  },
);

test("a signal pauses and its end resumes, but not past the visitor's own pause", async () => {
  harness = createHarness(coordinator, echo);
  harness.start();
  await harness.view((seen) => seen.phase === "running");
  harness.loop.handle({ kind: "signals", signals: { ...SIGNALS, onBattery: true } });
  expect((await harness.view((seen) => seen.phase === "paused")).pausedBecause).toBe("battery");
  harness.loop.handle({ kind: "pause" });
  harness.loop.handle({ kind: "signals", signals: SIGNALS });
  expect(harness.views.at(-1)?.phase).toBe("paused");
  harness.loop.handle({ kind: "resume" });
  expect(harness.views.at(-1)?.phase).toBe("running");
});

test("what the page knows of the person and their day stays in the browser", async () => {
  harness = createHarness(coordinator, echo);
  const hours = { fromHour: 9, toHour: 17 };
  harness.start({ settings: { ...DEFAULT_SETTINGS, onlyWhenIdle: true, hours } });
  const seen = { ...SIGNALS, minuteOfDay: 60 * 12 + 34, mainThreadLagMs: 17 };
  harness.loop.handle({ kind: "signals", signals: { ...seen, personAway: true } });
  await harness.view(({ phase }) => phase === "running");
  harness.loop.handle({ kind: "signals", signals: { ...seen, personAway: false } });
  expect((await harness.view(({ phase }) => phase === "paused")).pausedBecause).toBe("in-use");
  harness.loop.handle({ kind: "signals", signals: { ...seen, personAway: true, minuteOfDay: 60 * 23 + 45 } });
  await harness.view(({ pausedBecause }) => pausedBecause === "hours");
  coordinator.offer(bundleOf(1));
  harness.loop.handle({ kind: "signals", signals: { ...seen, personAway: true } });
  await harness.view(({ totals }) => totals.microtasksAccepted === 1);

  const told = JSON.stringify(coordinator.told.map(({ sent }) => sent));
  // What is meant for the coordinator is among it: what is looked at is really what was sent.
  expect(told).toContain('"visible":true');
  expect(told).toContain("memoryBytes");
  for (const secret of ["personAway", "minuteOfDay", "onlyWhenIdle", "fromHour", "toHour"]) {
    expect(told).not.toContain(secret);
  }
});

test("a revoked lease is dropped, whether it waits or computes, without a return", async () => {
  const bundle = bundleOf(2, { predictedMs: 3_000 });
  coordinator.offer(bundle);
  const computing = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  harness = createHarness(coordinator, (_task, signal) => {
    computing.resolve();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        aborted.resolve();
        reject(signal.reason);
      }),
    );
  });
  harness.start();
  await computing.promise;
  coordinator.notice("lease:revoked", { leaseIds: bundle.leases.map(({ leaseId }) => leaseId) });
  await aborted.promise;
  await coordinator.nth("lease:request", 1);
  expect(coordinator.told.some(({ name }) => name === "lease:return")).toBe(false);
});

test("after a broken connection it says hello with its resume token and sends what was not answered", async () => {
  coordinator.holdAnswers();
  const computing = gate();
  const bundle = bundleOf(2);
  coordinator.offer(bundle);
  let calls = 0;
  harness = createHarness(coordinator, async (task) => {
    if (calls++ === 1) await computing.opened;
    return task.payload;
  });
  harness.start();
  await coordinator.nth("result:submit");
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  coordinator.dropConnections();
  await harness.view((seen) => seen.link === "connecting" && seen.phase === "running");

  const again = await coordinator.nth("donor:hello", 1);
  expect(again.request.resumeToken).toBe("resume-token");
  const repeated = await coordinator.nth("result:submit", 1);
  expect(repeated.request.leaseId).toBe(bundle.leases[0]?.leaseId);
  computing.open();
  expect((await coordinator.nth("result:submit", 2)).request.leaseId).toBe(bundle.leases[1]?.leaseId);
});

test("a crashed worker is replaced, its lease returned, and the next one computed", async () => {
  const bundle = bundleOf(2);
  coordinator.offer(bundle);
  let calls = 0;
  harness = createHarness(coordinator, (task, signal) => (calls++ === 0 ? new Promise(() => {}) : echo(task, signal)));
  harness.start();
  await harness.view((seen) => seen.held.some(({ state }) => state === "computing"));
  harness.spawned[0]?.crash("out of memory");

  const returned = await coordinator.nth("lease:return");
  expect(returned.request).toMatchObject({ reason: "crashed", detail: "out of memory" });
  expect(returned.request.leases).toEqual([{ leaseId: bundle.leases[0]?.leaseId, fence: 1 }]);
  expect((await coordinator.nth("result:submit")).request.leaseId).toBe(bundle.leases[1]?.leaseId);
  expect(harness.spawned.map(({ terminated }) => terminated)).toEqual([true, false]);
});

test("a worker that hangs is ended when its lease runs out, and the lease is returned", async () => {
  const clock = new ManualClock();
  coordinator.offer(bundleOf(1, { leaseMs: 6_000, predictedMs: 500 }));
  const running = gate();
  harness = createHarness(
    coordinator,
    () => {
      running.open();
      return new Promise(() => {});
    },
    clock,
  );
  harness.start();
  await running.opened;
  clock.advance(6_001);
  expect((await coordinator.nth("lease:return")).request.reason).toBe("timeout");
  expect(harness.spawned[0]?.terminated).toBe(true);
});

test("workers that die again and again end the donor with a problem", async () => {
  coordinator.offer(bundleOf(3), bundleOf(3));
  let runs = 0;
  harness = createHarness(coordinator, () => {
    harness.spawned[runs++]?.crash("bad memory");
    return new Promise(() => {});
  });
  harness.start();
  await harness.message("stopped");
  expect(runs).toBe(3);
  expect(harness.views.at(-1)?.problem?.detail).toContain("keeps failing");
});

test("a task that fails is returned as failed, with the reason for the submitter", async () => {
  coordinator.offer(bundleOf(1));
  harness = createHarness(coordinator, () => Promise.reject(new Error("Op Foo is unknown")));
  harness.start();
  expect((await coordinator.nth("lease:return")).request).toMatchObject({
    reason: "failed",
    detail: "Op Foo is unknown",
  });
});

test("a result of another size than declared is never sent", async () => {
  coordinator.offer(bundleOf(1));
  harness = createHarness(coordinator, async () => new Uint8Array(3));
  harness.start();
  expect((await coordinator.nth("lease:return")).request.reason).toBe("failed");
  expect(coordinator.told.some(({ name }) => name === "result:submit")).toBe(false);
});

test("a file that does not have its digest is not used", async () => {
  const spec = coordinator.addForgedArtefact();
  coordinator.offer({ leases: [makeLease({ specDigest: spec.digest })], packed: new Uint8Array(4) });
  let computed = 0;
  harness = createHarness(coordinator, (task, signal) => {
    computed++;
    return echo(task, signal);
  });
  harness.start();
  const { request } = await coordinator.nth("lease:return");
  expect(request).toMatchObject({ reason: "timeout" });
  expect(request.detail).toContain("digest");
  expect(computed).toBe(0);
});

test("a refused result counts against the donor and is shown; a late one is not", async () => {
  const verdicts = [
    { code: "audit_failed" as const, detail: "Record 3 is not what the model says" },
    { code: "already_accepted" as const, detail: "Someone was faster" },
  ];
  coordinator.refuse((told) => (told.name === "result:submit" ? verdicts.shift() : undefined));
  coordinator.offer(bundleOf(2));
  harness = createHarness(coordinator, echo);
  harness.start();
  const view = await harness.view((seen) => seen.totals.microtasksRefused === 1 && seen.held.length === 0);
  expect(view.problem).toEqual({ code: "audit_failed", detail: "Record 3 is not what the model says" });
});

test("a donor that is not wanted stops, with the coordinator's reason", async () => {
  coordinator.refuse((told) =>
    told.name === "donor:hello" ? { code: "banned", detail: "Too many wrong results" } : undefined,
  );
  harness = createHarness(coordinator, echo);
  harness.start();
  await harness.message("stopped");
  expect(harness.views.at(-1)?.problem).toEqual({ code: "banned", detail: "Too many wrong results" });
});

test("without a fresh benchmark it measures first, and gives the page the result to keep", async () => {
  harness = createHarness(coordinator, echo);
  harness.start({ capability: null });
  expect((await harness.message("capability")).capability.runtimes[0]?.runtime).toBe("ort-wasm");
  await coordinator.nth("donor:hello");
});
