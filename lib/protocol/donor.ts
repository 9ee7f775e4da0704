/**
 * The wire between a donor and the coordinator: Socket.IO namespace `/donors`, version 1. Prose and rules: README.md here.
 *
 * Every request is one event with an acknowledgement; `DonorRequests` ties each request to its answer, so neither side
 * casts. Every answer is `Answer<T>`: a value or a coded error. Binary travels beside the JSON as one buffer.
 */
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "./errors.ts";
import { Digest, DonorId, JobId, LeaseId, MicrotaskId, StageId } from "./ids.ts";
import { SOCKET_LIMITS } from "./limits.ts";
import { Receipt } from "./receipts.ts";
import { KernelKind, RuntimeId } from "./stage.ts";
import { SignedIdentity } from "./volunteer-identity.ts";

export const PROTOCOL_VERSION = 1;
export const DONOR_NAMESPACE = "/donors";

const milliseconds = z.number().nonnegative().max(3_600_000);

/** What a benchmark measured of one runtime. */
export const RuntimeBenchmark = z.object({
  runtime: RuntimeId,
  threads: z.int().min(1).max(256),
  /** Passed its exactness or tolerance self-test; a runtime that is wrong once is not used. */
  selfTestPassed: z.boolean(),
  /** Int8 (lanes) and float32 (models) multiply-adds a second; 0 where the runtime cannot. */
  int8MacsPerSecond: z.number().nonnegative().max(1e16),
  float32MacsPerSecond: z.number().nonnegative().max(1e16),
});
export type RuntimeBenchmark = z.infer<typeof RuntimeBenchmark>;

export const Capability = z.object({
  runtimes: z.array(RuntimeBenchmark).max(8),
  memoryBytes: z
    .number()
    .nonnegative()
    .max(2 ** 50),
  logicalCores: z.int().min(1).max(1024),
  crossOriginIsolated: z.boolean(),
  downloadBytesPerSecond: z.number().nonnegative().max(1e12),
  measuredAt: z.iso.datetime(),
});
export type Capability = z.infer<typeof Capability>;

/** What the donor's page says of the moment: all of it lowers what is asked for, none of it raises trust. */
export const Signals = z.object({
  visible: z.boolean(),
  cpuShare: z.number().min(0.01).max(1),
  gpuShare: z.number().min(0.01).max(1),
  onBattery: z.boolean().nullable(),
  meteredLink: z.boolean().nullable(),
  pressure: z.enum(["nominal", "fair", "serious", "critical"]).nullable(),
  mainThreadLagMs: milliseconds,
  /** False: the connection's country is not used from now on. True takes it up again where hello allowed it. */
  useRegion: z.boolean().optional(),
});
export type Signals = z.infer<typeof Signals>;

export const Hello = z.object({
  protocol: z.int(),
  /** From an earlier welcome of this tab: takes up the same donor id after a broken connection. */
  resumeToken: z.string().max(256).optional(),
  /** Public key of a partner's site, in the embed. */
  siteKey: z.string().max(64).optional(),
  /** What the coordinator put into the embed's document: under which key, and in a page of which origin. */
  siteTicket: z.string().max(1_024).optional(),
  /** Join token of a private group. */
  groupToken: z.string().max(64).optional(),
  displayName: z.string().trim().min(1).max(40).optional(),
  /** Wants a signed receipt with each accepted result. */
  receipts: z.boolean().optional(),
  /** The volunteer behind this donor, where there is one. */
  identity: SignedIdentity.optional(),
  /** False: the connection's country is not used; the donor gets only jobs without a region rule. */
  useRegion: z.boolean().default(true),
  capability: Capability,
  signals: Signals,
});
export type Hello = z.infer<typeof Hello>;

export const Welcome = z.object({
  donorId: DonorId,
  resumeToken: z.string(),
  /** ISO 3166-1 alpha-2, or null when unknown or not used. */
  country: z.string().length(2).nullable(),
  donorsOnline: z.int().nonnegative(),
  longPollMs: milliseconds,
});
export type Welcome = z.infer<typeof Welcome>;

export const LeaseRequest = z.object({
  /** Milliseconds of work wanted, at this donor's present share. */
  wantMs: z.number().positive().max(10_000),
  /** Memory that the donor gives payloads, results and kernels, all together: the coordinator subtracts what its leases take. */
  memoryBytes: z
    .number()
    .nonnegative()
    .max(2 ** 50),
  runtimes: z.array(RuntimeId).min(1).max(8),
  cached: z.array(Digest).max(SOCKET_LIMITS.cachedDigests),
});
export type LeaseRequest = z.infer<typeof LeaseRequest>;

/** One microtask in this donor's hands until `leaseMs` from receipt. */
export const Lease = z.object({
  leaseId: LeaseId,
  /** Fencing token: grows with every attempt at the microtask; a result with an older one is refused. */
  fence: z.int().positive(),
  microtaskId: MicrotaskId,
  stageId: StageId,
  jobId: JobId,
  kernel: KernelKind,
  /** Digest of the stage's spec (stage.ts), fetched from /artefacts/{digest}. */
  specDigest: Digest,
  unitStart: z.int().nonnegative(),
  unitCount: z.int().positive(),
  /** For lanes: which batch and which of the ring's primes the units belong to. */
  batch: z.int().nonnegative(),
  prime: z.int().nonnegative(),
  payloadBytes: z.int().nonnegative().max(SOCKET_LIMITS.payloadBytes),
  resultBytes: z.int().nonnegative().max(SOCKET_LIMITS.payloadBytes),
  /** Where the payload lies in the answer's packed buffer; null: ask with payload:get. */
  inlineOffset: z.int().nonnegative().nullable(),
  leaseMs: milliseconds,
  predictedMs: milliseconds,
});
export type Lease = z.infer<typeof Lease>;

/** What the donor's page may show about a job: what its submitter chose to make public. */
export const JobNotice = z.object({
  jobId: JobId,
  title: z.string().max(120),
  privacy: z.enum(["encrypted", "public"]),
});
export type JobNotice = z.infer<typeof JobNotice>;

export const LeaseAnswer = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("bundle"),
    leases: z.array(Lease).min(1).max(SOCKET_LIMITS.leasesPerBundle),
    jobs: z.array(JobNotice),
  }),
  z.object({ kind: z.literal("wait"), why: z.string(), retryAfterMs: milliseconds }),
]);
export type LeaseAnswer = z.infer<typeof LeaseAnswer>;

export const PayloadRequest = z.object({ leaseId: LeaseId, fence: z.int().positive() });

/** Where the time of one microtask went, on the donor's clock. The parts are disjoint. */
export const Timings = z.object({
  /** Waiting behind other work of this donor. */
  queueMs: milliseconds,
  /** Its payload's way, from its first byte to its last. */
  downloadMs: milliseconds,
  /** Working, without rests: what is credited. */
  computeMs: milliseconds,
  /** Rests between pieces of work that the donor's share asks for. */
  restMs: milliseconds.optional(),
  /** Handing the task to the compute worker and taking its result. */
  overheadMs: milliseconds.optional(),
  /** Of the previous result on this link, until it was acknowledged: a result cannot carry its own. */
  uploadMs: milliseconds,
});
export type Timings = z.infer<typeof Timings>;

export const ResultSubmission = z.object({
  leaseId: LeaseId,
  fence: z.int().positive(),
  runtime: RuntimeId,
  timings: Timings,
});
export type ResultSubmission = z.infer<typeof ResultSubmission>;

export const ResultAnswer = z.object({
  kind: z.literal("accepted"),
  units: z.int().positive(),
  /** Where the donor asked for receipts. */
  receipt: Receipt.optional(),
});
export type ResultAnswer = z.infer<typeof ResultAnswer>;

export const LeaseReturn = z.object({
  leases: z
    .array(z.object({ leaseId: LeaseId, fence: z.int().positive() }))
    .min(1)
    .max(SOCKET_LIMITS.leasesPerBundle * SOCKET_LIMITS.bundlesPerDonor),
  /** `failed`, `crashed` and `timeout` count as an attempt against the microtask, the others do not. */
  reason: z.enum(["stopped", "paused", "leaving", "frozen", "crashed", "timeout", "failed"]),
  detail: z.string().max(500).optional(),
});
export type LeaseReturn = z.infer<typeof LeaseReturn>;

/** A value or a coded error: how every request ends that reaches the other side. */
export type Answer<T> = { ok: true; value: T } | { ok: false; code: ErrorCode; detail: string; retryable: boolean };

export const AnswerError = z.object({
  ok: z.literal(false),
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  retryable: z.boolean(),
});

/** Requests of a donor: schema of the request, schema of the answer's value, and whether a buffer goes along. */
export const DONOR_REQUESTS = {
  "donor:hello": { request: Hello, answer: Welcome, bufferUp: false, bufferDown: false },
  "donor:capability": { request: Capability, answer: z.null(), bufferUp: false, bufferDown: false },
  "donor:signals": { request: Signals, answer: z.null(), bufferUp: false, bufferDown: false },
  "lease:request": { request: LeaseRequest, answer: LeaseAnswer, bufferUp: false, bufferDown: true },
  "lease:return": { request: LeaseReturn, answer: z.object({ returned: z.int() }), bufferUp: false, bufferDown: false },
  "payload:get": { request: PayloadRequest, answer: z.null(), bufferUp: false, bufferDown: true },
  "result:submit": { request: ResultSubmission, answer: ResultAnswer, bufferUp: true, bufferDown: false },
} as const;

export type DonorRequestName = keyof typeof DONOR_REQUESTS;
export type DonorRequest<Name extends DonorRequestName> = z.infer<(typeof DONOR_REQUESTS)[Name]["request"]>;
export type DonorAnswer<Name extends DonorRequestName> = z.infer<(typeof DONOR_REQUESTS)[Name]["answer"]>;

/** What the coordinator says unasked; none is acknowledged. */
export const COORDINATOR_NOTICES = {
  /** Stop computing these: the job was cancelled or another attempt won. */
  "lease:revoked": z.object({ leaseIds: z.array(LeaseId).max(256) }),
  /** A request for work is held open: why there is none, in words. Said again when the reason changes. */
  "lease:waiting": z.object({ why: z.string().max(500) }),
  /** Numbers for the donor's page. */
  "fleet:stats": z.object({
    donorsOnline: z.int().nonnegative(),
    jobsRunning: z.int().nonnegative(),
    microtasksAccepted: z.int().nonnegative(),
  }),
  /** The coordinator restarts: finish, send, and expect a short gap. */
  "coordinator:draining": z.object({ reconnectAfterMs: milliseconds }),
} as const;
export type CoordinatorNoticeName = keyof typeof COORDINATOR_NOTICES;
export type CoordinatorNotice<Name extends CoordinatorNoticeName> = z.infer<(typeof COORDINATOR_NOTICES)[Name]>;

/** Socket.IO event maps. Where a request or answer carries no buffer it is null (or empty: that costs a frame more). */
export type DonorToCoordinator = {
  [Name in DonorRequestName]: (
    request: DonorRequest<Name>,
    buffer: Uint8Array | null,
    acknowledge: (answer: Answer<DonorAnswer<Name>>, buffer: Uint8Array | null) => void,
  ) => void;
};
export type CoordinatorToDonor = {
  [Name in CoordinatorNoticeName]: (notice: CoordinatorNotice<Name>) => void;
};
