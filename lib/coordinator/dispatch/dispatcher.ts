/**
 * The dispatcher: leases microtasks to donors and takes their results. It keeps memory (the scheduler's board) and store in
 * step; it is the one writer of both. Its parts: fleet.ts (who is connected), lease-table.ts (live leases and their ends),
 * settlement.ts (results), stage-work.ts (what is left of a stage), waiters.ts (long polls), restore.ts (after a restart).
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
import { z } from "zod";
import type { Capability, LeaseRequest, LeaseReturn, ResultSubmission, Signals } from "#lib/protocol/donor.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId } from "#lib/protocol/ids.ts";
import { SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { Board } from "#lib/scheduling/board.ts";
import { explainDonor, explainIdle, type Standing, standingOf } from "#lib/scheduling/explain.ts";
import { changeSignals } from "#lib/scheduling/signals.ts";
import type { Attempt, CostModel, Decision, IdleReason, Policy } from "#lib/scheduling/types.ts";
import { orderedId } from "#lib/storage/ids.ts";
import type { ObjectStore } from "#lib/storage/objects.ts";
import type { BatchRecord, StageRecord } from "#lib/storage/records.ts";
import type { JobProgress, OpenStage, Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import { BundleTimes } from "./bundle-times.ts";
import type { DonorSession, NewDonor } from "./donor-session.ts";
import { type DispatchEvents, Emitter } from "./events.ts";
import { Fleet } from "./fleet.ts";
import type { KernelRegistry, KernelServices } from "./kernel-services.ts";
import { LeaseTable, namesOf } from "./lease-table.ts";
import { addUncovered, type RestoredStage, restoreStage } from "./restore.ts";
import { Settlement } from "./settlement.ts";
import { definitionOf, StageWork } from "./stage-work.ts";
import { type Idle, isIdle, Waiters } from "./waiters.ts";

export interface DispatcherOptions {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly policy: Policy;
  readonly costModel: CostModel;
  readonly kernels: KernelRegistry;
  readonly clock: Clock;
  /** Units that a microtask of this stage may hold; as many as there are where it is left out. */
  readonly unitsPerMicrotask?: (stage: StageRecord) => number;
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
  /** The scheduler's reason, as a word and in words. */
  readonly standing: Standing;
  readonly why: string;
}

/** What a donor is doing, and why. */
export interface DonorStanding {
  readonly session: DonorSession;
  readonly leases: number;
  /** Null while it has leases or has not asked. */
  readonly idle: IdleReason | null;
  readonly why: string;
}

/** Donors reconnect within seconds of a restart; leases of those that do not are free then. */
const RESTART_GRACE_MS = 15_000;
/** The setting that counts starts. */
const RUNS = "dispatcher-runs";
const GONE: Idle = { kind: "idle", reason: "departed", why: "this donor has left", recheckAfterMs: 60_000 };
const HOLDS_ENOUGH: Idle = {
  kind: "idle",
  reason: "holds-enough",
  why: "this donor holds as many leases as it may",
  recheckAfterMs: 1_000,
};
/** Reasons that count against a microtask: it may be the one that breaks donors. */
const COUNTED_RETURNS: ReadonlySet<LeaseReturn["reason"]> = new Set(["failed", "crashed", "timeout"]);

export class Dispatcher {
  readonly events = new Emitter<DispatchEvents>();
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #board = new Board({ newMicrotaskId: () => orderedId("mt") });
  readonly #stages = new Map<StageId, StageWork>();
  readonly #fleet: Fleet;
  readonly #leases: LeaseTable;
  readonly #settlement: Settlement;
  readonly #waiters: Waiters<Bundle>;
  readonly #bundles = new BundleTimes(this.events);
  /** How often the coordinator has started with this store. */
  #run = 0;
  #draining = false;

  constructor(options: DispatcherOptions) {
    const { store, clock, costModel } = options;
    const events = this.events;
    const board = this.#board;
    this.#options = options;
    this.#clock = clock;
    this.#store = store;
    this.#waiters = new Waiters<Bundle>({ clock, anyWork: () => board.openStages.length > 0 });
    this.#leases = new LeaseTable({
      board,
      work: store.work,
      clock,
      events,
      isOnline: (donorId) => this.#fleet.get(donorId) !== undefined,
      tellRevoked: (donorId, leaseIds) => this.#fleet.get(donorId)?.notify("lease:revoked", { leaseIds }),
      onFreed: () => this.#waiters.wake(),
      onQuarantined: (work) => {
        this.#completeWhatIsDone(work).catch((error: unknown) => {
          events.emit("dispatch:failed", { what: `completing ${work.record.id}`, error });
        });
      },
    });
    this.#fleet = new Fleet({
      board,
      costModel,
      donors: store.donors,
      clock,
      events,
      release: (donorId) => this.#release(donorId),
    });
    events.on("result:accepted", ({ donorId }) => this.#waiters.wakeOne(donorId));
    events.on("lease:ended", ({ donorId }) => this.#waiters.wakeOne(donorId));
    events.on("bundle:finished", ({ donorId, promisedP90Ms, tookMs }) => {
      const donor = this.#fleet.get(donorId)?.view;
      if (donor) costModel.observeBundle({ donor, promisedP90Ms, tookMs });
    });
    this.#settlement = new Settlement({
      ...options,
      leases: this.#leases,
      events,
      servicesOf: (stage) => this.#servicesOf(stage),
      onWrong: (session) => this.#fleet.banIfDue(session),
      onAccepted: (work) => this.#completeWhatIsDone(work),
    });
  }

  // ---------------------------------------------------------------- start and end

  /** Takes up every open stage from the store. Call once, before donors are let in. */
  async restore(): Promise<{ readonly stages: number; readonly leases: number }> {
    this.#run =
      1 +
      z
        .int()
        .nonnegative()
        .catch(0)
        .parse(await this.#store.settings.get(RUNS));
    await this.#store.settings.set(RUNS, this.#run);
    const nowMs = this.#clock.nowMs();
    for (const open of await this.#store.work.openStages()) {
      const { work, attempts } = this.#restore(open, nowMs, nowMs + RESTART_GRACE_MS);
      work.resume(await this.#store.stages.progress(open.stage.id));
      this.#stages.set(open.stage.id, work);
      for (const attempt of attempts) this.#leases.adopt(attempt, work);
      await this.#completeWhatIsDone(work);
    }
    this.#leases.scheduleExpiry();
    return { stages: this.#stages.size, leases: this.#leases.size };
  }

  /** No more leases; results are still taken. */
  drain(): void {
    this.#draining = true;
    this.#waiters.dismiss();
  }

  async close(): Promise<void> {
    this.drain();
    this.#leases.close();
    await Promise.allSettled(this.#leases.outcomes());
    this.#fleet.close();
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
    addUncovered(this.#board, work, [], this.#unitsPerMicrotask(stage));
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
    this.#stages.set(batch.stageId, this.#restore(open, nowMs, nowMs).work);
    this.#waiters.wake();
  }

  #lease(work: StageWork, batch: BatchRecord): void {
    const added = new StageWork(work.record);
    added.addBatch(batch, 0);
    work.addBatch(batch, 0);
    addUncovered(this.#board, added, [], this.#unitsPerMicrotask(work.record));
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
      const stands = view && standingOf(view, this.#board, this.#options.costModel, nowMs);
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
        standing: stands?.standing ?? sum?.standing ?? "nothing-left",
        why: stands?.words ?? sum?.why ?? "",
      };
    }
    return sum;
  }

  // ---------------------------------------------------------------- donors

  get donorsOnline(): number {
    return this.#fleet.size;
  }

  get jobsOpen(): number {
    return this.openJobs().length;
  }

  get leasesHeld(): number {
    return this.#leases.size;
  }

  /** Everybody online, for summaries and plans. */
  sessions(): IterableIterator<DonorSession> {
    return this.#fleet.values();
  }

  session(id: DonorId): DonorSession | undefined {
    return this.#fleet.get(id);
  }

  /** Jobs that wait for the donors of a private group, or run on them. */
  jobsOpenFor(groupId: string): number {
    const open = [...this.#stages.values()].filter(({ record }) => record.definition.groupId === groupId);
    return new Set(open.map(({ record }) => record.jobId)).size;
  }

  /** What each donor does, or why it does nothing. */
  standings(): DonorStanding[] {
    const nowMs = this.#clock.nowMs();
    return Array.from(this.#fleet.values(), (session) => {
      const leases = this.#board.attemptsOf(session.id).length;
      const idle = leases === 0 ? (session.idle?.reason ?? null) : null;
      const why = idle === null ? explainDonor(session.view, this.#board, nowMs) : (session.idle?.why ?? "");
      return { session, leases, idle, why };
    });
  }

  /** Jobs with open stages. */
  openJobs(): JobId[] {
    return [...new Set(Array.from(this.#stages.values(), ({ record }) => record.jobId))];
  }

  /** A donor said hello. */
  join(donor: NewDonor): DonorSession {
    return this.#fleet.join(donor);
  }

  /** Its connection ended. */
  leave(session: DonorSession): void {
    this.#fleet.leave(session);
  }

  /** An accepted result of this donor turned out wrong when all of it was recomputed. */
  convict(donorId: DonorId): void {
    this.#fleet.convict(donorId);
  }

  measured(session: DonorSession, capability: Capability): void {
    session.measured(capability);
    // What was learnt is relative to the benchmark: with another one, it starts anew.
    this.#options.costModel.forget(session.id);
  }

  /** The tab is hidden, a share is moved: what it has only fetched may be recalled, the rest gets new expectations. */
  signalled(session: DonorSession, signals: Signals): void {
    const recalled = changeSignals({
      board: this.#board,
      costModel: this.#options.costModel,
      donor: session.view,
      nowMs: this.#clock.nowMs(),
      apply: () => session.signalled(signals),
    });
    this.#leases.recall(session.id, recalled);
  }

  #release(donorId: DonorId): { returned: number; kept: number } {
    const counts = { returned: 0, kept: 0 };
    for (const { leaseId } of this.#board.attemptsOf(donorId)) {
      const held = this.#leases.get(leaseId);
      if (held?.state === "leased") {
        this.#leases.giveBack(held, "departed");
        counts.returned++;
      } else counts.kept++;
    }
    return counts;
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
    return this.#waiters.wait(session.id, attempt, first, SOCKET_LIMITS.longPollMs, signal);
  }

  /** @throws FluxError for a lease that is not this donor's live one */
  async payload(session: DonorSession, leaseId: LeaseId, fence: number): Promise<Uint8Array> {
    const held = this.#leases.own(session.id, leaseId, fence);
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
      const held = this.#leases.get(attempt.leaseId);
      if (held?.state === "leased") this.#leases.fail(held, "internal", "Its payload could not be read.", "returned");
      throw new FluxError("internal", "The payload could not be read: ask for other work.");
    }
  }

  /**
   * A result. Resolves with its units after the commit.
   * @param uploadMs how long it took to arrive, from its first byte to its last
   * @throws FluxError lease_unknown, lease_foreign, lease_expired, already_accepted, result_malformed, audit_failed;
   *   internal or rate_limited where it may be sent again
   */
  submit(session: DonorSession, submission: ResultSubmission, result: Uint8Array, uploadMs = 0): Promise<number> {
    return this.#settlement.submit(session, submission, result, uploadMs);
  }

  /** What a live lease is about. */
  workOf(leaseId: LeaseId): { readonly microtask: MicrotaskId; readonly job: JobId } | undefined {
    const held = this.#leases.get(leaseId);
    return held && { microtask: held.attempt.microtask.id, job: held.work.record.jobId };
  }

  /** @returns how many of the named leases were this donor's live ones */
  returned(session: DonorSession, { leases, reason, detail }: LeaseReturn): number {
    let returned = 0;
    for (const { leaseId, fence } of leases) {
      const held = this.#leases.get(leaseId);
      if (held?.state !== "leased" || held.attempt.donorId !== session.id || held.attempt.fence !== fence) continue;
      if (COUNTED_RETURNS.has(reason)) {
        this.#leases.fail(held, "internal", `${reason}: ${detail ?? "the donor gave no reason"}`, "returned");
      } else this.#leases.giveBack(held, "returned");
      returned++;
    }
    return returned;
  }

  // ---------------------------------------------------------------- granting

  #choose(session: DonorSession, wantMs: number, askedAtMs: number): Bundle | Idle {
    const room =
      SOCKET_LIMITS.leasesPerBundle * SOCKET_LIMITS.bundlesPerDonor - this.#board.attemptsOf(session.id).length;
    if (room < 1) return HOLDS_ENOUGH;
    const nowMs = this.#clock.nowMs();
    const { policy, costModel } = this.#options;
    const maxLeases = Math.min(room, SOCKET_LIMITS.leasesPerBundle);
    const decision = policy.choose({ nowMs, board: this.#board, costModel, donor: session.view, wantMs, maxLeases });
    if (decision.kind === "idle") return this.#idle(session, decision);
    session.idle = null;
    const outcomes = this.#board.lease(decision.leases, session.view, () => orderedId("ls"), nowMs);
    const leases = outcomes.map(({ attempt }) => this.#grant(attempt, nowMs - askedAtMs));
    this.#bundles.begin(
      session.id,
      outcomes.map(({ attempt }) => attempt),
    );
    this.#leases.scheduleExpiry();
    return { kind: "bundle", leases };
  }

  /** Says why, as exactly as the board can tell, and tells the donor: its request may be held open for long. */
  #idle(session: DonorSession, decision: Extract<Decision, { kind: "idle" }>): Idle {
    const { reason } = decision;
    if (session.idle?.reason !== reason) {
      session.idle = { reason, why: explainIdle(reason, session.view, this.#board) };
      session.notify("lease:waiting", { why: session.idle.why });
    }
    return { ...decision, why: session.idle.why };
  }

  #grant(attempt: Attempt, waitedMs: number): Granted {
    const { microtask } = attempt;
    const work = this.#stages.get(microtask.stageId);
    if (!work) throw new Error(`the policy chose stage ${microtask.stageId}, which is not open`);
    this.#leases.grant(attempt, work);
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

  // ---------------------------------------------------------------- completion

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
    this.#leases.revoke(attempts, "closed");
    await this.#store.stages.setState(stageId, state);
    if (state === "completed") {
      this.events.emit("stage:completed", { jobId, stageId, quarantinedUnits: work.quarantinedUnits });
    } else this.events.emit("stage:closed", { jobId, stageId, leasesRevoked: attempts.length });
  }

  #restore(open: OpenStage, nowMs: number, leaseUntilMs: number): RestoredStage {
    const maxUnits = this.#unitsPerMicrotask(open.stage);
    return restoreStage(this.#board, open, { run: this.#run, maxUnits, nowMs, leaseUntilMs });
  }

  #unitsPerMicrotask(stage: StageRecord): number {
    return this.#options.unitsPerMicrotask?.(stage) ?? Number.MAX_SAFE_INTEGER;
  }

  #servicesOf(stage: StageRecord): KernelServices {
    const services = this.#options.kernels[stage.kernel];
    if (!services) throw new FluxError("unavailable", `This coordinator does not run ${stage.kernel} stages.`);
    return services;
  }
}
