/**
 * Every live lease, and every way in which one ends. Keeps the scheduler's board, the store and this table in step; only
 * this file moves leases (their life is told in dispatcher.ts).
 */
import { type ErrorCode, FluxError } from "#lib/protocol/errors.ts";
import type { DonorId, LeaseId } from "#lib/protocol/ids.ts";
import { LEASE_LIMITS } from "#lib/protocol/limits.ts";
import type { Board } from "#lib/scheduling/board.ts";
import type { Attempt } from "#lib/scheduling/types.ts";
import type { MicrotaskRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import { EndedLeases, type Ending, foreignLease } from "./ended-leases.ts";
import type { DispatchEvents, Emitter, LeaseEnd } from "./events.ts";
import type { StageWork } from "./stage-work.ts";

export interface HeldLease {
  readonly attempt: Attempt;
  readonly work: StageWork;
  state: "leased" | "checking" | "committing";
  /** The outcome that a second submission of the same result waits for as well. */
  outcome: Promise<number> | undefined;
}

export interface LeaseTableOptions {
  readonly board: Board;
  readonly work: Store["work"];
  readonly clock: Clock;
  readonly events: Emitter<DispatchEvents>;
  readonly isOnline: (donorId: DonorId) => boolean;
  readonly tellRevoked: (donorId: DonorId, leaseIds: LeaseId[]) => void;
  /** Units became leasable. */
  readonly onFreed: () => void;
  /** A microtask was given up. */
  readonly onQuarantined: (work: StageWork) => void;
}

export class LeaseTable {
  readonly #options: LeaseTableOptions;
  readonly #held = new Map<LeaseId, HeldLease>();
  readonly #ended = new EndedLeases();
  #cancelExpiry: (() => void) | undefined;
  #expiryAtMs = Number.POSITIVE_INFINITY;

  constructor(options: LeaseTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  get(leaseId: LeaseId): HeldLease | undefined {
    return this.#held.get(leaseId);
  }

  /** Results that are being checked or written. */
  outcomes(): Promise<number>[] {
    return [...this.#held.values()].flatMap(({ outcome }) => outcome ?? []);
  }

  /** @throws FluxError lease_unknown, lease_foreign, lease_expired, already_accepted */
  own(donorId: DonorId, leaseId: LeaseId, fence: number): HeldLease {
    const held = this.#held.get(leaseId);
    if (!held) throw this.#ended.errorFor(leaseId, donorId);
    if (held.attempt.donorId !== donorId) throw foreignLease();
    if (held.attempt.fence !== fence) {
      throw new FluxError("lease_unknown", "The fence is not this lease's: send the one that came with it.");
    }
    return held;
  }

  /** @throws FluxError that says how it ended meanwhile */
  mustBeHeld({ attempt }: HeldLease): void {
    if (!this.#held.has(attempt.leaseId)) throw this.#ended.errorFor(attempt.leaseId, attempt.donorId);
  }

  // ---------------------------------------------------------------- beginnings

  /** An attempt that the board has just begun. Call `scheduleExpiry` after the last of a bundle. */
  grant(attempt: Attempt, work: StageWork): void {
    this.adopt(attempt, work);
    this.#options.work.grant({
      microtask: rowOf(attempt),
      lease: {
        id: attempt.leaseId,
        microtaskId: attempt.microtask.id,
        donorId: attempt.donorId,
        fence: attempt.fence,
        grantedAtMs: attempt.leasedAtMs,
        expiresAtMs: attempt.expiresAtMs,
        predictedMs: attempt.predictedMs,
      },
    });
  }

  /** An attempt that the store has already. */
  adopt(attempt: Attempt, work: StageWork): void {
    this.#held.set(attempt.leaseId, { attempt, work, state: "leased", outcome: undefined });
  }

  // ---------------------------------------------------------------- while a result is here

  checking(held: HeldLease): void {
    held.state = "checking";
    this.#options.board.arrived(held.attempt, this.#options.clock.nowMs());
  }

  /** Checking or writing broke: the donor may send the result again, if it is still there. */
  leasedAgain(held: HeldLease): void {
    held.state = "leased";
    if (!this.#options.isOnline(held.attempt.donorId)) {
      this.giveBack(held, "departed");
      return;
    }
    this.#options.board.extend(held.attempt, this.#options.clock.nowMs() + LEASE_LIMITS.leaseMsMin);
    this.scheduleExpiry();
  }

  // ---------------------------------------------------------------- ends

  /** Its result is in the store; other attempts at the microtask have lost. */
  accept(held: HeldLease, servedMs: number): void {
    const losers = this.#options.board.accept(held.attempt, servedMs);
    this.#drop(held, "accepted");
    this.revoke(losers, "lost");
  }

  /** Another attempt's result was in the store first. */
  lose(held: HeldLease): void {
    if (!this.#held.has(held.attempt.leaseId)) return;
    this.#options.board.giveBack(held.attempt);
    this.#drop(held, "lost");
  }

  /** The attempt does not count: the microtask is pending again, unless another attempt runs. */
  giveBack(held: HeldLease, how: "returned" | "expired" | "departed"): void {
    this.#options.board.giveBack(held.attempt);
    this.#ends(held, how, "pending");
    this.#options.onFreed();
  }

  /** The scheduler took back what a donor has only fetched. */
  recall(donorId: DonorId, attempts: readonly Attempt[]): void {
    this.scheduleExpiry();
    if (attempts.length === 0) return;
    for (const { leaseId } of attempts) {
      const held = this.#held.get(leaseId);
      if (held) this.#ends(held, "returned", "pending");
    }
    this.#options.tellRevoked(
      donorId,
      attempts.map(({ leaseId }) => leaseId),
    );
    this.#options.onFreed();
  }

  /** The attempt counts against the microtask. */
  fail(held: HeldLease, code: ErrorCode, detail: string, how: "refused" | "returned"): void {
    const { events, board, onFreed, onQuarantined } = this.#options;
    const { attempt, work } = held;
    const { microtask } = attempt;
    const quarantined = board.fail(attempt) === "quarantined";
    const refusal = { donorId: attempt.donorId, code, detail: detail.slice(0, 500) };
    this.#ends(held, how, quarantined ? "quarantined" : "pending", refusal);
    const { stageId, id: microtaskId, failures, unitCount: units } = microtask;
    const names = { jobId: work.record.jobId, stageId, microtaskId, units, failures };
    if (quarantined) {
      work.quarantined(microtask.batch, units);
      events.emit("microtask:quarantined", names);
      onQuarantined(work);
    } else {
      events.emit("microtask:requeued", names);
      onFreed();
    }
  }

  /** They lost a race, or their job ended: off the board already, their donors are told to stop. */
  revoke(attempts: readonly Attempt[], ending: "lost" | "closed"): void {
    for (const [donorId, revoked] of Map.groupBy(attempts, (attempt) => attempt.donorId)) {
      for (const attempt of revoked) {
        const held = this.#held.get(attempt.leaseId);
        if (held) this.#drop(held, ending);
        this.#options.events.emit("lease:ended", { ...namesOf(attempt), how: "revoked" });
      }
      this.#options.tellRevoked(
        donorId,
        revoked.map(({ leaseId }) => leaseId),
      );
    }
  }

  #ends(
    held: HeldLease,
    how: LeaseEnd & Ending,
    state: "pending" | "quarantined",
    refusal?: { donorId: DonorId; code: ErrorCode; detail: string },
  ): void {
    const { attempt } = held;
    const { id: microtaskId, failures } = attempt.microtask;
    const ended = { leaseId: attempt.leaseId, microtaskId, failures, state, atMs: this.#options.clock.nowMs() };
    this.#options.work.end(refusal ? { ...ended, refusal } : ended);
    this.#drop(held, how);
    this.#options.events.emit("lease:ended", { ...namesOf(attempt), how });
  }

  #drop({ attempt }: HeldLease, ending: Ending): void {
    const { board, isOnline } = this.#options;
    this.#held.delete(attempt.leaseId);
    this.#ended.remember(attempt.leaseId, attempt.donorId, ending);
    // It left while this result was being checked: now nothing keeps it on the board.
    if (!isOnline(attempt.donorId) && board.attemptsOf(attempt.donorId).length === 0) board.leave(attempt.donorId);
  }

  // ---------------------------------------------------------------- time

  /** One timer, at the first deadline of all leases. */
  scheduleExpiry(): void {
    const { board, clock } = this.#options;
    const nextMs = board.nextExpiryMs();
    if (nextMs === null || nextMs >= this.#expiryAtMs) return;
    this.#cancelExpiry?.();
    this.#expiryAtMs = nextMs;
    this.#cancelExpiry = clock.after(Math.max(0, nextMs - clock.nowMs()), () => this.#expire());
  }

  close(): void {
    this.#cancelExpiry?.();
  }

  #expire(): void {
    const { board, clock } = this.#options;
    this.#cancelExpiry = undefined;
    this.#expiryAtMs = Number.POSITIVE_INFINITY;
    const nowMs = clock.nowMs();
    for (const attempt of board.expired(nowMs)) {
      const held = this.#held.get(attempt.leaseId);
      if (held?.state !== "leased") continue;
      this.giveBack(held, "expired");
      // Its result would be refused: the donor had better do something else.
      this.#options.tellRevoked(attempt.donorId, [attempt.leaseId]);
    }
    this.scheduleExpiry();
  }
}

export function namesOf({ leaseId, donorId, microtask, stage }: Attempt) {
  const { id: microtaskId, stageId, unitCount: units } = microtask;
  return { leaseId, donorId, microtaskId, stageId, jobId: stage.definition.jobId, units };
}

export function rowOf({ microtask, fence }: Attempt): MicrotaskRecord {
  const { id, stageId, batch, prime, unitStart, unitCount, failures } = microtask;
  return { id, stageId, batch, prime, unitStart, unitCount, state: "pending", fence, failures };
}
