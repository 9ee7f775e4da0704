/**
 * What the scheduler decides about, and the plain interfaces it decides through. Everything in this folder is pure: time,
 * ids and observations are arguments, so that the live dispatcher and the simulator drive the very same code.
 *
 * Words. A *stage* is the part of a job whose microtasks share one kernel and artefact; a *microtask* is a contiguous
 * range of one stage's *units* (records, or lanes of one prime of one batch). To *carve* is to lease only the first units
 * of a pending range: the rest stays pending as another microtask. An *attempt* is one lease's try at one microtask; two
 * attempts at one microtask may run at once near a job's end (*re-issue*), and the first accepted one wins.
 *
 * The dispatcher's way through: `board.join(donor)`, `board.addStage(…)`, `board.addMicrotask(…)`; for every request
 * `policy.choose({board, donor, …})`, then `board.lease(decision.leases, …)`; when a result comes in, `board.arrived(…)`;
 * for every end of an attempt `board.accept | fail | giveBack(…)` and `costModel.observe(…)`.
 */
import type { DonorId, JobId, LeaseId, MicrotaskId, StageId, TenantId } from "#lib/protocol/ids.ts";
import type { Artefact, KernelKind, RuntimeId } from "#lib/protocol/stage.ts";

/** Where a job's microtasks may go. Codes are ISO 3166-1 alpha-2 or a group such as "EU" (regions.ts expands them). */
export interface RegionRule {
  /** Empty: anywhere. Otherwise never broken; a donor of unknown country is refused. */
  readonly allow: readonly string[];
  /** Wins ties; costs at most some seconds of fairness. */
  readonly prefer: readonly string[];
}

/** What a benchmark measured of one runtime that passed its self-test. `int8` counts for lanes, `float32` for models; 0: cannot. */
export interface RuntimeRate {
  readonly runtime: RuntimeId;
  readonly int8MacsPerSecond: number;
  readonly float32MacsPerSecond: number;
}

/**
 * A donor as the scheduler sees it. The dispatcher owns the object and updates its fields as signals arrive; the class
 * and the benchmark are fixed while it is connected.
 */
export interface DonorView {
  readonly id: DonorId;
  /** Donors that look alike share a prior: `deviceClass(capability)` in device-class.ts. */
  readonly deviceClass: string;
  readonly runtimes: readonly RuntimeRate[];
  /** The benchmark's 1 MiB download; 0 when unknown. */
  readonly benchmarkDownBytesPerSecond: number;
  readonly connectedAtMs: number;
  /** ISO 3166-1 alpha-2; null when unknown, or when the donor said "do not use my region". */
  readonly country: string | null;
  /** Private groups that it joined. */
  readonly groupIds: ReadonlySet<string>;
  /** What payloads, results and kernels may use together. */
  memoryBytes: number;
  /** Of that, what the payloads and results of its leases take; the board keeps it. */
  heldBytes: number;
  /** Digests of artefacts that it has. */
  readonly cached: Set<string>;
  /** A hidden tab is throttled by the browser. */
  visible: boolean;
  /** Duty cycles, 0.01..1. */
  cpuShare: number;
  gpuShare: number;
  /** Share of its audited results that were right, shrunk towards the newcomer's; 1 is spotless. */
  reliability: number;
  /** When what it already holds should be done (predicted); ≤ now when it is free. */
  busyUntilMs: number;
}

/** What the planner knows of a stage; fixed for its life, except where the board has a setter. */
export interface StageDefinition {
  readonly id: StageId;
  readonly jobId: JobId;
  readonly submitterId: TenantId;
  /** Share of donor-seconds against other submitters; 1 is usual. */
  readonly weight: number;
  /** −10..10 within the submitter's own jobs: higher goes first. Does not buy another submitter's share. */
  readonly priority: number;
  readonly deadlineAtMs: number | null;
  readonly createdAtMs: number;
  readonly regions: RegionRule | null;
  /** Only donors of this private group. */
  readonly groupId: string | null;
  /** Donors below this reliability are refused; 0 takes everybody. */
  readonly minReliability: number;
  readonly kernel: KernelKind;
  /** The runtimes that can run it. */
  readonly runtimes: readonly RuntimeId[];
  /** Fetched once per donor, cached by digest. */
  readonly artefacts: readonly Artefact[];
  readonly unitBytesIn: number;
  readonly unitBytesOut: number;
  /** Multiply-adds of one unit. */
  readonly unitMacs: number;
  /** What the kernel and its artefacts occupy on the donor besides payloads. */
  readonly residentBytes: number;
}

/** A range of units that is pending, leased or done. Owned by the board; the dispatcher reads it. */
export interface Microtask {
  readonly id: MicrotaskId;
  readonly stageId: StageId;
  readonly unitStart: number;
  /** Shrinks when the range is carved. */
  unitCount: number;
  /** For lanes: which batch and prime. Neighbours share both. 0 for records. */
  readonly batch: number;
  readonly prime: number;
  /** Grows with every attempt; results with an older one are refused. */
  fence: number;
  /** Attempts that counted against it (refused or failed). */
  failures: number;
  /** Donors whose attempt was refused or failed: never asked again for this one. */
  readonly refusedTo: DonorId[];
  /** Usually one; more while they race. */
  readonly attempts: Attempt[];
}

/** One lease's try at one microtask. */
export interface Attempt {
  readonly leaseId: LeaseId;
  readonly microtask: Microtask;
  readonly stage: StageView;
  readonly donorId: DonorId;
  readonly fence: number;
  readonly leasedAtMs: number;
  /** When the lease runs out; `board.extend` and `board.reschedule` move it. */
  expiresAtMs: number;
  /** When it should be done: p50 and p90, everything before it on that donor included. */
  expectedAtMs: number;
  lateAtMs: number;
  /** p50 of its own duration; what the submitter was charged. */
  readonly predictedMs: number;
  /** What was promised of its duration when it was leased. */
  readonly promised: Interval;
  /** What it adds to its donor's queue. */
  stepMs: number;
  /** Its result is here and being checked: it neither expires nor is raced. */
  arrived: boolean;
  readonly reissue: boolean;
}

/** Milliseconds between which four outcomes of five should lie. */
export interface Interval {
  readonly p10: number;
  readonly p90: number;
}

/** Milliseconds of a prediction's quantiles. */
export interface Prediction extends Interval {
  readonly p50: number;
  readonly p99: number;
  /** The same with every artefact in the cache: what outcomes are held against, for fetching artefacts is not timed with them. */
  readonly warm: Interval;
}

/** A stage on the board: its definition and live counts. All accessors are O(1). */
export interface StageView {
  readonly definition: StageDefinition;
  /** The region rule, expanded to countries; null: anywhere. */
  readonly allowedCountries: ReadonlySet<string> | null;
  readonly preferredCountries: ReadonlySet<string>;
  readonly pendingCount: number;
  readonly pendingUnits: number;
  readonly leasedCount: number;
  readonly leasedUnits: number;
  readonly acceptedUnits: number;
  /** Predicted donor-milliseconds leased so far, and how much of it raced other attempts: bounds what re-issue may waste. */
  readonly leasedMs: number;
  readonly reissuedMs: number;
  /** The i-th pending microtask; 0 is the head. */
  pendingAt(i: number): Microtask | undefined;
  /** Attempts in flight, in no order. */
  readonly attempts: ReadonlySet<Attempt>;
}

/** How a donor gets through a stage when it fetches the next payload while it computes. */
export interface Pace {
  /** The slowest of download, compute and upload. */
  readonly msPerUnit: number;
  /** The download is: a bundle of one lease would leave the link idle for a round trip. */
  readonly linkBound: boolean;
  /** On top, per microtask. */
  readonly overheadMs: number;
  /** Once, before the first unit: artefacts that it lacks. */
  readonly artefactMs: number;
}

/** Predicts durations and learns from observations. Replaceable: nothing else knows how it estimates. */
export interface CostModel {
  /**
   * Duration of `units` units in `microtasks` microtasks on this donor, alone and from lease to result: artefacts that
   * it lacks, payload down, compute at its present share, result up, overhead. Null when no runtime fits.
   */
  predict(donor: DonorView, stage: StageDefinition, units: number, microtasks: number): Prediction | null;
  /**
   * Largest number of units whose 90th percentile stays within `budgetMs`, artefacts in its cache; 0 when not even one
   * does. Fetching an artefact is paid once and does not count against a bundle.
   */
  unitsWithin(donor: DonorView, stage: StageDefinition, budgetMs: number, microtasks: number): number;
  /** Its sustained pace at its present share; null when no runtime fits. */
  pace(donor: DonorView, stage: StageDefinition): Pace | null;
  /** The runtime it should use for this stage: the fastest one predicted. */
  runtimeFor(donor: DonorView, stage: StageDefinition): RuntimeId | null;
  observe(observation: Observation): void;
  /** Share of the time limit that this donor's bundles should be filled to at p90, so that 95 % of them keep it. */
  bundleShare(donor: DonorView): number;
  observeBundle(observation: BundleObservation): void;
  /** A donor came or went: teaches how long sessions last. */
  observeSession(event: SessionEvent): void;
  /** Expected milliseconds until a donor that is online departs (fleet-wide, shrunk towards a prior). */
  meanSessionMs(nowMs: number): number;
  /** Drops what is known of one donor; what its class learnt stays. */
  forget(donorId: DonorId): void;
  /** Publishes class priors from what was observed since; see optimizer.ts, which calls it and writes the log. */
  reestimate(): PriorChange[];
  calibration(): CalibrationReport;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}

export type SessionEvent =
  | { readonly kind: "joined"; readonly donorId: DonorId; readonly atMs: number }
  | { readonly kind: "left"; readonly donorId: DonorId; readonly atMs: number };

/** One finished microtask. */
export interface Observation {
  readonly donor: DonorView;
  readonly stage: StageDefinition;
  readonly runtime: RuntimeId;
  readonly units: number;
  readonly downloadMs: number;
  /** By the clock: rests that the donor's share asks for are in it. */
  readonly computeMs: number;
  readonly uploadMs: number;
  /** What the donor needs per microtask besides: handing it to its worker, packing. Round trips hide behind other work. */
  readonly overheadMs: number;
  /** What was promised of the sum of the four when it was leased; null: hold it against what is believed now. */
  readonly promised: Interval | null;
}

/** A bundle whose every lease was accepted. */
export interface BundleObservation {
  readonly donor: DonorView;
  /** Sum of its leases' p90, artefacts in the cache. */
  readonly promisedP90Ms: number;
  readonly tookMs: number;
}

/** How a class's prior for one quantity moved, and what that gains for its next newcomer. */
export interface PriorChange {
  readonly deviceClass: string;
  /** E.g. "lanes on ort-wasm", "download". */
  readonly quantity: string;
  /** Donors behind it (weighted). */
  readonly donors: number;
  /** True ÷ what benchmarks promise. */
  readonly factorBefore: number;
  readonly factorAfter: number;
  /** Typical relative error of a newcomer's first prediction, before and after. */
  readonly errorBefore: number;
  readonly errorAfter: number;
}

/** How honest the predictions are. */
export interface Coverage {
  readonly observations: number;
  /** Share of outcomes inside p10..p90; 0.8 is honest. */
  readonly within80: number;
  /** Share of outcomes at most p90. */
  readonly belowP90: number;
}

export interface CalibrationReport extends Coverage {
  readonly classes: readonly ({ readonly deviceClass: string } & Coverage)[];
}

export interface PlannedLease {
  readonly stage: StageView;
  readonly microtask: Microtask;
  /** Fewer than the microtask has: carve. A bundle may carve the same range several times; `board.lease` follows. */
  readonly units: number;
  readonly leaseMs: number;
  /** Of this microtask alone. */
  readonly predicted: Prediction;
  /** What it adds to the donor's queue: less than `predicted` where fetching overlaps computing. */
  readonly stepMs: number;
  /** Milliseconds from now until it should be done (p50, p90), all before it on that donor included. */
  readonly expectedInMs: number;
  readonly lateInMs: number;
  /** The attempt that it races; null for pending work. */
  readonly reissueOf: Attempt | null;
}

/** The terms of the winning stage's score, in seconds of donor time; the largest sum is chosen. */
export interface ScoreTerms {
  /** How far the submitter is behind its fair share. */
  readonly fairness: number;
  readonly priority: number;
  readonly deadline: number;
  /** Download that the donor's cache saves. */
  readonly affinity: number;
  readonly region: number;
  /** Its submitter's older stages first. */
  readonly age: number;
  /** How scarce the donors are that this stage may use. */
  readonly scarcity: number;
  readonly reliability: number;
}

export type IdleReason =
  | "no-work"
  | "no-runtime"
  | "region"
  | "group"
  | "memory"
  | "reliability"
  | "hands-full"
  | "too-slow-for-one-unit"
  | "rest-in-work"
  | "rest-finishes-sooner-without-you";

export type Decision =
  | {
      readonly kind: "bundle";
      readonly leases: readonly PlannedLease[];
      /** Of the whole bundle. */
      readonly predicted: Prediction;
      readonly terms: ScoreTerms;
    }
  | {
      readonly kind: "idle";
      readonly reason: IdleReason;
      /** In words, for the donor's page. */
      readonly why: string;
      /** Ask again after this many milliseconds, or when the board changes. */
      readonly recheckAfterMs: number;
    };

export interface ChooseRequest {
  readonly nowMs: number;
  readonly board: BoardView;
  readonly costModel: CostModel;
  readonly donor: DonorView;
  /** Milliseconds of work wanted. */
  readonly wantMs: number;
  readonly maxLeases: number;
}

/** Chooses what a donor gets next. Pure: changes nothing; the caller leases what it chose. */
export interface Policy {
  readonly name: string;
  choose(request: ChooseRequest): Decision;
}

/** A submitter's account in the weighted fair queue. */
export interface SubmitterView {
  readonly id: TenantId;
  readonly weight: number;
  /** Donor-milliseconds of accepted work, ever. */
  readonly servedMs: number;
  /** Its stages that have pending microtasks, in the order in which they came. */
  readonly waiting: readonly StageView[];
}

/** What a policy may read of the board. */
export interface BoardView {
  /** Stages that have pending or leased microtasks. */
  readonly openStages: readonly StageView[];
  readonly donors: ReadonlyMap<DonorId, DonorView>;
  /** The same donors in no order, for sampling. */
  readonly donorList: readonly DonorView[];
  /** Stages whose jobs have deadlines, among the open ones. */
  readonly datedStages: ReadonlySet<StageView>;
  submitter(id: TenantId): SubmitterView;
  /** Submitters that have pending microtasks, least recent usage first. */
  waitingByUsage(): readonly SubmitterView[];
  /** Recent usage in donor-milliseconds ÷ weight; fades with a half-life of a minute. */
  usageMs(id: TenantId, nowMs: number): number;
  /** Open stages that use this artefact. */
  stagesUsing(digest: string): ReadonlySet<StageView> | undefined;
}
