/**
 * The dispatcher: leases microtasks to donors and takes their results. It keeps memory (the scheduler's board) and store in
 * step; it is the one writer of both.
 *
 * Life of a lease. `held` is every live lease; a lease is in it from its grant until it ends, in one of three states:
 *
 *   leased      the donor has it. Ends by: result (→ checking), return, expiry, departure of the donor, closing of its
 *               job, or another attempt's result being accepted first.
 *   checking    a result is here and is being recomputed in part. Expiry and departure wait for the verdict. Wrong: the
 *               attempt counts against microtask and donor, and ends. Right: → committing.
 *   committing  the result is being written. Ends accepted, or lost where another attempt's result was written first. When
 *               the write fails, the lease is `leased` again and the donor may send the result once more.
 *
 * A microtask is pending, leased (one or two leases), accepted or quarantined. Its fence grows with every lease, over
 * restarts too. Ids of leases are unguessable and never used twice, so a result can only ever meet its own lease: every
 * other result is late, duplicate or foreign, is refused by code, and changes nothing. The store's primary key on results
 * is the last guard.
 *
 * Grants and ends are written behind, results are acknowledged after their commit. A crash may therefore lose grants of the
 * last milliseconds (their units are pending again) but never an acknowledged result.
 */

import { isBanned } from "#lib/integrity/reputation.ts";
import type { Capability, LeaseRequest, LeaseReturn, ResultSubmission, Signals } from "#lib/protocol/donor.ts";
import { type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import type { DonorId, JobId, LeaseId, StageId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS, SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { Board } from "#lib/scheduling/board.ts";
import type { Attempt, CostModel, Policy } from "#lib/scheduling/types.ts";
import { orderedId } from "#lib/storage/ids.ts";
import { resultObject } from "#lib/storage/names.ts";
import type { ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, MicrotaskRecord, ResultBody, StageRecord } from "#lib/storage/records.ts";
import type { JobProgress, Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import { DonorSession, type NewDonor } from "./donor-session.ts";
import { EndedLeases, type Ending, foreignLease } from "./ended-leases.ts";
import { type DispatchEvents, Emitter, type LeaseEnd } from "./events.ts";
import type { KernelRegistry, KernelServices } from "./kernel-services.ts";
import { addUncovered, restoreStage } from "./restore.ts";
import { definitionOf, StageWork } from "./stage-work.ts";
import { type Idle, isIdle, Waiters } from "./waiters.ts";

export interface DispatcherOptions {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly policy: Policy;
  readonly costModel: CostModel;
  readonly kernels: KernelRegistry;
  readonly clock: Clock;
}

/** A lease as the gateway hands it out. */
export interface Granted {
  readonly attempt: Attempt;
  readonly stage: StageRecord;
  readonly payloadBytes: number;
  readonly resultBytes: number;
}

export interface Bundle {
  readonly kind: "bundle";
  readonly leases: readonly Granted[];
}

export interface LiveProgress extends JobProgress {
  readonly microtasksPending: number;
  readonly microtasksLeased: number;
  readonly unitsPerSecond: number;
}

interface HeldLease {
  readonly attempt: Attempt;
  readonly work: StageWork;
  state: "leased" | "checking" | "committing";
  /** The outcome that a second submission of the same result waits for as well. */
  outcome: Promise<number> | undefined;
}

/** Donors reconnect within seconds of a restart; leases of those that do not are free then. */
const RESTART_GRACE_MS = 15_000;
/** A check or commit that takes longer is broken; the lease runs out then. */
const CHECK_MS = 60_000;
const SMALL_RESULT_BYTES = 64 * 1024;
const GONE: Idle = { kind: "idle", why: "this donor has left", recheckAfterMs: 60_000 };
const COUNTERS_EVERY_MS = 1_000;
/** One stored observation per donor in this time: enough to learn from, whatever the rate of results. */
const OBSERVE_EVERY_MS = 2_000;
/** Reasons that count against a microtask: it may be the one that breaks donors. */
const COUNTED_RETURNS: ReadonlySet<LeaseReturn["reason"]> = new Set(["failed", "crashed", "timeout"]);

export class Dispatcher {
  readonly events = new Emitter<DispatchEvents>();
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #board = new Board({ newMicrotaskId: () => orderedId("mt") });
  readonly #stages = new Map<StageId, StageWork>();
  readonly #held = new Map<LeaseId, HeldLease>();
  readonly #ended = new EndedLeases();
  readonly #sessions = new Map<string, DonorSession>();
  readonly #waiters: Waiters<Bundle>;
  #cancelExpiry: (() => void) | undefined;
  #expiryAtMs = Number.POSITIVE_INFINITY;
  #cancelCounters: (() => void) | undefined;
  #draining = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#store = options.store;
    this.#waiters = new Waiters<Bundle>({ clock: options.clock, anyWork: () => this.#board.openStages.length > 0 });
    this.#scheduleCounters();
  }

  // ---------------------------------------------------------------- start and end

  /** Takes up every open stage from the store. Call once, before donors are let in. */
  async restore(): Promise<{ readonly stages: number; readonly leases: number }> {
    const nowMs = this.#clock.nowMs();
    let leases = 0;
    for (const open of await this.#store.work.openStages()) {
      const { work, attempts } = restoreStage(this.#board, open, nowMs, nowMs + RESTART_GRACE_MS);
      work.resume(await this.#store.jobs.progress(open.stage.jobId));
      this.#stages.set(open.stage.id, work);
      for (const attempt of attempts) {
        this.#held.set(attempt.leaseId, { attempt, work, state: "leased", outcome: undefined });
      }
      leases += attempts.length;
      await this.#completeWhatIsDone(work);
    }
    this.#scheduleExpiry();
    return { stages: this.#stages.size, leases };
  }

  /** No more leases; results are still taken. */
  drain(): void {
    this.#draining = true;
    this.#waiters.dismiss();
  }

  async close(): Promise<void> {
    this.drain();
    this.#cancelExpiry?.();
    this.#cancelCounters?.();
    await Promise.allSettled([...this.#held.values()].map(({ outcome }) => outcome));
    this.#writeCounters();
    await this.#store.work.flush();
  }

  // ---------------------------------------------------------------- stages

  /** Stores a stage with its first batches and lets donors have it. */
  async openStage(stage: StageRecord, specBytes: number, batches: readonly BatchRecord[]): Promise<void> {
    this.#servicesOf(stage);
    await this.#store.stages.insert(stage, specBytes, batches);
    const work = new StageWork(stage);
    for (const batch of batches) work.addBatch(batch, 0);
    this.#board.addStage(definitionOf(stage));
    this.#stages.set(stage.id, work);
    addUncovered(this.#board, work, []);
    this.events.emit("stage:opened", { jobId: stage.jobId, stageId: stage.id, units: work.progress().units });
    this.#waiters.wake();
  }

  /** Another batch of an open stage. */
  async addBatch(batch: BatchRecord): Promise<void> {
    const work = this.#stages.get(batch.stageId);
    if (!work) throw new FluxError("conflict", `Stage ${batch.stageId} is not open: it takes no more batches.`);
    await this.#store.stages.insertBatch(batch);
    this.#lease(work, batch);
  }

  /** A completed batch is done anew from another payload: its results are forgotten, its units can be leased again. */
  async redoBatch(batch: BatchRecord): Promise<void> {
    const work = this.#stages.get(batch.stageId);
    await this.#store.stages.replaceBatch(batch);
    if (work) {
      work.removeBatch(batch.batch);
      this.#lease(work, batch);
      return;
    }
    const nowMs = this.#clock.nowMs();
    const open = (await this.#store.work.openStages()).find(({ stage }) => stage.id === batch.stageId);
    if (!open) throw new FluxError("not_found", `There is no stage ${batch.stageId}.`);
    this.#stages.set(batch.stageId, restoreStage(this.#board, open, nowMs, nowMs).work);
    this.#waiters.wake();
  }

  #lease(work: StageWork, batch: BatchRecord): void {
    const added = new StageWork(work.record);
    added.addBatch(batch, 0);
    work.addBatch(batch, 0);
    addUncovered(this.#board, added, []);
    this.#waiters.wake();
  }

  /** The job was cancelled or failed: its leases are revoked, its results stay. */
  async closeJob(jobId: JobId): Promise<void> {
    for (const work of [...this.#stages.values()]) {
      if (work.record.jobId === jobId) await this.#closeStage(work, "closed");
    }
  }

  /** Live counts of a job that has open stages; undefined otherwise (ask the store then). */
  progress(jobId: JobId): LiveProgress | undefined {
    const nowMs = this.#clock.nowMs();
    let sum: LiveProgress | undefined;
    for (const work of this.#stages.values()) {
      if (work.record.jobId !== jobId) continue;
      const view = this.#board.stage(work.record.id);
      const counts = work.progress();
      sum = {
        units: counts.units + (sum?.units ?? 0),
        unitsAccepted: counts.unitsAccepted + (sum?.unitsAccepted ?? 0),
        microtasksAccepted: counts.microtasksAccepted + (sum?.microtasksAccepted ?? 0),
        microtasksQuarantined: counts.microtasksQuarantined + (sum?.microtasksQuarantined ?? 0),
        resultsRefused: counts.resultsRefused + (sum?.resultsRefused ?? 0),
        unitsChecked: counts.unitsChecked + (sum?.unitsChecked ?? 0),
        microtasksPending: (view?.pendingCount ?? 0) + (sum?.microtasksPending ?? 0),
        microtasksLeased: (view?.leasedCount ?? 0) + (sum?.microtasksLeased ?? 0),
        unitsPerSecond: work.unitsPerSecond(nowMs) + (sum?.unitsPerSecond ?? 0),
      };
    }
    return sum;
  }

  // ---------------------------------------------------------------- donors

  get donorsOnline(): number {
    return this.#sessions.size;
  }

  get jobsOpen(): number {
    return new Set([...this.#stages.values()].map(({ record }) => record.jobId)).size;
  }

  get leasesHeld(): number {
    return this.#held.size;
  }

  /** Everybody online, for summaries and plans. */
  *sessions(): Generator<DonorSession> {
    yield* this.#sessions.values();
  }

  /** A donor said hello. A second connection with the same id takes over from the first. */
  join(donor: NewDonor): DonorSession {
    const nowMs = this.#clock.nowMs();
    const before = this.#sessions.get(donor.record.id);
    if (before) {
      this.leave(before);
      before.disconnect();
    }
    const session = new DonorSession(donor, nowMs);
    this.#sessions.set(session.id, session);
    this.#board.join(session.view);
    this.#options.costModel.observeSession({ kind: "joined", donorId: session.id, atMs: nowMs });
    this.events.emit("donor:joined", { donorId: session.id, online: this.#sessions.size });
    return session;
  }

  /** Its connection ended: what it held is free at once, but for results that are being checked. */
  leave(session: DonorSession): void {
    if (!session.connected) return;
    session.connected = false;
    this.#sessions.delete(session.id);
    let leasesReturned = 0;
    let checking = false;
    for (const attempt of this.#board.attemptsOf(session.id)) {
      const held = this.#held.get(attempt.leaseId);
      if (held?.state !== "leased") checking = true;
      else {
        this.#giveBack(held, "departed");
        leasesReturned++;
      }
    }
    if (!checking) this.#board.leave(session.id);
    this.#writeCountersOf(session);
    this.#options.costModel.observeSession({ kind: "left", donorId: session.id, atMs: this.#clock.nowMs() });
    this.events.emit("donor:left", { donorId: session.id, online: this.#sessions.size, leasesReturned });
    if (leasesReturned > 0) this.#waiters.wake();
  }

  /** An accepted result of this donor turned out wrong when all of it was recomputed: counts like one that was refused. */
  convict(donorId: DonorId): void {
    const session = this.#sessions.get(donorId);
    if (!session) {
      this.#store.donors.count(donorId, { refused: 1 }, this.#clock.nowMs());
      return;
    }
    session.judged(false, 0, 0);
    if (isBanned(session)) this.#ban(session);
  }

  measured(session: DonorSession, capability: Capability): void {
    session.measured(capability);
  }

  signalled(session: DonorSession, signals: Signals): void {
    session.signalled(signals);
  }

  // ---------------------------------------------------------------- leases

  /** A bundle of leases, as soon as there is one; an idle reason after the long poll. */
  async request(session: DonorSession, request: LeaseRequest, signal: AbortSignal): Promise<Bundle | Idle> {
    if (this.#draining) throw new FluxError("draining", "The coordinator restarts: finish, send, and connect again.");
    session.asked(request);
    const askedAtMs = this.#clock.nowMs();
    const attempt = () => (session.connected ? this.#choose(session, request.wantMs, askedAtMs) : GONE);
    const first = attempt();
    if (!isIdle(first)) return first;
    return this.#waiters.wait(attempt, first, SOCKET_LIMITS.longPollMs, signal);
  }

  /** @throws FluxError for a lease that is not this donor's live one */
  async payload(session: DonorSession, leaseId: LeaseId, fence: number): Promise<Uint8Array> {
    const held = this.#ownLease(session, leaseId, fence);
    return this.readPayload(held.attempt, held.work.record);
  }

  /** The bytes of a live lease's payload; a payload that cannot be read counts against the microtask. */
  async readPayload(attempt: Attempt, stage: StageRecord): Promise<Uint8Array> {
    const { microtask } = attempt;
    const batch = this.#stages.get(stage.id)?.batches.get(microtask.batch)?.record;
    if (!batch) throw new FluxError("lease_expired", "The job has ended: drop the lease.");
    try {
      return await this.#servicesOf(stage).payloads.read(stage, batch, microtask);
    } catch (error) {
      this.events.emit("dispatch:failed", { what: `reading the payload of ${microtask.id}`, error });
      const held = this.#held.get(attempt.leaseId);
      if (held?.state === "leased") this.#fail(held, "internal", "Its payload could not be read.", "returned");
      throw new FluxError("internal", "The payload could not be read: ask for other work.");
    }
  }

  /**
   * A result. Resolves with its units after the commit.
   * @throws FluxError lease_unknown, lease_foreign, lease_expired, already_accepted, result_malformed, audit_failed;
   *   internal where it may be sent again
   */
  async submit(session: DonorSession, submission: ResultSubmission, result: Uint8Array): Promise<number> {
    try {
      const held = this.#ownLease(session, submission.leaseId, submission.fence);
      held.outcome ??= this.#settle(held, session, submission, result).finally(() => {
        held.outcome = undefined;
      });
      return await held.outcome;
    } catch (error) {
      if (error instanceof FluxError) {
        const { code, detail } = error;
        const counted = code === "audit_failed" || code === "result_malformed";
        this.events.emit("result:refused", { donorId: session.id, leaseId: submission.leaseId, code, detail, counted });
      }
      throw error;
    }
  }

  /** @returns how many of the named leases were this donor's live ones */
  returned(session: DonorSession, { leases, reason, detail }: LeaseReturn): number {
    let returned = 0;
    for (const { leaseId, fence } of leases) {
      const held = this.#held.get(leaseId);
      if (held?.state !== "leased" || held.attempt.donorId !== session.id || held.attempt.fence !== fence) continue;
      if (COUNTED_RETURNS.has(reason)) {
        this.#fail(held, "internal", `${reason}: ${detail ?? "the donor gave no reason"}`, "returned");
      } else this.#giveBack(held, "returned");
      returned++;
    }
    if (returned > 0) this.#waiters.wake();
    return returned;
  }

  // ---------------------------------------------------------------- granting

  #choose(session: DonorSession, wantMs: number, askedAtMs: number): Bundle | Idle {
    const room =
      SOCKET_LIMITS.leasesPerBundle * SOCKET_LIMITS.bundlesPerDonor - this.#board.attemptsOf(session.id).length;
    if (room < 1) return { kind: "idle", why: "this donor holds as many leases as it may", recheckAfterMs: 1_000 };
    const nowMs = this.#clock.nowMs();
    const { policy, costModel } = this.#options;
    const maxLeases = Math.min(room, SOCKET_LIMITS.leasesPerBundle);
    const decision = policy.choose({ nowMs, board: this.#board, costModel, donor: session.view, wantMs, maxLeases });
    if (decision.kind === "idle") return decision;
    const outcomes = this.#board.lease(decision.leases, session.view, () => orderedId("ls"), nowMs);
    const leases = outcomes.map(({ attempt }) => this.#grant(attempt, nowMs - askedAtMs));
    this.#scheduleExpiry();
    return { kind: "bundle", leases };
  }

  #grant(attempt: Attempt, waitedMs: number): Granted {
    const { microtask } = attempt;
    const work = this.#stages.get(microtask.stageId);
    if (!work) throw new Error(`the policy chose stage ${microtask.stageId}, which is not open`);
    this.#held.set(attempt.leaseId, { attempt, work, state: "leased", outcome: undefined });
    this.#store.work.grant({
      microtask: rowOf(attempt),
      lease: {
        id: attempt.leaseId,
        microtaskId: microtask.id,
        donorId: attempt.donorId,
        fence: attempt.fence,
        grantedAtMs: attempt.leasedAtMs,
        expiresAtMs: attempt.expiresAtMs,
        predictedMs: attempt.predictedMs,
      },
    });
    this.events.emit("lease:granted", {
      ...namesOf(attempt),
      fence: attempt.fence,
      waitedMs,
      reissue: attempt.reissue,
    });
    const { payloads } = this.#servicesOf(work.record);
    return {
      attempt,
      stage: work.record,
      payloadBytes: payloads.payloadBytes(work.record, microtask),
      resultBytes: payloads.resultBytes(work.record, microtask),
    };
  }

  // ---------------------------------------------------------------- results

  async #settle(
    held: HeldLease,
    session: DonorSession,
    submission: ResultSubmission,
    result: Uint8Array,
  ): Promise<number> {
    const { attempt, work } = held;
    const { microtask } = attempt;
    const receivedAtMs = this.#clock.nowMs();
    const services = this.#servicesOf(work.record);
    const wantedBytes = services.payloads.resultBytes(work.record, microtask);
    if (result.byteLength !== wantedBytes) {
      this.#judgeWrong(held, session, "result_malformed", `${result.byteLength} bytes came, ${wantedBytes} are due.`);
    }

    held.state = "checking";
    this.#board.extend(attempt, receivedAtMs + CHECK_MS);
    const batch = work.batches.get(microtask.batch)?.record;
    if (!batch) throw new Error(`batch ${microtask.batch} of ${work.record.id} is not known`);
    const checked = await this.#orLeasedAgain(held, () =>
      services.checker.check({
        stage: work.record,
        batch,
        range: { ...microtask },
        runtime: submission.runtime,
        donor: { accepted: session.accepted, refused: session.refused },
        result,
      }),
    );
    this.#mustBeHeld(held);
    if (!checked.right) this.#judgeWrong(held, session, checked.code, checked.detail);
    const checkedAtMs = this.#clock.nowMs();

    held.state = "committing";
    const answer = await this.#orLeasedAgain(held, async () =>
      this.#store.work.accept({
        leaseId: attempt.leaseId,
        microtask: rowOf(attempt),
        donorId: session.id,
        runtime: submission.runtime,
        computeMs: submission.timings.computeMs,
        checkedUnits: checked.right ? checked.checkedUnits : 0,
        acceptedAtMs: checkedAtMs,
        body: await this.#bodyOf(attempt, result),
      }),
    );
    // Another attempt's result was written first, or the job was closed meanwhile.
    if (answer === "duplicate" || !this.#held.has(attempt.leaseId)) this.#mustBeHeld(held);
    this.#accepted(held, session, submission, {
      checkedUnits: checked.right ? checked.checkedUnits : 0,
      checkMs: checkedAtMs - receivedAtMs,
      bytes: result.byteLength,
      receivedAtMs,
    });
    await this.#completeWhatIsDone(work);
    return microtask.unitCount;
  }

  #accepted(
    held: HeldLease,
    session: DonorSession,
    { runtime, timings }: ResultSubmission,
    done: { checkedUnits: number; checkMs: number; bytes: number; receivedAtMs: number },
  ): void {
    const { attempt, work } = held;
    const { microtask } = attempt;
    const nowMs = this.#clock.nowMs();
    const units = microtask.unitCount;
    const elapsedMs = done.receivedAtMs - attempt.leasedAtMs;
    const servedMs = timings.downloadMs + timings.computeMs + timings.uploadMs;
    const losers = this.#board.accept(attempt, Math.min(elapsedMs, servedMs));
    this.#drop(held, "accepted");
    this.#revoke(losers, "lost");
    work.accepted(microtask.batch, units, done.checkedUnits, nowMs);
    session.judged(true, units, Math.min(elapsedMs, timings.computeMs));
    this.#options.costModel.observe({
      donor: session.view,
      stage: attempt.stage.definition,
      runtime,
      units,
      downloadMs: timings.downloadMs,
      computeMs: timings.computeMs,
      uploadMs: timings.uploadMs,
      overheadMs: Math.max(0, elapsedMs - timings.queueMs - servedMs),
    });
    if (nowMs - session.lastObservedMs >= OBSERVE_EVERY_MS) {
      session.lastObservedMs = nowMs;
      this.#store.observations.add({
        donorId: session.id,
        stageId: work.record.id,
        kernel: work.record.kernel,
        runtime,
        units,
        bytesIn: this.#servicesOf(work.record).payloads.payloadBytes(work.record, microtask),
        bytesOut: done.bytes,
        ...timings,
        predictedMs: attempt.predictedMs,
        createdAtMs: nowMs,
      });
    }
    this.events.emit("result:accepted", {
      ...namesOf(attempt),
      runtime,
      computeMs: timings.computeMs,
      checkedUnits: done.checkedUnits,
      checkMs: done.checkMs,
      commitMs: nowMs - done.receivedAtMs - done.checkMs,
      bytes: done.bytes,
    });
  }

  /** Refuses a result for good: against the microtask, and against the donor. */
  #judgeWrong(held: HeldLease, session: DonorSession, code: ErrorCode, detail: string): never {
    held.work.refused();
    session.judged(false, 0, 0);
    this.#fail(held, code, detail, "refused");
    if (isBanned(session)) this.#ban(session);
    throw new FluxError(code, detail);
  }

  #ban(session: DonorSession): void {
    this.events.emit("donor:banned", { donorId: session.id, refused: session.refused });
    this.#writeCountersOf(session);
    this.#store.donors.ban(session.id, this.#clock.nowMs()).catch((error: unknown) => {
      this.events.emit("dispatch:failed", { what: `banning ${session.id}`, error });
    });
    this.leave(session);
    session.disconnect();
  }

  /** Runs a step of ours; when it breaks, the donor keeps the lease and may send the result again. */
  async #orLeasedAgain<T>(held: HeldLease, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      this.events.emit("dispatch:failed", { what: `${held.state} the result of ${held.attempt.microtask.id}`, error });
      this.#mustBeHeld(held);
      held.state = "leased";
      if (this.#sessions.has(held.attempt.donorId)) {
        this.#board.extend(held.attempt, this.#clock.nowMs() + LEASE_LIMITS.leaseMsMin);
        this.#scheduleExpiry();
      } else this.#giveBack(held, "departed");
      throw new FluxError("internal", "The result could not be checked or stored: send it again.");
    }
  }

  async #bodyOf(attempt: Attempt, result: Uint8Array): Promise<ResultBody> {
    if (result.byteLength <= SMALL_RESULT_BYTES) return { kind: "inline", data: result };
    const { microtask, fence } = attempt;
    const name = resultObject(microtask.stageId, microtask.id, fence);
    await this.#options.objects.put(name, result);
    return { kind: "object", name, bytes: result.byteLength };
  }

  async #completeWhatIsDone(work: StageWork): Promise<void> {
    const { id: stageId, jobId } = work.record;
    for (let batch = work.takeCompletedBatch(); batch; batch = work.takeCompletedBatch()) {
      await this.#store.stages.setBatchState(stageId, batch.batch, "completed");
      this.events.emit("batch:completed", { jobId, stageId, batch: batch.batch });
    }
    if (work.done && this.#stages.has(stageId)) await this.#closeStage(work, "completed");
  }

  async #closeStage(work: StageWork, state: "completed" | "closed"): Promise<void> {
    const { id: stageId, jobId } = work.record;
    if (!this.#stages.delete(stageId)) return;
    const attempts = this.#board.closeStage(stageId);
    this.#revoke(attempts, "closed");
    await this.#store.stages.setState(stageId, state);
    if (state === "completed") {
      this.events.emit("stage:completed", { jobId, stageId, quarantinedUnits: work.quarantinedUnits });
    } else this.events.emit("stage:closed", { jobId, stageId, leasesRevoked: attempts.length });
  }

  // ---------------------------------------------------------------- ends

  /** The attempt does not count: the microtask is pending again, unless another attempt runs. */
  #giveBack(held: HeldLease, how: "returned" | "expired" | "departed"): void {
    this.#board.giveBack(held.attempt);
    this.#ends(held, how, "pending");
  }

  /** The attempt counts against the microtask. */
  #fail(held: HeldLease, code: ErrorCode, detail: string, how: "refused" | "returned"): void {
    const { attempt, work } = held;
    const { microtask } = attempt;
    const outcome = this.#board.fail(attempt);
    const refusal = { donorId: attempt.donorId, code, detail: detail.slice(0, 500) };
    this.#ends(held, how, outcome === "quarantined" ? "quarantined" : "pending", refusal);
    const { stageId, id: microtaskId, failures, unitCount: units } = microtask;
    const names = { jobId: work.record.jobId, stageId, microtaskId, units, failures };
    if (outcome !== "quarantined") {
      this.events.emit("microtask:requeued", names);
      this.#waiters.wake();
      return;
    }
    work.quarantined(microtask.batch, units);
    this.events.emit("microtask:quarantined", names);
    this.#completeWhatIsDone(work).catch((error: unknown) => {
      this.events.emit("dispatch:failed", { what: `completing ${work.record.id}`, error });
    });
  }

  #ends(
    held: HeldLease,
    how: LeaseEnd & Ending,
    state: "pending" | "quarantined",
    refusal?: { donorId: DonorSession["id"]; code: ErrorCode; detail: string },
  ): void {
    const { attempt } = held;
    const { id: microtaskId, failures } = attempt.microtask;
    const ended = { leaseId: attempt.leaseId, microtaskId, failures, state, atMs: this.#clock.nowMs() };
    this.#store.work.end(refusal ? { ...ended, refusal } : ended);
    this.#drop(held, how);
    this.events.emit("lease:ended", { ...namesOf(attempt), how });
  }

  /** Leases that lost a race or whose job ended: their donors are told to stop. */
  #revoke(attempts: readonly Attempt[], ending: "lost" | "closed"): void {
    const byDonor = Map.groupBy(attempts, ({ donorId }) => donorId);
    for (const [donorId, revoked] of byDonor) {
      for (const attempt of revoked) {
        const held = this.#held.get(attempt.leaseId);
        if (held) this.#drop(held, ending);
        this.events.emit("lease:ended", { ...namesOf(attempt), how: "revoked" });
      }
      this.#sessions.get(donorId)?.notify("lease:revoked", { leaseIds: revoked.map(({ leaseId }) => leaseId) });
    }
  }

  #drop({ attempt }: HeldLease, ending: Ending): void {
    this.#held.delete(attempt.leaseId);
    this.#ended.remember(attempt.leaseId, attempt.donorId, ending);
    // It left while this result was being checked: now nothing keeps it on the board.
    if (!this.#sessions.has(attempt.donorId) && this.#board.attemptsOf(attempt.donorId).length === 0) {
      this.#board.leave(attempt.donorId);
    }
  }

  #scheduleExpiry(): void {
    const nextMs = this.#board.nextExpiryMs();
    if (nextMs === null || nextMs >= this.#expiryAtMs) return;
    this.#cancelExpiry?.();
    this.#expiryAtMs = nextMs;
    this.#cancelExpiry = this.#clock.after(Math.max(0, nextMs - this.#clock.nowMs()), () => this.#expire());
  }

  #expire(): void {
    this.#cancelExpiry = undefined;
    this.#expiryAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    let freed = false;
    for (const attempt of this.#board.expired(nowMs)) {
      const held = this.#held.get(attempt.leaseId);
      if (held?.state === "leased") {
        this.#giveBack(held, "expired");
        freed = true;
      } else this.#board.extend(attempt, nowMs + CHECK_MS);
    }
    this.#scheduleExpiry();
    if (freed) this.#waiters.wake();
  }

  // ---------------------------------------------------------------- parts

  #ownLease(session: DonorSession, leaseId: LeaseId, fence: number): HeldLease {
    const held = this.#held.get(leaseId);
    if (!held) throw this.#ended.errorFor(leaseId, session.id);
    if (held.attempt.donorId !== session.id) throw foreignLease();
    if (held.attempt.fence !== fence) {
      throw new FluxError("lease_unknown", "The fence is not this lease's: send the one that came with it.");
    }
    return held;
  }

  #mustBeHeld({ attempt }: HeldLease): void {
    if (!this.#held.has(attempt.leaseId)) throw this.#ended.errorFor(attempt.leaseId, attempt.donorId);
  }

  #servicesOf(stage: StageRecord): KernelServices {
    const services = this.#options.kernels[stage.kernel];
    if (!services) throw new FluxError("unavailable", `This coordinator does not run ${stage.kernel} stages.`);
    return services;
  }

  #scheduleCounters(): void {
    this.#cancelCounters = this.#clock.after(COUNTERS_EVERY_MS, () => {
      this.#writeCounters();
      this.#scheduleCounters();
    });
  }

  #writeCounters(): void {
    for (const session of this.#sessions.values()) this.#writeCountersOf(session);
  }

  #writeCountersOf(session: DonorSession): void {
    const { unwritten } = session;
    if (unwritten.accepted + unwritten.refused === 0) return;
    session.unwritten = { accepted: 0, refused: 0, units: 0, computeMs: 0 };
    this.#store.donors.count(session.id, unwritten, this.#clock.nowMs());
  }
}

function namesOf({ leaseId, donorId, microtask, stage }: Attempt) {
  const { id: microtaskId, stageId, unitCount: units } = microtask;
  return { leaseId, donorId, microtaskId, stageId, jobId: stage.definition.jobId, units };
}

function rowOf({ microtask, fence }: Attempt): MicrotaskRecord {
  const { id, stageId, batch, prime, unitStart, unitCount, failures } = microtask;
  return { id, stageId, batch, prime, unitStart, unitCount, state: "pending", fence, failures };
}
