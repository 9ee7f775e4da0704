import { expect, test } from "vitest";
import { IDLE, mayCompute, nextPhase, type PhaseEvent, type PhaseState, wantsWork } from "#worker/loop/phase.ts";

const hold: PhaseEvent = { kind: "hold", because: "battery" };
const lives: { name: string; events: PhaseEvent[]; phase: string }[] = [
  { name: "starts", events: [{ kind: "start" }], phase: "starting" },
  { name: "runs when ready", events: [{ kind: "start" }, { kind: "ready" }], phase: "running" },
  {
    name: "a pause before it is ready is remembered",
    events: [{ kind: "start" }, { kind: "pause" }, { kind: "ready" }],
    phase: "paused",
  },
  {
    name: "a visitor's pause outlives a signal's",
    events: [{ kind: "start" }, { kind: "ready" }, hold, { kind: "pause" }, { kind: "release" }],
    phase: "paused",
  },
  {
    name: "a signal's pause outlives a visitor's",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "pause" }, hold, { kind: "resume" }],
    phase: "paused",
  },
  {
    name: "runs when neither speaks against it",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "pause" }, hold, { kind: "resume" }, { kind: "release" }],
    phase: "running",
  },
  {
    name: "a reconnect's ready does not end a pause",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "pause" }, { kind: "ready" }],
    phase: "paused",
  },
  { name: "stops from starting", events: [{ kind: "start" }, { kind: "stop" }], phase: "stopping" },
  {
    name: "a stopping donor cannot be resumed",
    events: [{ kind: "start" }, { kind: "stop" }, { kind: "resume" }],
    phase: "stopping",
  },
  {
    name: "finishes before it stops",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "finish" }],
    phase: "finishing",
  },
  {
    name: "nothing but a stop ends finishing",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "finish" }, hold, { kind: "release" }, { kind: "resume" }],
    phase: "finishing",
  },
  {
    name: "stops from finishing",
    events: [{ kind: "start" }, { kind: "ready" }, { kind: "finish" }, { kind: "stop" }],
    phase: "stopping",
  },
  {
    name: "a donor that only starts has nothing to finish",
    events: [{ kind: "start" }, { kind: "finish" }],
    phase: "starting",
  },
  { name: "is idle after", events: [{ kind: "start" }, { kind: "stop" }, { kind: "stopped" }], phase: "idle" },
  { name: "nothing happens without a start", events: [{ kind: "ready" }, { kind: "resume" }, hold], phase: "idle" },
];

test("what computes goes on while finishing, until something speaks against it", () => {
  const finishing = [{ kind: "start" }, { kind: "ready" }, { kind: "finish" }] as const;
  const state = finishing.reduce<PhaseState>(nextPhase, IDLE);
  expect(mayCompute(state)).toBe(true);
  expect(wantsWork(state)).toBe(false);
  expect(mayCompute(nextPhase(state, hold))).toBe(false);
});

test.each(lives)("$name", ({ events, phase }) => {
  expect(events.reduce(nextPhase, IDLE).phase).toBe(phase);
});
