/** The way of a result: its form, the check, the commit, and what is learnt from it. */
import type { ResultSubmission } from "#lib/protocol/donor.ts";
import { FluxError } from "#lib/protocol/errors.ts";
import type { KernelKind } from "#lib/protocol/stage.ts";
import type { Attempt, CostModel } from "#lib/scheduling/types.ts";
import { resultObject } from "#lib/storage/names.ts";
import type { ObjectStore } from "#lib/storage/objects.ts";
import type { ResultBody, StageRecord } from "#lib/storage/records.ts";
import type { Store } from "#lib/storage/store.ts";
import type { Clock } from "../clock.ts";
import type { DonorSession } from "./donor-session.ts";
import type { DispatchEvents, Emitter } from "./events.ts";
import type { KernelServices } from "./kernel-services.ts";
import { type HeldLease, type LeaseTable, namesOf, rowOf } from "./lease-table.ts";
import type { StageWork } from "./stage-work.ts";

export interface SettlementOptions {
  readonly leases: LeaseTable;
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly costModel: CostModel;
  readonly clock: Clock;
  readonly events: Emitter<DispatchEvents>;
  readonly servicesOf: (stage: StageRecord) => KernelServices;
  /** A result of this donor was refused for what was in it. */
  readonly onWrong: (session: DonorSession) => void;
  /** A result was accepted; resolves when what it completed is stored. */
  readonly onAccepted: (work: StageWork) => Promise<void>;
}

/** Larger results are objects beside the database. */
const SMALL_RESULT_BYTES = 64 * 1024;
/** Results in memory that wait for their check or commit, of all donors together; more are told to come again. */
const WAITING_BYTES = 256 * 1024 * 1024;
/** One stored observation per donor in this time: enough to learn from, whatever the rate of results. */
const OBSERVE_EVERY_MS = 2_000;

interface Settled {
  readonly receivedAtMs: number;
  readonly uploadMs: number;
  readonly checkedAtMs: number;
  readonly checkedUnits: number;
  readonly checkCpuMs: number;
  readonly drift: number;
  readonly bytes: number;
}

export class Settlement {
  readonly #options: SettlementOptions;
  #waitingBytes = 0;

  constructor(options: SettlementOptions) {
    this.#options = options;
  }

  /** See Dispatcher.submit. */
  async submit(
    session: DonorSession,
    submission: ResultSubmission,
    result: Uint8Array,
    uploadMs: number,
  ): Promise<number> {
    const { leases, events } = this.#options;
    let kernel: KernelKind | null = null;
    try {
      const held = leases.own(session.id, submission.leaseId, submission.fence);
      kernel = held.work.record.kernel;
      held.outcome ??= this.#settle(held, session, submission, result, uploadMs).finally(() => {
        held.outcome = undefined;
      });
      return await held.outcome;
    } catch (error) {
      if (error instanceof FluxError) {
        const { code, detail } = error;
        const counted = code === "audit_failed" || code === "result_malformed";
        events.emit("result:refused", {
          donorId: session.id,
          leaseId: submission.leaseId,
          code,
          detail,
          counted,
          kernel,
        });
      }
      throw error;
    }
  }

  async #settle(
    held: HeldLease,
    session: DonorSession,
    submission: ResultSubmission,
    result: Uint8Array,
    uploadMs: number,
  ): Promise<number> {
    const { attempt, work } = held;
    const wantedBytes = this.#options.servicesOf(work.record).payloads.resultBytes(work.record, attempt.microtask);
    if (result.byteLength !== wantedBytes) {
      throw this.#wrong(held, session, "result_malformed", `${result.byteLength} bytes came, ${wantedBytes} are due.`);
    }
    if (this.#waitingBytes + wantedBytes > WAITING_BYTES) {
      throw new FluxError("rate_limited", "Many results wait for their check: send this one again in a second.");
    }
    this.#waitingBytes += wantedBytes;
    try {
      const settled = { ...(await this.#check(held, session, submission, result)), uploadMs };
      await this.#commit(held, session, submission, result, settled);
      this.#learn(held, session, submission, settled);
      await this.#options.onAccepted(work);
      return attempt.microtask.unitCount;
    } finally {
      this.#waitingBytes -= wantedBytes;
    }
  }

  async #check(
    held: HeldLease,
    session: DonorSession,
    { runtime }: ResultSubmission,
    result: Uint8Array,
  ): Promise<Omit<Settled, "uploadMs">> {
    const { leases, clock, servicesOf } = this.#options;
    const { attempt, work } = held;
    const receivedAtMs = clock.nowMs();
    const batch = work.batches.get(attempt.microtask.batch)?.record;
    if (!batch) throw new Error(`batch ${attempt.microtask.batch} of ${work.record.id} is not known`);
    leases.checking(held);
    const verdict = await this.#orLeasedAgain(held, () =>
      servicesOf(work.record).checker.check({
        stage: work.record,
        batch,
        range: { ...attempt.microtask },
        runtime,
        donor: { accepted: session.accepted, refused: session.refused },
        result,
      }),
    );
    leases.mustBeHeld(held);
    if (!verdict.right) throw this.#wrong(held, session, verdict.code, verdict.detail);
    const { checkedUnits, checkCpuMs = 0, drift = 0 } = verdict;
    return { receivedAtMs, checkedAtMs: clock.nowMs(), checkedUnits, checkCpuMs, drift, bytes: result.byteLength };
  }

  async #commit(
    held: HeldLease,
    session: DonorSession,
    { runtime, timings }: ResultSubmission,
    result: Uint8Array,
    { receivedAtMs, checkedUnits, checkCpuMs, drift, checkedAtMs }: Settled,
  ): Promise<void> {
    const { leases, store } = this.#options;
    held.state = "committing";
    const answer = await this.#orLeasedAgain(held, async () =>
      store.work.accept({
        leaseId: held.attempt.leaseId,
        microtask: rowOf(held.attempt),
        donorId: session.id,
        runtime,
        computeMs: timings.computeMs,
        checkedUnits,
        checkCpuMs,
        drift,
        acceptedAtMs: checkedAtMs,
        creditedMs: this.#creditedMs(held, receivedAtMs, timings.computeMs),
        volunteerId: session.volunteerId,
        body: await this.#bodyOf(held.attempt, result),
      }),
    );
    if (answer === "duplicate") leases.lose(held);
    leases.mustBeHeld(held);
  }

  /** No donor is credited with more than the time that passed. */
  #creditedMs({ attempt }: HeldLease, receivedAtMs: number, computeMs: number): number {
    return Math.min(receivedAtMs - attempt.leasedAtMs, computeMs);
  }

  /** Notes what the donor did and teaches the cost model; its credit was written with the result. */
  #learn(held: HeldLease, session: DonorSession, { runtime, timings }: ResultSubmission, settled: Settled): void {
    const { leases, costModel, store, clock, events, servicesOf } = this.#options;
    const { attempt, work } = held;
    const { microtask } = attempt;
    const nowMs = clock.nowMs();
    const units = microtask.unitCount;
    const { receivedAtMs, uploadMs } = settled;
    const elapsedMs = receivedAtMs - attempt.leasedAtMs;
    const { queueMs, downloadMs, restMs = 0, overheadMs = 0 } = timings;
    const tookMs = downloadMs + timings.computeMs + restMs + overheadMs + uploadMs;
    leases.accept(held, Math.min(elapsedMs, tookMs));
    work.accepted(microtask.batch, units, settled.checkedUnits, nowMs);
    session.judged(true);
    costModel.observe({
      donor: session.view,
      stage: attempt.stage.definition,
      runtime,
      units,
      downloadMs,
      computeMs: timings.computeMs + restMs,
      uploadMs,
      overheadMs,
      promised: attempt.promised,
    });
    if (nowMs - session.lastObservedMs >= OBSERVE_EVERY_MS) {
      session.lastObservedMs = nowMs;
      store.observations.add({
        donorId: session.id,
        deviceClass: session.view.deviceClass,
        stageId: work.record.id,
        kernel: work.record.kernel,
        runtime,
        units,
        bytesIn: servicesOf(work.record).payloads.payloadBytes(work.record, microtask),
        bytesOut: settled.bytes,
        queueMs,
        downloadMs,
        computeMs: timings.computeMs,
        restMs,
        overheadMs,
        uploadMs,
        predictedMs: attempt.predictedMs,
        lowMs: attempt.promised.p10,
        highMs: attempt.promised.p90,
        createdAtMs: nowMs,
      });
    }
    events.emit("result:accepted", {
      ...namesOf(attempt),
      kernel: work.record.kernel,
      runtime,
      computeMs: timings.computeMs,
      tookMs,
      promised: attempt.promised,
      checkedUnits: settled.checkedUnits,
      checkMs: settled.checkedAtMs - receivedAtMs,
      checkCpuMs: settled.checkCpuMs,
      commitMs: nowMs - settled.checkedAtMs,
      bytes: settled.bytes,
    });
  }

  /** Counts a result against the microtask and the donor. Returns the error that the donor gets. */
  #wrong(held: HeldLease, session: DonorSession, code: "audit_failed" | "result_malformed", detail: string): FluxError {
    held.work.refused();
    session.judged(false);
    this.#options.leases.fail(held, code, detail, "refused");
    this.#options.onWrong(session);
    return new FluxError(code, detail);
  }

  /** Runs a step of ours; when it breaks, the donor keeps the lease and may send the result again. */
  async #orLeasedAgain<T>(held: HeldLease, step: () => Promise<T>): Promise<T> {
    const { leases, events } = this.#options;
    try {
      return await step();
    } catch (error) {
      events.emit("dispatch:failed", { what: `${held.state} the result of ${held.attempt.microtask.id}`, error });
      leases.mustBeHeld(held);
      leases.leasedAgain(held);
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
}
