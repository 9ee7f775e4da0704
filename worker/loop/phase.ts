/**
 * The life of a donor, as one small state machine. `nextPhase` is its only writer (called by donor-loop.ts alone).
 *
 * - idle: nothing is loaded and nobody is connected. Holds nothing. Left by `start`, which is a person's click.
 * - starting: connecting, saying hello, measuring once. Holds no lease. Left by `ready`, or by `stop`.
 * - running: asks for work, computes, sends. Holds leases, also while the link is down (results are kept and sent later).
 *   Left by `pause` (the visitor) or `hold` (battery, metered link, hidden page, leaving), or by `stop`.
 * - paused: connected and idle. Holds no lease; results that are finished are still sent. Left by `resume` when the
 *   visitor paused, by `release` when a signal did; a visitor's pause outlives a signal's.
 * - finishing: asks for no more work and holds only the microtask that was computing, and results that are not answered yet.
 *   What speaks against working ends the computing here too, and nothing takes it up again. Left by `stop`.
 * - stopping: leases go back, then workers end. Left by `stopped`, to idle.
 *
 * `fail` (another protocol version, banned) goes through stopping like `stop`, with a problem to show.
 */
import type { DonorPhase, PauseReason } from "../messages.ts";

export type PhaseEvent =
  | { kind: "start" }
  | { kind: "ready" }
  | { kind: "pause" }
  | { kind: "resume" }
  | { kind: "hold"; because: PauseReason }
  | { kind: "release" }
  | { kind: "finish" }
  | { kind: "stop" }
  | { kind: "stopped" };

export interface PhaseState {
  readonly phase: DonorPhase;
  /** The visitor pressed Pause. */
  readonly pausedByVisitor: boolean;
  /** A signal says not to work now. */
  readonly heldBecause: PauseReason | null;
}

export const IDLE: PhaseState = { phase: "idle", pausedByVisitor: false, heldBecause: null };

/** The state after an event; events that make no sense in a state leave it as it is. */
export function nextPhase(state: PhaseState, event: PhaseEvent): PhaseState {
  switch (event.kind) {
    case "start":
      return state.phase === "idle" ? { ...IDLE, phase: "starting" } : state;
    case "ready":
      return state.phase === "starting" ? settle({ ...state, phase: "running" }) : state;
    case "pause":
      return isLive(state) ? settle({ ...state, pausedByVisitor: true }) : state;
    case "resume":
      return isLive(state) ? settle({ ...state, pausedByVisitor: false }) : state;
    case "hold":
      return isLive(state) ? settle({ ...state, heldBecause: event.because }) : state;
    case "release":
      return isLive(state) ? settle({ ...state, heldBecause: null }) : state;
    case "finish":
      return state.phase === "running" || state.phase === "paused" ? { ...state, phase: "finishing" } : state;
    case "stop":
      return isLive(state) ? { ...state, phase: "stopping" } : state;
    case "stopped":
      return state.phase === "stopping" ? IDLE : state;
  }
}

/** Between a start and a stop. */
export function isLive(state: PhaseState): boolean {
  return state.phase !== "idle" && state.phase !== "stopping";
}

/** May hold leases and ask for more. */
export function wantsWork(state: PhaseState): boolean {
  return state.phase === "running";
}

/** May go on with what computes now. */
export function mayCompute(state: PhaseState): boolean {
  return wantsWork(state) || (state.phase === "finishing" && !isHeld(state));
}

/** Running or paused by what speaks against working; while starting or finishing, both are only remembered. */
function settle(state: PhaseState): PhaseState {
  if (state.phase === "starting" || state.phase === "finishing") return state;
  return { ...state, phase: isHeld(state) ? "paused" : "running" };
}

function isHeld(state: PhaseState): boolean {
  return state.pausedByVisitor || state.heldBecause !== null;
}
