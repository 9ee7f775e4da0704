/**
 * The loop of one donor: asks for leases, fetches ahead, has them computed, sends results. Runs in the loop worker, so
 * that the page stays quick and the network never waits for a kernel. States: phase.ts.
 *
 * Three strands run side by side from start to stop, each waiting on the same bell: `ask` keeps one bundle ahead,
 * `compute` takes the next ready lease, `outbox` sends until answered.
 */
import type { Capability, Lease, LeaseReturn, Signals } from "#lib/protocol/donor.ts";
import { PROTOCOL_VERSION } from "#lib/protocol/donor.ts";
import { FluxError, isFluxError } from "#lib/protocol/errors.ts";
import { LEASE_LIMITS, SOCKET_LIMITS } from "#lib/protocol/limits.ts";
import { type Clock, pause } from "../clock.ts";
import type { DonorSettings, LoopToPage, PageSignals, PageToLoop, PauseReason, StartOptions } from "../messages.ts";
import { CallFailure } from "../peer.ts";
import type { ArtefactSource } from "./artefacts.ts";
import { Changed } from "./changed.ts";
import type { ComputeHost, ComputeHostOptions } from "./compute-host.ts";
import { allowance } from "./governor.ts";
import { createIntake, type Packed } from "./intake.ts";
import { createLeaseTable, type HeldLease } from "./leases.ts";
import type { Link, LinkOptions } from "./link.ts";
import { createOutbox } from "./outbox.ts";
import { IDLE, isLive, mayCompute, nextPhase, type PhaseEvent, wantsWork } from "./phase.ts";
import { createStages } from "./stages.ts";
import { createTally } from "./tally.ts";
import { createViewSender } from "./view.ts";

/** Everything outside that the loop touches. */
export interface LoopPorts {
  clock: Clock;
  openLink(options: LinkOptions): Link;
  openArtefacts(origin: string, onDownload: (bytes: number) => void): Promise<ArtefactSource>;
  createComputeHost(options: Omit<ComputeHostOptions, "spawn">): ComputeHost;
  /** Bytes a second of a small download from the coordinator. */
  measureDownload(origin: string): Promise<number>;
  send(message: LoopToPage): void;
}

/** Measuring takes two seconds; fetching the runtimes for the first time over a slow line takes minutes. */
const BENCHMARK_LIMIT_MS = 240_000;
/** The coordinator may hold a lease request open for `longPollMs`; this much later its answer is given up. */
const LONG_POLL_GRACE_MS = 10_000;
/** Stop is promised within a second; an answer to the last return may take this part of it. */
const RETURN_MS = 300;
const IDLE_AFTER_MS = 1_000;
/** Work that should wait here while one microtask computes: it covers a slow answer and a slow payload. */
const AHEAD_MS = 1_500;
/** Of work asked for until something was accepted: whoever has just started wants to see that it works. */
const FIRST_MS = 400;
/** Of the old estimate, per microtask. */
const PACE_MEMORY = 0.7;
const ASK_BACKOFF_MS = 2_000;
/** A dragged slider changes many times a second; the coordinator need not hear each. */
const SIGNALS_EVERY_MS = 500;
/** A device on which this many workers in a row die is not asked to go on. */
const CRASHES_IN_A_ROW = 3;
/** Of the memory that computing may take, payloads and results in flight may have this part. */
const PAYLOAD_PART = 1 / 8;

export function createDonorLoop(ports: LoopPorts): { handle(message: PageToLoop): void } {
  let session: Session | null = null;
  return {
    handle(message) {
      if (message.kind === "start") {
        if (session) return;
        session = startSession(ports, message.options, () => {
          session = null;
          ports.send({ kind: "stopped" });
        });
      } else session?.handle(message);
    },
  };
}

interface Session {
  handle(message: Exclude<PageToLoop, { kind: "start" }>): void;
}

function startSession(ports: LoopPorts, options: StartOptions, onStopped: () => void): Session {
  const { clock } = ports;
  const { origin } = options;
  const changed = new Changed();
  const ending = new AbortController();
  const table = createLeaseTable();
  const tally = createTally(clock.nowMs());
  const view = createViewSender(clock, ports.send, () => ({
    held: table.view(),
    working: isWorking(),
    finished: [...tally.finished],
    totals: { ...tally.totals },
    unitsPerSecond: tally.unitsPerSecond(clock.nowMs()),
    busyShare: tally.busyShare(clock.nowMs()),
  }));
  const jobs = new Map<string, { jobId: Lease["jobId"]; title: string; privacy: "encrypted" | "public" }>();

  let state = nextPhase(IDLE, { kind: "start" });
  let settings: DonorSettings = options.settings;
  let signals: PageSignals = options.signals;
  let capability: Capability | null = options.capability;
  let leaving: "leaving" | "frozen" | null = null;
  let longPollMs: number = SOCKET_LIMITS.longPollMs;
  let crashes = 0;
  /** What microtasks take here over what was predicted, as a running mean: early predictions may be far off. */
  let pace = 1;
  let link: Link | null = null;
  let lastReturn: Promise<unknown> = Promise.resolve();

  const host = ports.createComputeHost({
    clock,
    onNotice(notice) {
      const held = table.get(notice.taskId);
      if (held) held.unitsDone = notice.unitsDone;
      view.touch();
    },
    onReplaced(detail, because) {
      if (because === "abort") return;
      crashes++;
      view.set({ problem: { code: "internal", detail: `${detail}; a fresh one takes over.` } });
      if (crashes >= CRASHES_IN_A_ROW) stop("Computing keeps failing on this device. Reload the page to try again.");
    },
  });
  const stages = createStages(host);

  function move(event: PhaseEvent): void {
    const before = state;
    state = nextPhase(state, event);
    if (mayCompute(before) && !mayCompute(state)) giveBack(table.all().filter(isUnfinished), reasonToPause());
    else if (wantsWork(before) && !wantsWork(state)) giveBack(table.all().filter(isWaiting), reasonToPause());
    view.set({ phase: state.phase, pausedBecause: pausedBecause() });
    changed.ring();
  }

  let lastHeldMs = Number.NEGATIVE_INFINITY;
  function isWorking(): boolean {
    if (table.all().length > 0) lastHeldMs = clock.nowMs();
    return clock.nowMs() - lastHeldMs < IDLE_AFTER_MS;
  }

  function pausedBecause(): PauseReason | null {
    if (state.phase !== "paused") return null;
    return state.pausedByVisitor ? "visitor" : state.heldBecause;
  }

  function reasonToPause(): LeaseReturn["reason"] {
    return leaving ?? (isLive(state) && state.phase !== "finishing" ? "paused" : "stopped");
  }

  /** Ends leases here and tells the coordinator, which hands them to others at once. */
  function giveBack(leases: HeldLease[], reason: LeaseReturn["reason"], detail?: string): void {
    const ended = leases.filter((held) => table.end(held));
    if (ended.length === 0) return;
    for (const { lease } of ended) tally.givenBack(lease.leaseId);
    view.touch();
    changed.ring();
    const request = {
      leases: ended.map(({ lease }) => ({ leaseId: lease.leaseId, fence: lease.fence })),
      reason,
      ...(detail && { detail: detail.slice(0, 500) }),
    };
    // Without a connection they are free already: the coordinator saw it close.
    lastReturn = link?.request("lease:return", request).catch(() => {}) ?? Promise.resolve();
  }

  // ---- signals and settings ----

  function wireSignals(): Signals {
    const allowed = allowance(settings, signals, ownLoad());
    const { personAway: _stays, minuteOfDay: _here, ...told } = signals;
    return { ...told, cpuShare: allowed.cpuShare, gpuShare: allowed.gpuShare, useRegion: settings.useRegion };
  }

  function ownLoad(): number {
    const cores = capability?.logicalCores ?? 1;
    const threads = Math.max(1, ...(capability?.runtimes.map(({ threads }) => threads) ?? []));
    return (tally.busyShare(clock.nowMs()) * Math.min(threads, cores)) / cores;
  }

  let signalsDue = false;
  let lastShares = { cpuShare: 0, gpuShare: 0 };
  function obeySignals(): void {
    const { cpuShare, gpuShare, holdBecause, loweredBecause } = allowance(settings, signals, ownLoad());
    view.set({ signals, loweredBecause });
    if (cpuShare !== lastShares.cpuShare || gpuShare !== lastShares.gpuShare) {
      lastShares = { cpuShare, gpuShare };
      view.set(lastShares);
      if (host.running) host.call("share", lastShares, { timeoutMs: BENCHMARK_LIMIT_MS }).catch(() => {});
    }
    const because = leaving ? "left" : holdBecause;
    if (because !== state.heldBecause) move(because === null ? { kind: "release" } : { kind: "hold", because });
    if (signalsDue) return;
    signalsDue = true;
    clock.after(SIGNALS_EVERY_MS, () => {
      signalsDue = false;
      if (link?.online) link.request("donor:signals", wireSignals()).catch(() => {});
    });
  }

  // ---- start ----

  async function begin(): Promise<void> {
    view.set({ phase: state.phase, startingWith: "connecting" });
    const artefacts = await ports.openArtefacts(origin, (bytes) => tally.moved({ down: bytes }));
    if (capability === null) await measure();
    if (!isLive(state) || capability === null) return;
    view.set({ startingWith: "connecting", link: "connecting", capability });
    host.warm();
    const measured = capability;
    const opened = ports.openLink({
      origin,
      clock,
      hello: () => ({
        protocol: PROTOCOL_VERSION,
        useRegion: settings.useRegion,
        capability: measured,
        signals: wireSignals(),
        ...(options.siteKey && { siteKey: options.siteKey }),
        ...(options.siteTicket && { siteTicket: options.siteTicket }),
        receipts: true,
        ...(options.identity && { identity: options.identity }),
        ...(options.groupToken && { groupToken: options.groupToken }),
        ...(options.displayName && { displayName: options.displayName }),
      }),
      events: {
        online(welcome) {
          longPollMs = welcome.longPollMs;
          view.set({
            link: "online",
            country: welcome.country,
            donorsOnline: welcome.donorsOnline,
            startingWith: null,
          });
          move({ kind: "ready" });
          outbox.flush();
        },
        offline() {
          view.set({ link: "connecting", waitingBecause: null });
          // The coordinator freed what was not computed; what computes now may still be handed in.
          for (const held of table.all()) if (held.state === "waiting") table.end(held);
          changed.ring();
        },
        refused: (error) => stop(error.detail, error),
        notice: {
          "lease:revoked": ({ leaseIds }) => revoke(leaseIds),
          "lease:waiting": ({ why }) => view.set({ waitingBecause: why }),
          "fleet:stats": ({ donorsOnline, jobsRunning }) => view.set({ donorsOnline, jobsRunning }),
          "coordinator:draining": () =>
            view.set({ waitingBecause: "The coordinator restarts; it will be back shortly." }),
        },
      },
    });
    link = opened;
    const outbox = createOutbox({
      clock,
      link: opened,
      onVerdict({ held, result, submission }, verdict) {
        table.end(held);
        switch (verdict.kind) {
          case "accepted":
            tally.accepted(held.lease.leaseId, verdict.units, clock.nowMs());
            tally.moved({ up: result.length });
            ports.send({
              kind: "logged",
              entry: {
                microtaskId: held.lease.microtaskId,
                job: jobs.get(held.lease.jobId) ?? null,
                kernel: held.lease.kernel,
                units: verdict.units,
                computeMs: submission.timings.computeMs,
                receipt: verdict.receipt,
              },
            });
            break;
          case "refused":
            tally.refused(held.lease.leaseId);
            view.set({ problem: { code: verdict.error.code, detail: verdict.error.detail } });
            break;
          case "superseded":
            break;
        }
        if (verdict.kind === "accepted" && tally.totals.microtasksAccepted === 1) view.now();
        else view.touch();
        changed.ring();
      },
    });
    const intake = createIntake({ link: opened, artefacts });
    void strand(() => ask(opened, artefacts, intake));
    void strand(() => compute(outbox));
  }

  async function measure(): Promise<void> {
    view.set({ startingWith: "measuring" });
    try {
      const downloadBytesPerSecond = await ports.measureDownload(origin);
      capability = await host.call("benchmark", { downloadBytesPerSecond }, { timeoutMs: BENCHMARK_LIMIT_MS });
      ports.send({ kind: "capability", capability });
    } catch (failure) {
      if (isLive(state)) stop(`This browser could not be measured: ${words(failure)}`);
    }
  }

  /** A strand that breaks is a bug; it must not look like an idle donor. */
  async function strand(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      stop(`Something broke in this page: ${words(error)}. Reload it to try again.`);
    }
  }

  // ---- asking ----

  async function ask(opened: Link, artefacts: ArtefactSource, intake: ReturnType<typeof createIntake>): Promise<void> {
    const hasRoom = (): boolean =>
      table.waitingMs() * pace < AHEAD_MS && table.payloadBytes() < payloadMemoryBytes() / 2;
    for (;;) {
      await changed.until(() => !isLive(state) || (wantsWork(state) && opened.online && hasRoom()));
      if (!isLive(state)) return;
      try {
        const { value, ...packed } = await opened.request("lease:request", wish(artefacts), {
          timeoutMs: longPollMs + LONG_POLL_GRACE_MS,
        });
        if (value.kind === "bundle") {
          for (const job of value.jobs) jobs.set(job.jobId, job);
          admit(value.leases, packed, intake);
        } else {
          if (table.all().length === 0) view.set({ waitingBecause: value.why });
          await pause(clock, value.retryAfterMs, ending.signal);
        }
      } catch (error) {
        if (!isFluxError(error)) throw error;
        if (opened.online) {
          view.set({ waitingBecause: error.detail });
          await pause(clock, ASK_BACKOFF_MS, ending.signal);
        }
      }
    }
  }

  function payloadMemoryBytes(): number {
    return PAYLOAD_PART * Math.min(settings.memoryBytes, capability?.memoryBytes ?? settings.memoryBytes);
  }

  function wish(artefacts: ArtefactSource) {
    const runtimes = (capability?.runtimes ?? []).filter((runtime) => runtime.selfTestPassed);
    return {
      wantMs: tally.totals.microtasksAccepted === 0 ? FIRST_MS : LEASE_LIMITS.microtaskMs,
      memoryBytes: payloadMemoryBytes(),
      runtimes: runtimes.map(({ runtime }) => runtime),
      cached: artefacts.cached().slice(0, SOCKET_LIMITS.cachedDigests),
    };
  }

  function admit(leases: readonly Lease[], packed: Packed, intake: ReturnType<typeof createIntake>): void {
    const admitted = table.admit(leases, clock.nowMs());
    tally.moved({ down: packed.buffer.length });
    // The answer may come after a pause or stop: then it goes straight back.
    if (!wantsWork(state)) {
      giveBack(admitted, reasonToPause());
      return;
    }
    view.set({ waitingBecause: null });
    for (const held of admitted) {
      intake.gather(held, packed).then(
        (ingredients) => {
          held.ingredients = ingredients;
          if (held.lease.inlineOffset === null) tally.moved({ down: ingredients.payload.length });
          changed.ring();
        },
        (error) => giveBack([held], isRetryable(error) ? "timeout" : "failed", words(error)),
      );
    }
  }

  function revoke(leaseIds: readonly string[]): void {
    for (const id of leaseIds) {
      const held = table.get(id);
      if (held && isUnfinished(held)) table.end(held);
    }
    view.touch();
    changed.ring();
  }

  // ---- computing ----

  async function compute(outbox: ReturnType<typeof createOutbox>): Promise<void> {
    for (;;) {
      let next: HeldLease | undefined;
      await changed.until(() => {
        next = table.nextReady();
        return !isLive(state) || (wantsWork(state) && next !== undefined && !outbox.full);
      });
      if (!isLive(state) || !next?.ingredients) return;
      if (next.deadlineMs <= clock.nowMs()) table.end(next);
      else await computeOne(next, outbox);
    }
  }

  async function computeOne(held: HeldLease, outbox: ReturnType<typeof createOutbox>): Promise<void> {
    const { lease, ingredients } = held;
    if (!ingredients) return;
    held.state = "computing";
    view.set({ job: jobs.get(lease.jobId) ?? null, kernel: lease.kernel });
    // One less is waiting: time to fetch ahead.
    changed.ring();
    try {
      const allowed = wishRuntimes();
      const prepared = await stages.prepare(ingredients, allowed, lastShares, held.abort.signal);
      if (held.abort.signal.aborted) return;
      view.set({ runtime: prepared.runtime });
      const startMs = clock.nowMs();
      const { result, runtime, computeMs, restMs } = await host.call("run", stages.task(held, ingredients), {
        timeoutMs: Math.max(held.deadlineMs - startMs, 3 * lease.predictedMs, LEASE_LIMITS.leaseMsMin),
        signal: held.abort.signal,
        transfer: [ingredients.payload.buffer],
      });
      crashes = 0;
      const tookMs = clock.nowMs() - startMs;
      const ratio = tookMs / Math.max(1, lease.predictedMs);
      pace = Math.min(1, PACE_MEMORY * pace + (1 - PACE_MEMORY) * ratio);
      tally.computed(computeMs, clock.nowMs());
      if (result.length !== lease.resultBytes) {
        throw new FluxError(
          "result_malformed",
          `${result.length} result bytes where ${lease.resultBytes} are declared`,
        );
      }
      held.state = "sending";
      held.ingredients = null;
      const { downloadMs } = ingredients;
      // A payload inside the answer came before the lease was here; others come while it waits.
      const waitedMs = startMs - held.receivedAtMs - (lease.inlineOffset === null ? downloadMs : 0);
      const queueMs = Math.max(0, waitedMs);
      const overheadMs = Math.max(0, tookMs - computeMs - restMs);
      const timings = { queueMs, downloadMs, computeMs, restMs, overheadMs };
      outbox.post({ held, result, submission: { leaseId: lease.leaseId, fence: lease.fence, runtime, timings } });
    } catch (failure) {
      giveBackFailed(held, failure);
    }
    view.touch();
    changed.ring();
  }

  function giveBackFailed(held: HeldLease, failure: unknown): void {
    const ending = failure instanceof CallFailure ? failure.ending : null;
    if (ending?.kind === "aborted") return;
    if (ending?.kind === "died") {
      giveBack([held], held.deadlineMs <= clock.nowMs() ? "timeout" : "crashed", ending.detail);
      return;
    }
    view.set({ problem: { code: "internal", detail: words(failure) } });
    giveBack([held], "failed", words(failure));
  }

  function wishRuntimes() {
    return (capability?.runtimes ?? []).filter(({ selfTestPassed }) => selfTestPassed).map(({ runtime }) => runtime);
  }

  // ---- the end ----

  async function finish(): Promise<void> {
    if (!isLive(state) || state.phase === "finishing") return;
    if (state.phase === "starting") return stop();
    move({ kind: "finish" });
    // What was computed is counted only once it is answered.
    await changed.until(() => !isLive(state) || table.all().length === 0);
    stop();
  }

  function stop(problem?: string, error?: FluxError): void {
    if (!isLive(state)) return;
    move({ kind: "stop" });
    giveBack(table.all().filter(isUnfinished), "stopped");
    host.close();
    ending.abort();
    if (problem) view.set({ problem: { code: error?.code ?? "internal", detail: problem } });
    // Packets that arrive together with the goodbye are thrown away by the other side: the return goes first.
    Promise.race([lastReturn, pause(clock, RETURN_MS, new AbortController().signal)]).then(() => {
      link?.close();
      view.set({ link: "none", job: null, kernel: null, runtime: null, waitingBecause: null, startingWith: null });
      for (const held of table.all()) table.end(held);
      move({ kind: "stopped" });
      view.close();
      onStopped();
    });
  }

  void strand(begin);
  obeySignals();

  return {
    handle(message) {
      switch (message.kind) {
        case "pause":
          return move({ kind: "pause" });
        case "resume":
          return move({ kind: "resume" });
        case "finish":
          return void strand(finish);
        case "stop":
          return stop();
        case "settings":
          settings = message.settings;
          return obeySignals();
        case "signals":
          signals = message.signals;
          return obeySignals();
        case "leaving":
          leaving = message.why;
          return obeySignals();
        case "returned":
          leaving = null;
          return obeySignals();
      }
    },
  };
}

function isUnfinished(held: HeldLease): boolean {
  return held.state !== "sending";
}

function isWaiting(held: HeldLease): boolean {
  return held.state === "waiting";
}

function isRetryable(error: unknown): boolean {
  return !isFluxError(error) || error.code === "unavailable";
}

function words(error: unknown): string {
  if (isFluxError(error)) return error.detail;
  return error instanceof Error ? error.message : String(error);
}
