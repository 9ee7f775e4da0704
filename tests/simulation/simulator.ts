/**
 * Runs a scenario on a virtual clock: the very board, cost model and policy of the live dispatcher, against devices that
 * fetch, compute, send, hide, stall, lie and leave as their seed says.
 *
 * A donor asks for its next bundle when the first microtask of the present one begins to compute, so that one bundle is in
 * work and one is fetched ahead. Its link down, its processor and its link up are three queues.
 */
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId, TenantId } from "#lib/protocol/ids.ts";
import { Board } from "#lib/scheduling/board.ts";
import { createCostModel } from "#lib/scheduling/cost-model.ts";
import { changeSignals } from "#lib/scheduling/signals.ts";
import type { Attempt, CalibrationReport, DonorView, Policy, StageDefinition } from "#lib/scheduling/types.ts";
import { EventQueue } from "./event-queue.ts";
import { type Device, HIDDEN_SPEED, makeFleet, type Session } from "./fleet.ts";
import { lowerBoundMs } from "./lower-bound.ts";
import type { Scenario } from "./scenario.ts";

/** What a donor needs per microtask besides computing: unpacking, a worker message, packing. */
const OVERHEAD_MS = 6;
/** When the coordinator notices a donor that vanished without a word. */
const SILENCE_MS = 10_000;
const EXPIRY_TICK_MS = 250;
const REESTIMATE_EVERY_MS = 2_000;
/** A donor is told to go after so many refused results. */
const REFUSALS_BEFORE_BAN = 2;
const BUNDLE_LIMIT_MS = 3_000;
/** A run that takes this many times its lower bound has gone wrong. */
const MAX_VIRTUAL_MS = 4 * 3_600_000;

export interface Outcome {
  readonly scenario: string;
  readonly policy: string;
  readonly seed: number;
  readonly makespanMs: number;
  readonly lowerBoundMs: number;
  /** Makespan ÷ lower bound. */
  readonly ratio: number;
  /** Computing that no accepted result came from, as share of all computing. */
  readonly wastedShare: number;
  /** Of it: races that were lost, departures, refused results. */
  readonly wasted: { readonly raced: number; readonly departed: number; readonly refused: number };
  readonly bundles: number;
  /** Share of bundles that took at most three seconds, alone, artefacts fetched before. */
  readonly bundlesInTime: number;
  readonly microtasks: number;
  readonly calibration: CalibrationReport;
  readonly jobs: readonly { readonly name: string; readonly finishedAtMs: number; readonly inTime: boolean }[];
  /** Donor-seconds by submitter until the first of them had nothing pending. */
  readonly sharesWhileContended: Readonly<Record<string, number>>;
  /** Leases to donors outside the region rule: has to be 0. */
  readonly regionsBroken: number;
  readonly choices: number;
  /** Real time. */
  readonly choiceMicroseconds: number;
  readonly realMs: number;
}

/** A bundle in work: what its leases were promised to take and took. */
interface Bundle {
  readonly promisedP90Ms: number;
  left: number;
  tookMs: number;
}

/** One microtask's way through a donor. Laid out ahead, and again when something before it is dropped. */
interface Timing {
  readonly attempt: Attempt;
  readonly bundle: Bundle;
  readonly downEndMs: number;
  readonly downloadMs: number;
  /** Computing on the visible device. */
  readonly workMs: number;
  readonly overheadMs: number;
  readonly uploadMs: number;
  computeStartMs: number;
  computeEndMs: number;
  upEndMs: number;
  /** Counts layouts: events of an older one are void. */
  layout: number;
}

/** One session of one device: a donor. */
class SimulatedDonor {
  readonly device: Device;
  readonly session: Session;
  readonly view: DonorView;
  online = true;
  parked = false;
  asking = false;
  downFreeMs = 0;
  computeFreeMs = 0;
  upFreeMs = 0;
  refusals = 0;
  accepted = 0;
  nextHidden = 0;
  /** In the order of computing. */
  running: Timing[] = [];

  constructor(device: Device, session: Session, view: DonorView) {
    this.device = device;
    this.session = session;
    this.view = view;
  }
}

type Event =
  | { readonly kind: "join"; readonly device: Device; readonly session: number }
  | { readonly kind: "gone"; readonly donor: SimulatedDonor; readonly device: Device; readonly session: number }
  | { readonly kind: "noticed"; readonly donor: SimulatedDonor }
  | { readonly kind: "visibility"; readonly donor: SimulatedDonor }
  | { readonly kind: "request"; readonly donor: SimulatedDonor }
  | { readonly kind: "result"; readonly donor: SimulatedDonor; readonly timing: Timing; readonly layout: number }
  | { readonly kind: "revoked"; readonly donor: SimulatedDonor; readonly attempt: Attempt }
  | { readonly kind: "submit"; readonly job: number }
  | { readonly kind: "expiry" }
  | { readonly kind: "reestimate" };

export function simulate(scenario: Scenario, seed: number, policy: Policy): Outcome {
  return new Simulation(scenario, seed, policy).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #policy: Policy;
  readonly #devices: Device[];
  readonly #queue = new EventQueue<Event>();
  readonly #costModel = createCostModel();
  readonly #board: Board;
  readonly #parked = new Set<SimulatedDonor>();
  readonly #donors = new Map<DonorId, SimulatedDonor>();
  readonly #finishedAtMs = new Map<string, number>();
  #serial = 0;
  #nowMs = 0;
  #usefulMs = 0;
  readonly #wasted = { raced: 0, departed: 0, refused: 0 };
  #bundles = 0;
  #bundlesInTime = 0;
  #microtasks = 0;
  #choices = 0;
  #choiceMs = 0;
  #regionsBroken = 0;
  #shares: Record<string, number> | null = null;

  constructor(scenario: Scenario, seed: number, policy: Policy) {
    this.#scenario = scenario;
    this.#seed = seed;
    this.#policy = policy;
    this.#devices = makeFleet(scenario.fleet, seed);
    this.#board = new Board({ newMicrotaskId: () => this.#id<MicrotaskId>("mt") });
  }

  run(): Outcome {
    const startedAt = performance.now();
    this.#scenario.jobs.forEach((job, index) => {
      this.#queue.push(job.startAtMs ?? 0, { kind: "submit", job: index });
    });
    for (const device of this.#devices) {
      this.#queue.push(device.session(0).fromMs, { kind: "join", device, session: 0 });
    }
    this.#queue.push(EXPIRY_TICK_MS, { kind: "expiry" });
    this.#queue.push(REESTIMATE_EVERY_MS, { kind: "reestimate" });
    while (this.#finishedAtMs.size < this.#scenario.jobs.length) {
      const next = this.#queue.pop();
      if (!next || next.atMs > MAX_VIRTUAL_MS) {
        throw new Error(
          `${this.#scenario.name}, seed ${this.#seed}, ${this.#policy.name}: not done at ${this.#nowMs} ms`,
        );
      }
      this.#nowMs = next.atMs;
      this.#handle(next.event);
    }
    return this.#outcome(performance.now() - startedAt);
  }

  #handle(event: Event): void {
    switch (event.kind) {
      case "submit":
        this.#submit(event.job);
        break;
      case "join":
        this.#join(event.device, event.session);
        break;
      case "gone":
        this.#gone(event.donor, event.device, event.session);
        break;
      case "noticed":
        this.#leave(event.donor);
        break;
      case "visibility":
        this.#visibility(event.donor);
        break;
      case "request":
        event.donor.asking = false;
        this.#request(event.donor);
        break;
      case "result":
        if (event.layout === event.timing.layout) this.#result(event.donor, event.timing);
        break;
      case "revoked":
        this.#drop(event.donor, event.attempt);
        break;
      case "expiry":
        this.#expire();
        this.#queue.push(this.#nowMs + EXPIRY_TICK_MS, event);
        break;
      case "reestimate":
        this.#costModel.reestimate();
        this.#queue.push(this.#nowMs + REESTIMATE_EVERY_MS, event);
        break;
    }
  }

  // Jobs

  #submit(index: number): void {
    const { unit, jobs } = this.#scenario;
    const job = jobs[index];
    if (!job) return;
    const id = `stg_${job.name}` as StageId;
    const definition: StageDefinition = {
      id,
      jobId: `job_${job.name}` as JobId,
      submitterId: `ten_${job.submitter}` as TenantId,
      weight: job.weight ?? 1,
      priority: job.priority ?? 0,
      deadlineAtMs: job.deadlineMs === undefined ? null : this.#nowMs + job.deadlineMs,
      createdAtMs: this.#nowMs + index,
      regions: job.regions ?? null,
      groupId: null,
      minReliability: 0,
      kernel: "lanes",
      runtimes: ["ort-wasm"],
      artefacts: [{ digest: `artefact of ${job.name}` as never, bytes: unit.artefactBytes }],
      unitBytesIn: unit.bytesIn,
      unitBytesOut: unit.bytesOut,
      unitMacs: unit.macs,
      residentBytes: 8 * unit.artefactBytes,
    };
    this.#board.addStage(definition);
    for (let start = 0; start < job.units; start += unit.perMicrotask) {
      const unitCount = Math.min(unit.perMicrotask, job.units - start);
      this.#board.addMicrotask(id, { id: this.#id("mt"), unitStart: start, unitCount });
    }
    this.#wake(this.#parked.size);
  }

  // Donors

  #join(device: Device, index: number): void {
    const session = device.session(index);
    const view: DonorView = {
      id: this.#id<DonorId>("don"),
      deviceClass: `${Math.round(Math.log2(device.macsPerSecond * device.benchmarkFactor))}`,
      runtimes: [
        {
          runtime: "ort-wasm",
          int8MacsPerSecond: device.macsPerSecond * device.benchmarkFactor,
          float32MacsPerSecond: 0,
        },
      ],
      benchmarkDownBytesPerSecond: 1000 * device.downBytesPerMs * device.benchmarkDownFactor,
      connectedAtMs: this.#nowMs,
      country: device.country,
      groupIds: new Set(),
      memoryBytes: 512 * 2 ** 20,
      heldBytes: 0,
      cached: new Set(),
      visible: true,
      cpuShare: 1,
      gpuShare: 1,
      reliability: 0.9,
      busyUntilMs: this.#nowMs,
    };
    const donor = new SimulatedDonor(device, session, view);
    this.#board.join(view);
    this.#donors.set(view.id, donor);
    this.#costModel.observeSession({ kind: "joined", donorId: view.id, atMs: this.#nowMs });
    this.#ask(donor, this.#nowMs + device.rttMs / 2);
    if (Number.isFinite(session.toMs)) {
      this.#queue.push(session.toMs, { kind: "gone", donor, device, session: index });
    }
    this.#scheduleVisibility(donor);
  }

  /** The tab is closed. Usually the coordinator learns at once. */
  #gone(donor: SimulatedDonor, device: Device, session: number): void {
    if (donor.online) {
      donor.online = false;
      for (const timing of donor.running) this.#wasted.departed += this.#computed(timing);
      const silent = device.random.uniform() < this.#scenario.fleet.silentDepartures;
      if (silent) this.#queue.push(this.#nowMs + SILENCE_MS, { kind: "noticed", donor });
      else this.#leave(donor);
    }
    this.#queue.push(device.session(session + 1).fromMs, { kind: "join", device, session: session + 1 });
  }

  #leave(donor: SimulatedDonor): void {
    const returned = this.#board.leave(donor.view.id);
    this.#donors.delete(donor.view.id);
    this.#parked.delete(donor);
    this.#costModel.observeSession({ kind: "left", donorId: donor.view.id, atMs: this.#nowMs });
    this.#costModel.forget(donor.view.id);
    if (returned.length > 0) this.#wake(returned.length);
  }

  #visibility(donor: SimulatedDonor): void {
    if (!donor.online) return;
    const apply = (view: DonorView) => {
      view.visible = !view.visible;
    };
    const { view } = donor;
    const recalled = changeSignals({
      board: this.#board,
      costModel: this.#costModel,
      donor: view,
      nowMs: this.#nowMs,
      apply,
    });
    this.#revoke(recalled);
    if (recalled.length > 0) this.#wake(recalled.length);
    if (view.visible) donor.nextHidden++;
    this.#scheduleVisibility(donor);
  }

  #scheduleVisibility(donor: SimulatedDonor): void {
    const interval = donor.session.hidden[donor.nextHidden];
    if (!interval) return;
    const atMs = donor.view.visible ? interval.fromMs : interval.toMs;
    this.#queue.push(atMs + donor.device.rttMs / 2, { kind: "visibility", donor });
  }

  #ask(donor: SimulatedDonor, atMs: number): void {
    if (donor.asking) return;
    donor.asking = true;
    this.#queue.push(atMs, { kind: "request", donor });
  }

  /** Work came back: as many waiting donors as there are microtasks are answered now. */
  #wake(count: number): void {
    let left = count;
    for (const donor of this.#parked) {
      if (left-- <= 0) return;
      this.#parked.delete(donor);
      donor.parked = false;
      this.#queue.push(this.#nowMs, { kind: "request", donor });
    }
  }

  // Work

  #request(donor: SimulatedDonor): void {
    if (!donor.online) return;
    const { view } = donor;
    const before = performance.now();
    const decision = this.#policy.choose({
      nowMs: this.#nowMs,
      board: this.#board,
      costModel: this.#costModel,
      donor: view,
      wantMs: BUNDLE_LIMIT_MS,
      maxLeases: 64,
    });
    this.#choiceMs += performance.now() - before;
    this.#choices++;
    if (decision.kind === "idle") {
      donor.parked = true;
      this.#parked.add(donor);
      this.#queue.push(this.#nowMs + decision.recheckAfterMs, { kind: "request", donor });
      return;
    }
    donor.parked = false;
    this.#parked.delete(donor);
    const outcomes = this.#board.lease(decision.leases, view, () => this.#id<LeaseId>("ls"), this.#nowMs);
    this.#run(
      donor,
      outcomes.map(({ attempt }) => attempt),
    );
    this.#noteShares();
  }

  /** Lays the bundle's microtasks into the donor's three queues. */
  #run(donor: SimulatedDonor, attempts: readonly Attempt[]): void {
    const { device, view } = donor;
    const { unit } = this.#scenario;
    const answerAtMs = this.#nowMs + device.rttMs / 2;
    let firstStartMs = Number.POSITIVE_INFINITY;
    let aloneMs = 0;
    const promisedP90Ms = attempts.reduce((sum, { promised }) => sum + promised.p90, 0);
    const bundle: Bundle = { promisedP90Ms, left: attempts.length, tookMs: 0 };
    for (const attempt of attempts) {
      const { allowedCountries, definition } = attempt.stage;
      if (allowedCountries && !allowedCountries.has(device.country)) this.#regionsBroken++;
      const units = attempt.microtask.unitCount;
      let fetchBytes = 0;
      for (const { digest, bytes } of definition.artefacts) {
        if (view.cached.has(digest)) continue;
        view.cached.add(digest);
        fetchBytes += bytes;
      }
      const downloadMs = ((units * unit.bytesIn) / device.downBytesPerMs) * device.linkScatter();
      const downEndMs = Math.max(answerAtMs, donor.downFreeMs) + fetchBytes / device.downBytesPerMs + downloadMs;
      donor.downFreeMs = downEndMs;
      const timing: Timing = {
        attempt,
        bundle,
        downEndMs,
        downloadMs,
        workMs: ((1000 * units * unit.macs) / device.macsPerSecond) * device.scatter(),
        overheadMs: OVERHEAD_MS * (0.5 + device.random.uniform()),
        uploadMs: ((units * unit.bytesOut) / device.upBytesPerMs) * device.linkScatter(),
        computeStartMs: 0,
        computeEndMs: 0,
        upEndMs: 0,
        layout: 0,
      };
      donor.running.push(timing);
      this.#layOut(donor, timing);
      firstStartMs = Math.min(firstStartMs, timing.computeStartMs);
      aloneMs += downloadMs + (timing.computeEndMs - timing.computeStartMs) + timing.uploadMs;
    }
    this.#bundles++;
    if (aloneMs <= BUNDLE_LIMIT_MS) this.#bundlesInTime++;
    this.#ask(donor, Math.max(answerAtMs, firstStartMs) + device.rttMs / 2);
  }

  #layOut(donor: SimulatedDonor, timing: Timing): void {
    timing.computeStartMs = Math.max(this.#nowMs, timing.downEndMs, donor.computeFreeMs);
    timing.computeEndMs = finishMs(donor.session, timing.computeStartMs, timing.workMs) + timing.overheadMs;
    timing.upEndMs = Math.max(timing.computeEndMs, donor.upFreeMs) + timing.uploadMs;
    donor.computeFreeMs = timing.computeEndMs;
    donor.upFreeMs = timing.upEndMs;
    const layout = ++timing.layout;
    this.#queue.push(timing.upEndMs + donor.device.rttMs / 2, { kind: "result", donor, timing, layout });
  }

  /** Tells the donors of these attempts to drop them. */
  #revoke(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) {
      const donor = this.#donors.get(attempt.donorId);
      if (donor) this.#queue.push(this.#nowMs + donor.device.rttMs / 2, { kind: "revoked", donor, attempt });
    }
  }

  /** The donor drops a microtask that it was told to: what comes after it moves up. */
  #drop(donor: SimulatedDonor, attempt: Attempt): void {
    if (!donor.online) return;
    const index = donor.running.findIndex((timing) => timing.attempt === attempt);
    const dropped = donor.running[index];
    if (!dropped || dropped.computeEndMs <= this.#nowMs) return;
    this.#wasted.raced += this.#computed(dropped);
    dropped.layout++;
    donor.running.splice(index, 1);
    const previous = donor.running[index - 1];
    donor.computeFreeMs = Math.max(this.#nowMs, previous?.computeEndMs ?? 0);
    donor.upFreeMs = Math.max(this.#nowMs, previous?.upEndMs ?? 0);
    for (const later of donor.running.slice(index)) this.#layOut(donor, later);
    if (donor.running.length === 0) this.#ask(donor, this.#nowMs + donor.device.rttMs / 2);
  }

  #expire(): void {
    const expired = this.#board.expired(this.#nowMs);
    for (const attempt of expired) this.#board.giveBack(attempt);
    this.#revoke(expired);
    if (expired.length > 0) this.#wake(expired.length);
  }

  /** How long the donor has computed on it. */
  #computed({ computeStartMs, computeEndMs }: Timing): number {
    return Math.max(0, Math.min(computeEndMs, this.#nowMs) - computeStartMs);
  }

  #result(donor: SimulatedDonor, timing: Timing): void {
    if (!donor.online) return;
    donor.running.splice(donor.running.indexOf(timing), 1);
    const { attempt, computeStartMs, computeEndMs, downloadMs, uploadMs, overheadMs } = timing;
    const computeMs = computeEndMs - computeStartMs;
    if (!this.#board.isLive(attempt)) {
      this.#wasted.raced += computeMs;
      return;
    }
    this.#board.arrived(attempt, this.#nowMs);
    if (donor.device.liar) {
      this.#refuse(donor, attempt, computeMs);
      return;
    }
    donor.accepted++;
    donor.view.reliability = (9 + donor.accepted) / (10 + donor.accepted);
    this.#usefulMs += computeMs;
    this.#microtasks++;
    this.#costModel.observe({
      donor: donor.view,
      stage: attempt.stage.definition,
      runtime: "ort-wasm",
      units: attempt.microtask.unitCount,
      downloadMs,
      computeMs: computeMs - overheadMs,
      uploadMs,
      overheadMs,
      promised: attempt.promised,
    });
    const { bundle } = timing;
    bundle.tookMs += downloadMs + computeMs + uploadMs;
    // One that lost a lease never counts down to zero.
    if (--bundle.left === 0) this.#costModel.observeBundle({ donor: donor.view, ...bundle });
    this.#revoke(this.#board.accept(attempt, computeMs));
    const { stage } = attempt;
    if (stage.pendingCount === 0 && stage.attempts.size === 0) {
      const name = stage.definition.id.slice("stg_".length);
      if (!this.#finishedAtMs.has(name)) this.#finishedAtMs.set(name, this.#nowMs);
    }
  }

  /** An audit found the result wrong. */
  #refuse(donor: SimulatedDonor, attempt: Attempt, computeMs: number): void {
    this.#wasted.refused += computeMs;
    this.#board.fail(attempt);
    this.#wake(1);
    donor.refusals++;
    donor.view.reliability = (0.9 * 10) / (10 + donor.refusals * 10);
    if (donor.refusals < REFUSALS_BEFORE_BAN) return;
    donor.online = false;
    this.#leave(donor);
  }

  // Measures

  /** The contention ends when a submitter has nothing pending. */
  #noteShares(): void {
    if (this.#shares !== null || this.#scenario.jobs.length < 2) return;
    const waiting = new Set<string>();
    for (const { pendingCount, definition } of this.#board.openStages) {
      if (pendingCount > 0) waiting.add(definition.submitterId);
    }
    if (waiting.size < new Set(this.#scenario.jobs.map((job) => job.submitter)).size) this.#shares = this.#sharesNow();
  }

  #sharesNow(): Record<string, number> {
    const submitters = [...new Set(this.#scenario.jobs.map((job) => job.submitter))];
    const served = submitters.map((name) => this.#board.submitter(`ten_${name}` as TenantId).servedMs);
    const total = served.reduce((sum, ms) => sum + ms, 0);
    return Object.fromEntries(submitters.map((name, i) => [name, (served[i] ?? 0) / Math.max(1, total)]));
  }

  #outcome(realMs: number): Outcome {
    const makespanMs = Math.max(...this.#finishedAtMs.values());
    const bound = lowerBoundMs(this.#scenario, this.#devices, makespanMs);
    const wastedMs = this.#wasted.raced + this.#wasted.departed + this.#wasted.refused;
    const all = this.#usefulMs + wastedMs;
    return {
      scenario: this.#scenario.name,
      policy: this.#policy.name,
      seed: this.#seed,
      makespanMs,
      lowerBoundMs: bound,
      ratio: makespanMs / bound,
      wastedShare: wastedMs / all,
      wasted: {
        raced: this.#wasted.raced / all,
        departed: this.#wasted.departed / all,
        refused: this.#wasted.refused / all,
      },
      bundles: this.#bundles,
      bundlesInTime: this.#bundlesInTime / Math.max(1, this.#bundles),
      microtasks: this.#microtasks,
      calibration: this.#costModel.calibration(),
      jobs: this.#scenario.jobs.map((job) => {
        const finishedAtMs = this.#finishedAtMs.get(job.name) ?? Number.POSITIVE_INFINITY;
        const dueMs = job.deadlineMs === undefined ? Number.POSITIVE_INFINITY : (job.startAtMs ?? 0) + job.deadlineMs;
        return { name: job.name, finishedAtMs, inTime: finishedAtMs <= dueMs };
      }),
      sharesWhileContended: this.#shares ?? this.#sharesNow(),
      regionsBroken: this.#regionsBroken,
      choices: this.#choices,
      choiceMicroseconds: (1000 * this.#choiceMs) / Math.max(1, this.#choices),
      realMs,
    };
  }

  #id<Id extends string>(prefix: string): Id {
    return `${prefix}_${this.#serial++}` as Id;
  }
}

/** When work of `workMs` (visible) that begins at `startMs` is done, through the session's hidden times. */
function finishMs(session: Session, startMs: number, workMs: number): number {
  let at = startMs;
  let left = workMs;
  for (const { fromMs, toMs } of session.hidden) {
    if (toMs <= at) continue;
    if (fromMs > at) {
      if (left <= fromMs - at) return at + left;
      left -= fromMs - at;
      at = fromMs;
    }
    const hiddenMs = left / HIDDEN_SPEED;
    if (hiddenMs <= toMs - at) return at + hiddenMs;
    left -= (toMs - at) * HIDDEN_SPEED;
    at = toMs;
  }
  return at + left;
}
