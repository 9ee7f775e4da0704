/**
 * Everything that is said between the three realms of a donor: page ↔ loop worker ↔ compute worker. All three are our own
 * code of one build, so the types are the check; what comes from the coordinator is parsed where it arrives.
 */
import type { Capability, JobNotice, Signals } from "#lib/protocol/donor.ts";
import type { ErrorCode } from "#lib/protocol/errors.ts";
import type { Receipt } from "#lib/protocol/receipts.ts";
import type { KernelKind, RuntimeId, StageSpec } from "#lib/protocol/stage.ts";
import type { SignedIdentity } from "#lib/protocol/volunteer-identity.ts";

// ---- page → loop ----------------------------------------------------------------------------------------------------

/** What the visitor chose. */
export interface DonorSettings {
  /** Share of the time that the WASM runtimes may compute, 0.01..1. */
  cpuShare: number;
  /** The same for WebGPU. */
  gpuShare: number;
  pauseOnBattery: boolean;
  pauseOnMetered: boolean;
  /** The embed always pauses when its page is hidden or it is scrolled away; on the donate page the visitor chooses. */
  pauseWhenHidden: boolean;
  /** False: the country of the connection is not used. */
  useRegion: boolean;
  /** Works only while nobody is at the device, where the browser tells. */
  onlyWhenIdle: boolean;
  /** Works only between these; null: at any time. */
  hours: DailyHours | null;
  /** The screen stays on while this donates; the page's to do. */
  keepAwake: boolean;
  /** Most memory that computing may take; payloads and results in flight may have an eighth of it. */
  memoryBytes: number;
}

/** Whole hours of the visitor's clock, 0..23; `toHour` is not included. From 22 to 6 is the night. */
export interface DailyHours {
  fromHour: number;
  toHour: number;
}

/** What only the page can see. */
export type PageSignals = Omit<Signals, "cpuShare" | "gpuShare" | "useRegion"> & PersonalSignals;

/** What is decided by here and told to nobody. */
export interface PersonalSignals {
  /** Nobody has touched the device for a while, or its screen is locked; null: the browser does not say. */
  personAway: boolean | null;
  /** Of the visitor's clock: minutes since midnight. */
  minuteOfDay: number;
}

export interface StartOptions {
  /** Origin of the coordinator. */
  origin: string;
  settings: DonorSettings;
  signals: PageSignals;
  /** From an earlier benchmark on this browser, if it is still fresh. */
  capability: Capability | null;
  siteKey?: string;
  /** From the embed's document: in a page of which origin it is. */
  siteTicket?: string;
  groupToken?: string;
  /** The volunteer behind this donor, signed for this start. */
  identity?: SignedIdentity;
  displayName?: string;
}

export type PageToLoop =
  | { kind: "start"; options: StartOptions }
  | { kind: "pause" }
  | { kind: "resume" }
  /** Stop once the microtask that computes now is sent and answered. */
  | { kind: "finish" }
  | { kind: "stop" }
  | { kind: "settings"; settings: DonorSettings }
  | { kind: "signals"; signals: PageSignals }
  /** The page is being closed or frozen: leases go back now, there may be no later. */
  | { kind: "leaving"; why: "leaving" | "frozen" }
  /** The page was thawed or came back. */
  | { kind: "returned" };

// ---- loop → page ----------------------------------------------------------------------------------------------------

export type LoopToPage =
  | { kind: "view"; view: DonorView }
  /** A fresh benchmark, for the page to keep. */
  | { kind: "capability"; capability: Capability }
  /** A microtask was accepted: for the page's log. */
  | { kind: "logged"; entry: LoggedMicrotask }
  | { kind: "stopped" };

/** See loop/phase.ts for what each phase means. */
export type DonorPhase = "idle" | "starting" | "running" | "paused" | "finishing" | "stopping";

/** The visitor's own doing, or what speaks against working now. */
export type PauseReason = "visitor" | "battery" | "metered" | "hidden" | "in-use" | "hours" | "left";

/** One microtask in this donor's hands: a lane of the page's picture. */
export interface HeldMicrotask {
  id: string;
  state: "waiting" | "computing" | "sending";
  kernel: KernelKind;
  jobId: string;
  units: number;
  unitsDone: number;
  predictedMs: number;
}

/** How a microtask left this donor. */
export interface FinishedMicrotask {
  id: string;
  verdict: "accepted" | "refused" | "given-back";
}

/** One accepted microtask, for "what my browser did". */
export interface LoggedMicrotask {
  microtaskId: string;
  job: JobNotice | null;
  kernel: KernelKind;
  units: number;
  computeMs: number;
  /** The coordinator's signed word; null where it gave none. */
  receipt: Receipt | null;
}

export interface DonorTotals {
  /** Accepted by the coordinator after its checks. */
  microtasksAccepted: number;
  unitsAccepted: number;
  microtasksRefused: number;
  leasesReturned: number;
  bytesDown: number;
  bytesUp: number;
  computeMs: number;
}

/** What the page shows; the loop is its only writer. */
export interface DonorView {
  phase: DonorPhase;
  link: "none" | "connecting" | "online";
  /** Why it is paused; null when it is not. The page has the words (host/words.ts, embed/words.ts). */
  pausedBecause: PauseReason | null;
  /** What happens before work can start, e.g. measuring; null later. */
  startingWith: "connecting" | "measuring" | null;
  /** The job of the microtask that computes now. */
  job: JobNotice | null;
  kernel: KernelKind | null;
  runtime: RuntimeId | null;
  /** Something is in hand, or was a second ago: gaps between microtasks are not idleness. */
  working: boolean;
  /** Why there is nothing to do, in the coordinator's words; null while there is something. */
  waitingBecause: string | null;
  held: HeldMicrotask[];
  /** The last that left, latest first. */
  finished: FinishedMicrotask[];
  totals: DonorTotals;
  /** Accepted units per second over the last ten seconds. */
  unitsPerSecond: number;
  /** Share of the last ten seconds that was spent computing. */
  busyShare: number;
  /** The shares in force: the visitor's, lowered by signals. */
  cpuShare: number;
  gpuShare: number;
  /** Why they are lower than what the visitor chose; null: they are not. */
  loweredBecause: string | null;
  /** What the page sees of this moment; null before the start. */
  signals: PageSignals | null;
  country: string | null;
  donorsOnline: number | null;
  jobsRunning: number | null;
  capability: Capability | null;
  /** The last thing that went wrong and what to do about it. */
  problem: { code: ErrorCode; detail: string } | null;
}

// ---- loop ↔ compute -------------------------------------------------------------------------------------------------

export type ComputeCalls = {
  /** Loads runtime and model of a stage and keeps them; a second call for the same stage is cheap. */
  prepare: {
    request: {
      spec: StageSpec;
      /** The model or lane program, already checked against its digest. */
      artefact: Uint8Array<ArrayBuffer>;
      /** Runtimes that passed their self-test here. */
      allowed: RuntimeId[];
      shares: { cpuShare: number; gpuShare: number };
    };
    answer: { runtime: RuntimeId };
  };
  /** Computes one microtask of a prepared stage; notices tell how far it is. */
  run: {
    request: ComputeTask;
    answer: {
      result: Uint8Array<ArrayBuffer>;
      runtime: RuntimeId;
      /** Working, and resting as the share asks: together what the clock showed. */
      computeMs: number;
      restMs: number;
    };
  };
  /** Forgets a prepared stage and frees its memory. */
  release: { request: { stageId: string }; answer: null };
  /** Changes the duty cycle, also of what is running. */
  share: { request: { cpuShare: number; gpuShare: number }; answer: null };
  /** Answers as soon as the worker's thread is free. */
  ping: { request: null; answer: null };
  /** Measures this machine; at most about two seconds. */
  benchmark: { request: { downloadBytesPerSecond: number }; answer: Capability };
};

export interface ComputeTask {
  /** Names the task in notices. */
  taskId: string;
  stageId: string;
  unitStart: number;
  unitCount: number;
  batch: number;
  prime: number;
  payload: Uint8Array<ArrayBuffer>;
}

export type ComputeNotice = { kind: "progress"; taskId: string; unitsDone: number };
