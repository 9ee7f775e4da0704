import { afterEach, describe, expect, it } from "vitest";
import type { Bundle } from "#lib/coordinator/dispatch/dispatcher.ts";
import type { DonorSession } from "#lib/coordinator/dispatch/donor-session.ts";
import type { Verdict } from "#lib/coordinator/dispatch/kernel-services.ts";
import { isIdle } from "#lib/coordinator/dispatch/waiters.ts";
import { isFluxError } from "#lib/protocol/errors.ts";
import type { LeaseId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS, SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { createPolicy } from "#lib/scheduling/policy.ts";
import { freshId } from "#lib/storage/ids.ts";
import { sampleDonor } from "#tests/contract/samples.ts";
import { settled } from "../fake-clock.ts";
import {
  BYTES_PER_UNIT,
  compareWhole,
  Harness,
  type HarnessOptions,
  rightResult,
  SIGNALS,
  services,
} from "./harness.ts";

let harness: Harness;
afterEach(() => harness.dispose());

function start(options: HarnessOptions = {}): Harness {
  harness = new Harness(options);
  return harness;
}

async function bundleFor(donor: DonorSession, wantMs?: number): Promise<Bundle> {
  const answer = await harness.request(donor, wantMs);
  if (isIdle(answer)) throw new Error(`no work: ${answer.why}`);
  return answer;
}

async function leaseFor(donor: DonorSession, wantMs?: number) {
  const { leases } = await bundleFor(donor, wantMs);
  return leases[0]!.attempt;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (isFluxError(error) ? error.code : String(error)),
  );

describe("signals", () => {
  it("recall from a hidden tab what it has only fetched, for others to do at once", async () => {
    start({ policy: createPolicy() });
    await harness.open(10_000);
    const donor = harness.join();
    harness.join();
    const running = (await bundleFor(donor, 1_000)).leases.map(({ attempt }) => attempt);
    const fetched = (await bundleFor(donor, 1_000)).leases.map(({ attempt }) => attempt);
    const { expiresAtMs } = running[0]!;
    const ended: string[] = [];
    harness.dispatcher.events.on("lease:ended", ({ how }) => ended.push(how));
    harness.dispatcher.signalled(donor, { ...SIGNALS, visible: false });
    expect(harness.revoked).toEqual([...running.slice(1), ...fetched].map(({ leaseId }) => leaseId));
    expect(new Set(ended)).toEqual(new Set(["returned"]));
    expect(running[0]!.expiresAtMs).toBeGreaterThan(expiresAtMs);
    const { microtask } = running[0]!;
    expect(await harness.submit(donor, running[0]!, rightResult(microtask))).toBe(microtask.unitCount);
    expect(await codeOf(harness.submit(donor, fetched[0]!, rightResult(fetched[0]!.microtask)))).toBe("lease_expired");
  });

  it("change nothing when the pace stays", async () => {
    start({ policy: createPolicy() });
    await harness.open(10_000);
    const donor = harness.join();
    const { leases } = await bundleFor(donor, 1_000);
    const before = leases.map(({ attempt }) => attempt.expiresAtMs);
    harness.dispatcher.signalled(donor, SIGNALS);
    expect(leases.map(({ attempt }) => attempt.expiresAtMs)).toEqual(before);
    expect(harness.revoked).toEqual([]);
  });
});

describe("reasons", () => {
  it("say why a job waits, in the scheduler's words", async () => {
    const { dispatcher } = start({ policy: createPolicy() });
    await harness.open(1_000);
    const why = () => dispatcher.progress(harness.stage.jobId)?.why;
    expect(why()).toBe("waiting: no donor is online");
    const donor = harness.join();
    expect(why()).toMatch(/^waiting for the next free donor: 1 donor can take it/);
    await bundleFor(donor, 1_000);
    expect(why()).toMatch(/^running: 1 donor can take its work; about/);
  });
});

describe("the way of a microtask", () => {
  it("is cut to the donor's speed, computed, committed, and completes its stage", async () => {
    const { dispatcher, store } = start();
    const stageId = await harness.open(1_000, { msPerUnit: 10 });
    const donor = harness.join();
    const completed = dispatcher.events.once("stage:completed");
    let microtasks = 0;
    while (dispatcher.progress(harness.stage.jobId)) {
      for (const { attempt } of (await bundleFor(donor)).leases) {
        expect(attempt.microtask.unitCount * 10).toBeLessThanOrEqual(LEASE_LIMITS.microtaskMs);
        await harness.submit(donor, attempt, rightResult(attempt.microtask), attempt.microtask.unitCount * 10);
        microtasks++;
      }
    }
    expect(await completed).toMatchObject({ stageId, quarantinedUnits: 0 });
    expect(microtasks).toBeGreaterThan(3);
    const results = await store.work.results(stageId);
    expect(results).toHaveLength(microtasks);
    expect((await store.stages.get(stageId)).state).toBe("completed");
    expect((await store.stages.batches(stageId))[0]?.state).toBe("completed");
    await dispatcher.close();
    expect(await store.jobs.progress(harness.stage.jobId)).toMatchObject({
      unitsAccepted: 1_000,
      microtasksAccepted: microtasks,
    });
  });

  it("keeps every microtask within one frame, whatever the donor's speed", async () => {
    start();
    await harness.open(3_000_000, { msPerUnit: 0 });
    for (const { payloadBytes, resultBytes } of (await bundleFor(harness.join())).leases) {
      expect(Math.max(payloadBytes, resultBytes)).toBeLessThanOrEqual(SOCKET_LIMITS.payloadBytes);
    }
  });

  it("stores large results as objects", async () => {
    start();
    const stageId = await harness.open(100_000, { msPerUnit: 0.00001 });
    const donor = harness.join();
    const attempt = await leaseFor(donor);
    await harness.submit(donor, attempt, rightResult(attempt.microtask));
    const [result] = await harness.store.work.results(stageId);
    expect(result?.body.kind).toBe("object");
  });
});

describe("leases end in exactly one way", () => {
  it("refuses results by code, and they change nothing", async () => {
    start();
    const stageId = await harness.open(2_000);
    const donor = harness.join();
    const other = harness.join();
    const first = await leaseFor(donor);
    const result = rightResult(first.microtask);
    expect(await codeOf(harness.submit(other, first, result))).toBe("lease_foreign");
    expect(await codeOf(harness.submit(donor, { leaseId: first.leaseId, fence: first.fence + 1 }, result))).toBe(
      "lease_unknown",
    );
    expect(await codeOf(harness.submit(donor, { leaseId: freshId("ls"), fence: 1 }, result))).toBe("lease_unknown");
    expect(await harness.submit(donor, first, result)).toBe(first.microtask.unitCount);
    expect(await codeOf(harness.submit(donor, first, result))).toBe("already_accepted");
    expect(await codeOf(harness.submit(other, first, result))).toBe("lease_foreign");
    expect(await harness.store.work.results(stageId)).toHaveLength(1);

    const returned = await leaseFor(donor);
    harness.dispatcher.returned(donor, { leases: [returned], reason: "paused" });
    expect(await codeOf(harness.submit(donor, returned, rightResult(returned.microtask)))).toBe("lease_expired");
    expect(harness.dispatcher.progress(harness.stage.jobId)).toMatchObject({ resultsRefused: 0 });
  });

  it("answers a result that is sent twice at once with one acceptance", async () => {
    start();
    await harness.open(100);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    const result = rightResult(lease.microtask);
    const answers = await Promise.all([harness.submit(donor, lease, result), harness.submit(donor, lease, result)]);
    expect(answers).toEqual([100, 100]);
    expect(await harness.store.work.results(harness.stage.id)).toHaveLength(1);
  });

  it("re-issues what a departed donor held, at once, with a higher fence", async () => {
    start();
    await harness.open(10);
    const donor = harness.join();
    const other = harness.join();
    const lost = await leaseFor(donor);
    const waiting = harness.waitFor(other);
    await settled();
    harness.dispatcher.leave(donor);
    await harness.clock.advance(2_000);
    const answer = await waiting;
    expect(answer.kind).toBe("bundle");
    const again = answer.kind === "bundle" ? answer.leases[0]!.attempt : undefined;
    expect(again?.microtask.id).toBe(lost.microtask.id);
    expect(again?.fence).toBeGreaterThan(lost.fence);
    expect(await codeOf(harness.submit(donor, lost, rightResult(lost.microtask)))).toBe("lease_expired");
  });

  it("re-issues what ran out, within two seconds", async () => {
    start();
    await harness.open(10);
    const donor = harness.join();
    const lost = await leaseFor(donor);
    const expired = harness.dispatcher.events.once("lease:ended");
    const waiting = harness.waitFor(harness.join());
    const dueMs = lost.expiresAtMs - harness.clock.nowMs();
    await harness.clock.advance(dueMs - 1);
    expect(harness.dispatcher.leasesHeld).toBe(1);
    await harness.clock.advance(2_000);
    expect(await expired).toMatchObject({ leaseId: lost.leaseId, how: "expired" });
    expect((await waiting).kind).toBe("bundle");
    expect(await codeOf(harness.submit(donor, lost, rightResult(lost.microtask)))).toBe("lease_expired");
  });

  it("does not expire or free a lease while its result is being checked", async () => {
    let answer: (verdict: Verdict) => void = () => {};
    start({ kernel: services(() => new Promise((resolve) => (answer = resolve))) });
    const stageId = await harness.open(10);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    const submitted = harness.submit(donor, lease, rightResult(lease.microtask));
    await harness.clock.advance(lease.expiresAtMs - harness.clock.nowMs() + 1_000);
    harness.dispatcher.leave(donor);
    expect((await harness.request(harness.join())).kind).toBe("idle");
    answer({ right: true, checkedUnits: 1 });
    expect(await submitted).toBe(10);
    expect(await harness.store.work.results(stageId)).toHaveLength(1);
    expect(harness.dispatcher.leasesHeld).toBe(0);
  });

  it("lets a donor send again when the check itself broke", async () => {
    let calls = 0;
    start({
      kernel: services(async (request) => {
        if (calls++ === 0) throw new Error("the worker died");
        return compareWhole(request);
      }),
    });
    await harness.open(10);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    expect(await codeOf(harness.submit(donor, lease, rightResult(lease.microtask)))).toBe("internal");
    expect(await harness.submit(donor, lease, rightResult(lease.microtask))).toBe(10);
  });

  it("revokes a cancelled job's leases and refuses their results", async () => {
    start();
    const stageId = await harness.open(1_000);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    await harness.dispatcher.closeJob(harness.stage.jobId);
    expect(harness.revoked).toContain(lease.leaseId);
    expect(await codeOf(harness.submit(donor, lease, rightResult(lease.microtask)))).toBe("lease_expired");
    expect((await harness.request(donor)).kind).toBe("idle");
    expect((await harness.store.stages.get(stageId)).state).toBe("closed");
  });

  it("takes the first of two racing results, and tells the other donor to stop", async () => {
    const policy = createPolicy();
    start({ policy });
    const stageId = await harness.open(1, { msPerUnit: 1_000 });
    const slow = harness.join();
    const quick = harness.join();
    const first = await leaseFor(slow);
    let answer = await harness.request(quick);
    while (isIdle(answer) && harness.dispatcher.leasesHeld > 0) {
      await harness.clock.advance(500);
      answer = await harness.request(quick);
    }
    if (isIdle(answer)) throw new Error("the late lease was not raced");
    const second = answer.leases[0]!.attempt;
    expect(second.reissue).toBe(true);
    expect(second.microtask.id).toBe(first.microtask.id);
    const result = rightResult(first.microtask);
    const both = await Promise.allSettled([harness.submit(quick, second, result), harness.submit(slow, first, result)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await codeOf(harness.submit(slow, first, result))).toBe("already_accepted");
    expect(await harness.store.work.results(stageId)).toHaveLength(1);
  });
});

describe("wrong results", () => {
  it("are refused, requeued for others, counted, and get their donor banned", async () => {
    start();
    await harness.open(10_000);
    const liar = harness.join();
    await harness.store.donors.upsert(sampleDonor(liar.id));
    const banned = harness.dispatcher.events.once("donor:banned");
    const seen = new Set<string>();
    while (liar.connected) {
      const lease = await leaseFor(liar);
      expect(seen.has(lease.microtask.id)).toBe(false);
      seen.add(lease.microtask.id);
      const garbage = new Uint8Array(lease.microtask.unitCount * 4).fill(7);
      expect(await codeOf(harness.submit(liar, lease, garbage))).toBe("audit_failed");
    }
    expect(await banned).toMatchObject({ donorId: liar.id, refused: seen.size });
    await settled();
    expect((await harness.store.donors.get(liar.id))?.bannedAtMs).not.toBeNull();
    expect((await harness.store.donors.get(liar.id))?.refused).toBe(seen.size);

    const honest = harness.join();
    const lease = await leaseFor(honest);
    expect(seen.has(lease.microtask.id)).toBe(true);
    await harness.submit(honest, lease, rightResult(lease.microtask));
    expect(honest.view.reliability).toBeGreaterThan(0.95);
  });

  it("of the wrong size are malformed", async () => {
    start();
    await harness.open(10);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    expect(await codeOf(harness.submit(donor, lease, new Uint8Array(3)))).toBe("result_malformed");
  });

  it("quarantine a microtask after five attempts; the rest of the job goes on", async () => {
    start();
    const stageId = await harness.open(20);
    const completed = harness.dispatcher.events.once("stage:completed");
    const poisoned = await leaseFor(harness.join(), 100);
    const { unitCount } = poisoned.microtask;
    expect(unitCount).toBeLessThan(20);
    for (let i = 0; i < LEASE_LIMITS.attemptsBeforeQuarantine; i++) {
      const session = [...harness.dispatcher.sessions()].at(-1)!;
      const attempt = i === 0 ? poisoned : await leaseFor(session, 100);
      expect(attempt.microtask.id).toBe(poisoned.microtask.id);
      harness.dispatcher.returned(session, { leases: [attempt], reason: "failed", detail: `reason ${i}` });
      harness.join();
    }
    const rest = await leaseFor([...harness.dispatcher.sessions()].at(-1)!);
    await harness.submit([...harness.dispatcher.sessions()].at(-1)!, rest, rightResult(rest.microtask));
    expect(await completed).toMatchObject({ stageId, quarantinedUnits: unitCount });
    expect((await harness.store.work.refusals(stageId, 10)).map(({ detail }) => detail)).toContain("failed: reason 3");
  });
});

describe("waiting", () => {
  it("hands work to the longest waiting donor when it appears", async () => {
    start();
    const donors = [harness.join(), harness.join()];
    const answers = donors.map((donor) => harness.waitFor(donor));
    await harness.open(1);
    await harness.clock.advance(0);
    const first = await answers[0]!;
    if (isIdle(first)) throw new Error(first.why);
    await harness.submit(donors[0]!, first.leases[0]!.attempt, rightResult(first.leases[0]!.attempt.microtask));
    await harness.clock.advance(SOCKET_LIMITS.longPollMs);
    expect(await answers[1]).toMatchObject({ kind: "idle" });
  });

  it("is over for a donor whose memory was full as soon as one of its results is accepted", async () => {
    start({ policy: createPolicy() });
    await harness.open(10_000);
    const donor = harness.join();
    // Beside the kernel, room for the payloads and results of a hundred units.
    const memoryBytes = harness.stage.definition.residentBytes + 100 * 2 * BYTES_PER_UNIT;
    const answer = await harness.request(donor, 3_000, memoryBytes);
    if (isIdle(answer)) throw new Error(answer.why);
    const held = answer.leases.map(({ attempt }) => attempt);
    expect(held.reduce((sum, { microtask }) => sum + microtask.unitCount, 0)).toBe(100);
    expect(await harness.request(donor, 3_000, memoryBytes)).toMatchObject({ kind: "idle", reason: "hands-full" });

    const next = harness.waitFor(donor, undefined, memoryBytes);
    for (const lease of held) await harness.submit(donor, lease, rightResult(lease.microtask));
    await harness.clock.advance(0);
    expect(await next).toMatchObject({ kind: "bundle" });
  });

  it("gives nothing to a donor that left while it waited", async () => {
    start();
    const donor = harness.join();
    const gone = new AbortController();
    const answer = harness.waitFor(donor, gone.signal);
    harness.dispatcher.leave(donor);
    gone.abort();
    await harness.open(10);
    await harness.clock.advance(1_000);
    expect(await answer).toMatchObject({ kind: "idle" });
    expect(harness.dispatcher.leasesHeld).toBe(0);
  });

  it("grants nothing while draining, but takes results", async () => {
    start();
    await harness.open(1_000);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    harness.dispatcher.drain();
    expect(await codeOf(harness.request(donor))).toBe("draining");
    expect(await harness.submit(donor, lease, rightResult(lease.microtask))).toBe(lease.microtask.unitCount);
  });

  it("bounds what one donor holds", async () => {
    start();
    await harness.open(100_000, { msPerUnit: 1 });
    const donor = harness.join();
    const held: LeaseId[] = [];
    for (let i = 0; i < 1_000; i++) {
      const answer = await harness.request(donor, 1);
      if (isIdle(answer)) break;
      held.push(...answer.leases.map(({ attempt }) => attempt.leaseId));
    }
    expect(held).toHaveLength(SOCKET_LIMITS.leasesPerBundle * SOCKET_LIMITS.bundlesPerDonor);
  });
});

describe("a restart", () => {
  it("takes results that were computed before the crash, and re-issues what nobody came back for", async () => {
    start();
    const stageId = await harness.open(600);
    const donor = harness.join();
    const stranger = harness.join();
    const kept = await leaseFor(donor);
    const accepted = await leaseFor(donor);
    const lost = await leaseFor(stranger);
    await harness.submit(donor, accepted, rightResult(accepted.microtask));
    await harness.store.work.flush();
    await harness.crash();

    const again = harness.join(donor.id);
    expect(await harness.submit(again, kept, rightResult(kept.microtask))).toBe(kept.microtask.unitCount);
    expect(await codeOf(harness.submit(again, accepted, rightResult(accepted.microtask)))).toBe("lease_unknown");
    await harness.clock.advance(20_000);
    const reissued = await bundleFor(again);
    const same = reissued.leases.find(({ attempt }) => attempt.microtask.id === lost.microtask.id);
    expect(same?.attempt.fence).toBeGreaterThan(lost.fence);
    expect(await harness.store.work.results(stageId)).toHaveLength(2);
  });

  it("never gives a fence twice, also where two crashes in a row lost what was written behind", async () => {
    start();
    await harness.open(1);
    const first = await leaseFor(harness.join());
    await harness.store.work.flush();
    const fences = [first.fence];
    for (let i = 0; i < 2; i++) {
      await harness.crash();
      harness.dispatcher.leave(harness.join(first.donorId));
      // Granted, and lost with the crash that follows at once.
      const again = await leaseFor(harness.join());
      expect(again.microtask.id).toBe(first.microtask.id);
      fences.push(again.fence);
    }
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });

  it("completes a stage whose last result was committed just before the crash", async () => {
    start();
    const stageId = await harness.open(5);
    const donor = harness.join();
    const lease = await leaseFor(donor);
    await harness.store.work.accept({
      leaseId: lease.leaseId,
      microtask: { ...lease.microtask, state: "pending" },
      donorId: donor.id,
      runtime: "ort-wasm",
      computeMs: 1,
      checkedUnits: 0,
      checkCpuMs: 0,
      drift: 0,
      acceptedAtMs: 1,
      creditedMs: 1,
      volunteerId: null,
      body: { kind: "inline", data: rightResult(lease.microtask) },
    });
    await harness.crash();
    expect((await harness.store.stages.get(stageId)).state).toBe("completed");
  });
});
