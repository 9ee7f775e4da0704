/**
 * The board: what is pending, what is leased to whom, and what each submitter was served. The one writer of that state in
 * memory; the dispatcher keeps the durable copy beside it, the simulator drives it as it is.
 *
 * A microtask is in one of these places: pending (in its stage's queue, no attempt) → leased (an attempt, more while they race) →
 * accepted | quarantined (gone from the board) or back to pending. Only `lease`, `accept`, `fail`, `giveBack` and `closeStage`
 * move it. Every operation is O(1) amortised, or O(log attempts) where a lease deadline is kept.
 */
import type { DonorId, LeaseId, MicrotaskId, StageId, TenantId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import { FairShare } from "./fair-share.ts";
import { leaseBytes } from "./filters.ts";
import { PendingQueue } from "./pending-queue.ts";
import { compileRegions } from "./regions.ts";
import type {
  Attempt,
  BoardView,
  DonorView,
  Microtask,
  PlannedLease,
  StageDefinition,
  StageView,
  SubmitterView,
} from "./types.ts";

export interface NewMicrotask {
  readonly id: MicrotaskId;
  readonly unitStart: number;
  readonly unitCount: number;
  readonly batch?: number;
  readonly prime?: number;
  /** For microtasks restored after a restart. */
  readonly fence?: number;
  readonly failures?: number;
  readonly refusedTo?: readonly DonorId[];
}

export interface LeaseOutcome {
  readonly attempt: Attempt;
  /** What was carved off and stays pending, under a new id; null when the whole range was leased. */
  readonly remainder: Microtask | null;
}

/** What became of a microtask whose attempt did not count. */
export type Requeued = "pending" | "still-leased" | "quarantined" | "gone";

class Stage implements StageView {
  readonly definition: StageDefinition;
  readonly allowedCountries: ReadonlySet<string> | null;
  readonly preferredCountries: ReadonlySet<string>;
  readonly queue = new PendingQueue();
  readonly attempts = new Set<Attempt>();
  leasedCount = 0;
  leasedUnits = 0;
  acceptedUnits = 0;
  leasedMs = 0;
  reissuedMs = 0;
  /** Position in the board's list of open stages; −1 when it has nothing to do. */
  openIndex = -1;

  constructor(definition: StageDefinition) {
    this.definition = definition;
    const regions = compileRegions(definition.regions);
    this.allowedCountries = regions.allowed;
    this.preferredCountries = regions.preferred;
  }

  get pendingCount(): number {
    return this.queue.count;
  }

  get pendingUnits(): number {
    return this.queue.units;
  }

  pendingAt(i: number): Microtask | undefined {
    return this.queue.at(i);
  }
}

export interface BoardOptions {
  /** Names the remainders of carved microtasks. */
  readonly newMicrotaskId: () => MicrotaskId;
}

export class Board implements BoardView {
  readonly donors = new Map<DonorId, DonorView>();
  readonly donorList: DonorView[] = [];
  readonly openStages: Stage[] = [];
  readonly #donorIndex = new Map<DonorId, number>();
  readonly #stages = new Map<StageId, Stage>();
  readonly datedStages = new Set<Stage>();
  readonly #fairShare = new FairShare();
  readonly #byArtefact = new Map<string, Set<Stage>>();
  readonly #attemptsOf = new Map<DonorId, Set<Attempt>>();
  readonly #deadlines = new DeadlineHeap();
  readonly #newMicrotaskId: () => MicrotaskId;

  constructor(options: BoardOptions) {
    this.#newMicrotaskId = options.newMicrotaskId;
  }

  // Donors

  join(donor: DonorView): void {
    const index = this.#donorIndex.get(donor.id) ?? this.donorList.length;
    this.donorList[index] = donor;
    this.#donorIndex.set(donor.id, index);
    this.donors.set(donor.id, donor);
    // Back after a broken connection, it has its leases still.
    donor.heldBytes = this.attemptsOf(donor.id).reduce((sum, attempt) => sum + bytesOf(attempt), 0);
  }

  /** The donor is gone: its attempts are given back at once, but for results that are here already. Returns them. */
  leave(donorId: DonorId): Attempt[] {
    const attempts = this.attemptsOf(donorId).filter((attempt) => !attempt.arrived);
    for (const attempt of attempts) this.giveBack(attempt);
    this.#attemptsOf.delete(donorId);
    this.donors.delete(donorId);
    const index = this.#donorIndex.get(donorId);
    const last = this.donorList.at(-1);
    if (index !== undefined && last !== undefined) {
      this.donorList[index] = last;
      this.#donorIndex.set(last.id, index);
      this.donorList.pop();
      this.#donorIndex.delete(donorId);
    }
    return attempts;
  }

  attemptsOf(donorId: DonorId): Attempt[] {
    return [...(this.#attemptsOf.get(donorId) ?? [])];
  }

  // Stages and microtasks

  /** @throws FluxError invalid_request for a region code that does not exist */
  addStage(definition: StageDefinition): StageView {
    const stage = new Stage(definition);
    this.#stages.set(definition.id, stage);
    this.#fairShare.setWeight(definition.submitterId, definition.weight);
    return stage;
  }

  stage(id: StageId): StageView | undefined {
    return this.#stages.get(id);
  }

  addMicrotask(stageId: StageId, microtask: NewMicrotask): Microtask {
    const stage = this.#stages.get(stageId);
    if (!stage) throw new Error(`stage ${stageId} is not on the board`);
    const added: Microtask = {
      id: microtask.id,
      stageId,
      unitStart: microtask.unitStart,
      unitCount: microtask.unitCount,
      batch: microtask.batch ?? 0,
      prime: microtask.prime ?? 0,
      fence: microtask.fence ?? 0,
      failures: microtask.failures ?? 0,
      refusedTo: [...(microtask.refusedTo ?? [])],
      attempts: [],
    };
    const wasEmpty = stage.queue.count === 0;
    stage.queue.push(added);
    if (wasEmpty) this.#backlog(stage);
    return added;
  }

  /** Cancelled or complete: pending microtasks vanish. Returns the attempts in flight, to be revoked. */
  closeStage(id: StageId): Attempt[] {
    const stage = this.#stages.get(id);
    if (!stage) return [];
    const running = [...stage.attempts];
    for (const attempt of running) {
      this.#detach(attempt);
      this.#settle(attempt, 0);
    }
    if (stage.queue.count > 0) this.#fairShare.waitsNoMore(stage);
    stage.queue.clear();
    this.#shut(stage);
    this.#stages.delete(id);
    return running;
  }

  // The life of an attempt

  /** Leases the bundle that a policy planned; call it before any other change of the board. */
  lease(bundle: readonly PlannedLease[], donor: DonorView, newLeaseId: () => LeaseId, nowMs: number): LeaseOutcome[] {
    const outcomes: LeaseOutcome[] = [];
    let carved: { from: Microtask; rest: Microtask } | null = null;
    for (const planned of bundle) {
      const stage = this.#stages.get(planned.stage.definition.id);
      if (!stage) throw new Error(`stage ${planned.stage.definition.id} is not on the board`);
      const microtask: Microtask = carved?.from === planned.microtask ? carved.rest : planned.microtask;
      const remainder = planned.reissueOf ? null : this.#take(stage, microtask, planned.units);
      if (remainder) carved = { from: planned.microtask, rest: remainder };
      outcomes.push({ attempt: this.#attempt(stage, microtask, planned, donor, newLeaseId(), nowMs), remainder });
    }
    return outcomes;
  }

  isLive(attempt: Attempt): boolean {
    return attempt.stage.attempts.has(attempt);
  }

  /** Its result is here: it will be accepted or failed soon, and its donor is on to the next. */
  arrived(attempt: Attempt, nowMs: number): void {
    if (!this.isLive(attempt)) return;
    attempt.arrived = true;
    const donor = this.donors.get(attempt.donorId);
    if (!donor) return;
    donor.busyUntilMs = nowMs;
    for (const other of this.#attemptsOf.get(attempt.donorId) ?? [])
      if (!other.arrived) donor.busyUntilMs += other.stepMs;
  }

  /** The result counts. Returns the attempts at the same microtask that lost; they may be revoked or left to finish unpaid-for. */
  accept(attempt: Attempt, tookMs: number): Attempt[] {
    if (!this.isLive(attempt)) return [];
    const stage = this.#stages.get(attempt.stage.definition.id);
    const losers = attempt.microtask.attempts.filter((other) => other !== attempt);
    this.#detach(attempt);
    this.#settle(attempt, tookMs);
    for (const loser of losers) {
      this.#detach(loser);
      this.#settle(loser, 0);
    }
    if (stage) {
      stage.acceptedUnits += attempt.microtask.unitCount;
      this.#shutIfDone(stage);
    }
    return losers;
  }

  /** The result was refused or the kernel failed: counts against the microtask, and this donor never gets it again. */
  fail(attempt: Attempt): Requeued {
    if (!this.isLive(attempt)) return "gone";
    attempt.microtask.failures++;
    if (!attempt.microtask.refusedTo.includes(attempt.donorId)) attempt.microtask.refusedTo.push(attempt.donorId);
    return this.giveBack(attempt);
  }

  /** Returned, expired or departed: pending again, at the front, unless another attempt is still running. */
  giveBack(attempt: Attempt): Requeued {
    if (!this.isLive(attempt)) return "gone";
    this.#detach(attempt);
    this.#settle(attempt, 0);
    const stage = this.#stages.get(attempt.stage.definition.id);
    if (!stage) return "gone";
    const { microtask } = attempt;
    if (microtask.attempts.length > 0) return "still-leased";
    if (microtask.failures >= LEASE_LIMITS.attemptsBeforeQuarantine) {
      this.#shutIfDone(stage);
      return "quarantined";
    }
    const wasEmpty = stage.queue.count === 0;
    stage.queue.pushReturned(microtask);
    if (wasEmpty) this.#backlog(stage);
    return "pending";
  }

  /** Gives a lease more time; a result that had arrived could not be judged, and is waited for again. */
  extend(attempt: Attempt, expiresAtMs: number): void {
    attempt.arrived = false;
    attempt.expiresAtMs = expiresAtMs;
    this.#deadlines.push(attempt);
  }

  /** New expectations of an attempt whose donor changed its pace. */
  reschedule(attempt: Attempt, to: Pick<Attempt, "stepMs" | "expectedAtMs" | "lateAtMs" | "expiresAtMs">): void {
    Object.assign(attempt, to);
    this.#deadlines.push(attempt);
  }

  /** Attempts whose leases ran out. They stay leased until `giveBack` or `fail` is called for each. */
  expired(nowMs: number): Attempt[] {
    const due: Attempt[] = [];
    for (let top = this.#deadlines.peek(); top !== undefined && top.atMs <= nowMs; top = this.#deadlines.peek()) {
      this.#deadlines.pop();
      if (this.isLive(top.attempt) && !top.attempt.arrived && top.attempt.expiresAtMs <= nowMs) due.push(top.attempt);
    }
    return due;
  }

  /** When the next lease runs out; a bound from below (ended attempts are dropped lazily). */
  nextExpiryMs(): number | null {
    return this.#deadlines.peek()?.atMs ?? null;
  }

  // Fairness

  submitter(id: TenantId): SubmitterView {
    return this.#fairShare.account(id);
  }

  waitingByUsage(): readonly SubmitterView[] {
    return this.#fairShare.waitingByUsage();
  }

  usageMs(id: TenantId, nowMs: number): number {
    return this.#fairShare.usageMs(id, nowMs);
  }

  stagesUsing(digest: string): ReadonlySet<StageView> | undefined {
    return this.#byArtefact.get(digest);
  }

  // Parts

  /** The stage has pending work again. */
  #backlog(stage: Stage): void {
    this.#fairShare.waits(stage);
    if (stage.openIndex >= 0) return;
    stage.openIndex = this.openStages.length;
    this.openStages.push(stage);
    if (stage.definition.deadlineAtMs !== null) this.datedStages.add(stage);
    for (const { digest } of stage.definition.artefacts) {
      const stages = this.#byArtefact.get(digest);
      if (stages) stages.add(stage);
      else this.#byArtefact.set(digest, new Set([stage]));
    }
  }

  #attempt(
    stage: Stage,
    microtask: Microtask,
    planned: PlannedLease,
    donor: DonorView,
    leaseId: LeaseId,
    nowMs: number,
  ): Attempt {
    const attempt: Attempt = {
      leaseId,
      microtask,
      stage,
      donorId: donor.id,
      fence: ++microtask.fence,
      leasedAtMs: nowMs,
      expiresAtMs: nowMs + planned.leaseMs,
      expectedAtMs: nowMs + planned.expectedInMs,
      lateAtMs: nowMs + planned.lateInMs,
      predictedMs: planned.predicted.p50,
      promised: planned.predicted.warm,
      stepMs: planned.stepMs,
      arrived: false,
      reissue: planned.reissueOf !== null,
    };
    microtask.attempts.push(attempt);
    stage.attempts.add(attempt);
    stage.leasedCount++;
    stage.leasedUnits += microtask.unitCount;
    stage.leasedMs += attempt.predictedMs;
    if (attempt.reissue) stage.reissuedMs += attempt.predictedMs;
    let own = this.#attemptsOf.get(donor.id);
    if (!own) {
      own = new Set();
      this.#attemptsOf.set(donor.id, own);
    }
    own.add(attempt);
    this.#deadlines.push(attempt);
    donor.busyUntilMs = Math.max(donor.busyUntilMs, attempt.expectedAtMs);
    donor.heldBytes += bytesOf(attempt);
    this.#fairShare.charge(stage.definition.submitterId, attempt.predictedMs, nowMs);
    return attempt;
  }

  /** Removes a microtask from the queue; splits off what is not leased. */
  #take(stage: Stage, microtask: Microtask, units: number): Microtask | null {
    if (!stage.queue.remove(microtask)) throw new Error(`microtask ${microtask.id} is not pending`);
    if (units < 1 || units > microtask.unitCount)
      throw new Error(`cannot lease ${units} of ${microtask.unitCount} units`);
    let remainder: Microtask | null = null;
    if (units < microtask.unitCount) {
      remainder = {
        ...microtask,
        id: this.#newMicrotaskId(),
        unitStart: microtask.unitStart + units,
        unitCount: microtask.unitCount - units,
        fence: 0,
        refusedTo: [...microtask.refusedTo],
        attempts: [],
      };
      microtask.unitCount = units;
      stage.queue.replaceHeadWith(remainder);
    }
    if (stage.queue.count === 0) this.#fairShare.waitsNoMore(stage);
    return remainder;
  }

  #detach(attempt: Attempt): void {
    const stage = this.#stages.get(attempt.stage.definition.id);
    const { microtask } = attempt;
    const index = microtask.attempts.indexOf(attempt);
    if (index >= 0) microtask.attempts.splice(index, 1);
    const donor = this.donors.get(attempt.donorId);
    if (this.#attemptsOf.get(attempt.donorId)?.delete(attempt) && donor) donor.heldBytes -= bytesOf(attempt);
    if (stage?.attempts.delete(attempt)) {
      stage.leasedCount--;
      stage.leasedUnits -= microtask.unitCount;
    }
  }

  /** Replaces the predicted charge by what was really served. */
  #settle(attempt: Attempt, tookMs: number): void {
    const { submitterId } = attempt.stage.definition;
    this.#fairShare.charge(submitterId, tookMs - attempt.predictedMs, attempt.leasedAtMs);
    this.#fairShare.served(submitterId, tookMs);
  }

  #shutIfDone(stage: Stage): void {
    if (stage.queue.count === 0 && stage.attempts.size === 0) this.#shut(stage);
  }

  #shut(stage: Stage): void {
    if (stage.openIndex < 0) return;
    const last = this.openStages.pop();
    if (last && last !== stage) {
      this.openStages[stage.openIndex] = last;
      last.openIndex = stage.openIndex;
    }
    stage.openIndex = -1;
    this.datedStages.delete(stage);
    for (const { digest } of stage.definition.artefacts) {
      const stages = this.#byArtefact.get(digest);
      stages?.delete(stage);
      if (stages?.size === 0) this.#byArtefact.delete(digest);
    }
  }
}

/** A leased microtask keeps its size: the same when it is taken off as when it was put on. */
function bytesOf({ stage, microtask }: Attempt): number {
  return leaseBytes(stage.definition, microtask.unitCount);
}
